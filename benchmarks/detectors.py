"""Speech detectors under noise: learned, the default, and energy against librosa and others.

Clips of real speech that are clean (loud hops 45 dB above quiet ones), each of another speaker, get
pauses of known places, together as long as the speech, under low room noise (40 dB below it). They
are heard as they are and under white and pink noise, babble and music, 20 to 0 dB below the speech.
Truth is of the clean clip, by a strict level: hops down to 25 dB below the loud ones are speech,
the pauses that were put in are none, and hops that are neither are not judged, as nobody could say.
Half of each sound is pauses, so that who marks every frame has precision 0.46.

ROC area is of a score for each hop: of networks their probability, of others at how many settings
of their threshold (aggressiveness) it is speech, the other settings as they are. Best F1 is at the
best of these settings, which is known from these very sounds only. Speed is hours of sound by a
second of the processor on one thread, of all these sounds.
"""

import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from noisy_speech import HOP, KINDS, Spoken, clean_clips, conditions
from omegaconf import OmegaConf
from sklearn.metrics import precision_recall_curve, roc_auc_score
from synthetic_sound import RATE

from langid.build import build
from langid.commands.configuration import root

HERE = Path(__file__).resolve().parent
RELEASE = "cv-corpus-6.1-2020-12-11"
DETECTORS = ("energy", "learned", "librosa", "silero", "webrtc", "every_frame")
SWEPT: dict[str, tuple[str, tuple[float, ...]]] = {
    "energy": ("threshold_db", (1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 30)),
    "librosa": ("top_db", (5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 80)),
    "webrtc": ("aggressiveness", (0, 1, 2, 3)),
}
HELD_TO = (  # by how much F1 of one must lie above another's, at these levels, or at all
    ("learned", "librosa", (), 0.0),
    ("learned", "energy", ("5 dB", "0 dB"), 0.1),
)
Heard = dict[str, list[np.ndarray]]  # by condition


def configured(name: str, **settings: Any) -> Any:
    """Return a detector as ``detector=NAME`` builds it, but for some settings."""
    plain: Any = OmegaConf.to_container(OmegaConf.load(root("conf") / "detector" / f"{name}.yaml"))
    return build(plain | settings, "detector", hop_samples=HOP, sample_rate=RATE)


class Tally:
    """What a detector says of hops that are judged, by condition, and the time that it takes."""

    def __init__(self, name: str):
        self.name = name
        self.detector = configured(name)
        self.detector.by_runtime = True  # as prepare does
        setting, values = SWEPT.get(name, ("", ()))
        self.sweep = [configured(name, **{setting: value}) for value in values]
        self.marks: Heard = defaultdict(list)
        self.scores: Heard = defaultdict(list)
        self.processor_s = 0.0
        self.detector(torch.zeros(1, RATE))  # what is loaded, is loaded once

    def hear(self, condition: str, samples: np.ndarray, judged: np.ndarray) -> None:
        """Take in one sound, of which the hops ``judged (hops,)`` count."""
        batch = torch.from_numpy(samples)[None]
        started = time.process_time()
        marks = self.detector(batch)[0, : len(judged)].numpy()
        self.processor_s += time.process_time() - started
        self.marks[condition].append(marks[judged])
        if self.name == "learned":
            score = self.detector.logits(batch, self.detector.initial_state(1))[0][0].numpy()
        elif self.name == "silero":
            probabilities = self.detector.probabilities(self.detector.framed(samples))
            score = self.detector.of_hops(probabilities, len(samples))
        else:
            at_each = [other(batch)[0, : len(judged)].numpy() for other in self.sweep]
            score = np.sum(at_each, axis=0) if at_each else marks
        self.scores[condition].append(score[judged])

    def row(self, conditions: list[str], truth: Heard) -> tuple[float, ...]:
        """Return precision, recall, F1, F1 at the best setting, ROC area over some conditions."""
        speech, marks, scores = (
            np.concatenate([each for name in conditions for each in held[name]])
            for held in (truth, self.marks, self.scores)
        )
        found = int((marks & speech).sum())
        precision, recall = found / max(1, int(marks.sum())), found / int(speech.sum())
        f1 = 2 * found / (int(marks.sum()) + int(speech.sum()))
        precisions, recalls, _ = precision_recall_curve(speech, scores)
        best = 2 * (precisions * recalls / np.maximum(precisions + recalls, 1e-9)).max()
        return precision, recall, f1, float(best), float(roc_auc_score(speech, scores))


def measure(
    sounds: list[tuple[str, Spoken]], detectors: list[str]
) -> tuple[list[Tally], Heard, float]:
    """Return what each detector says of sounds, the truth, and how many seconds they last."""
    tallies = [Tally(name) for name in detectors]
    truth: Heard = defaultdict(list)
    for condition, spoken in sounds:
        judged = spoken.sound.speech | spoken.paused
        truth[condition].append(spoken.sound.speech[judged])
        for tally in tallies:
            tally.hear(condition, spoken.sound.samples, judged)
    return tallies, truth, sum(len(spoken.sound.samples) for _, spoken in sounds) / RATE


def levels(snrs: list[int]) -> dict[str, list[str]]:
    """Return the conditions of each level of noise, ``clean`` and each SNR."""
    return {"clean": ["clean"]} | {f"{db} dB": [f"{kind} {db}" for kind in KINDS] for db in snrs}


def figures(f1: dict[str, dict[str, float]]) -> list[Figure]:
    """Return by level how far F1 of some detectors lies above that of others."""
    return [
        Figure(f"F1 of {one} above {other}'s, {level}", of[one] - of[other], least, at_least=True)
        for level, of in f1.items()
        for one, other, levels, least in HELD_TO
        if {one, other} <= set(of) and level in (levels or f1)
    ]


def report(tallies: list[Tally], truth: Heard, sound_s: float, snrs: list[int]) -> list[Figure]:
    """Print the tables, and return the figures."""
    at = levels(snrs)
    rows = [["level", "detector", "precision", "recall", "F1", "best F1", "ROC area"]]
    f1: dict[str, dict[str, float]] = defaultdict(dict)
    for level, names in at.items():
        for tally in tallies:
            found = tally.row(names, truth)
            f1[level][tally.name] = found[2]
            rows.append([level, tally.name, *(f"{value:.3f}" for value in found)])
    print_table("all kinds of noise", rows)
    rows = [["F1 under", *(tally.name for tally in tallies)]]
    for kind in KINDS:
        for db in snrs:
            name = f"{kind} {db}"
            values = [tally.row([name], truth)[2] for tally in tallies]
            rows.append([f"{kind}, {db} dB", *(f"{value:.3f}" for value in values)])
    print_table("each kind of noise", rows)
    rows = [["detector", "hours a processor-second", "against energy"]]
    for tally in tallies:
        speed = sound_s / 3600 / max(tally.processor_s, 1e-9)
        ratio = tallies[0].processor_s / max(tally.processor_s, 1e-9)
        rows.append([tally.name, f"{speed:.3f}", f"{ratio:.2f} x"])
    print_table(f"{sound_s / 3600:.2f} hours of sound; {machine()}", rows)
    return figures(f1)


def main() -> int:
    """Measure and return 0 where the figures hold, else 1."""
    parser = CommandLine(__doc__, clips=1, snrs="10")
    default = os.environ.get("LANGID_DATA", str(HERE.parents[1] / "shared" / "data"))
    parser.add_argument("--data", default=default, help=f"folder that holds {RELEASE} ({default})")
    parser.add_argument("--locales", default="en,hi,zh-CN", help="of the release (en,hi,zh-CN)")
    parser.add_argument("--clips", type=int, default=15, help="of each locale, at most (15)")
    parser.add_argument("--detectors", default=",".join(DETECTORS), help="to measure (all)")
    parser.add_argument("--snrs", default="20,10,5,0", help="in dB, of noise (20,10,5,0)")
    parser.add_argument("--seed", type=int, default=0, help="of clips, pauses and noise (0)")
    options = parser.options()
    release = Path(options.data).expanduser().resolve() / RELEASE
    if not release.is_dir():
        parser.error(f"{release}: no such folder; give the one that holds {RELEASE} by --data")
    torch.set_num_threads(1)
    draws = np.random.default_rng(options.seed)
    snrs = [int(db) for db in options.snrs.split(",")]
    clips = clean_clips(release, options.locales.split(","), options.clips, draws)
    if len({clip.language for clip in clips}) < 2:
        parser.error(
            f"--locales={options.locales}: accepted are two and more, as babble is of others"
        )
    with torch.inference_mode():
        measured = measure(list(conditions(clips, snrs, draws)), options.detectors.split(","))
    print(f"{len(clips)} clips of {', '.join(dict.fromkeys(clip.language for clip in clips))}")
    return verdict(report(*measured, snrs), options.quick)


if __name__ == "__main__":
    sys.exit(main())
