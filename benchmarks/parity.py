"""Streamed posteriors against those of offline PyTorch, for every streaming network.

Real clips of the Common Voice sample go through PyTorch at once (langid's own training code), and
through the same network in steps, as an exported ONNX file and as torch.export's, cut into chunks
of 1, 37, 160 and 1600 samples and not at all. The table gives the largest difference of any
posterior of any frame. Networks have the widths of their configurations, best_stream all of its
experiment, features and policy of silence too; their weights are random, the logits centred and
scaled until the posteriors spread: rounding does not depend on what was learnt. Of each clip,
chunks of 1, 37 and 160 samples are heard for a quarter, a half and one second, which holds all ways
of cutting a hop of 10 ms.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from prepare import RELEASE
from random_model import BEST_STREAM, random_experiment, random_identifier

from langid.audio.decode import read_audio
from langid.corpora.common_voice import CommonVoice
from langid.export.onnx import export_onnx
from langid.export.parity import TOLERANCE, feed_clip, largest_difference
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.export.torch_export import ExportedModel, export_pt2
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

HERE = Path(__file__).resolve().parent
LOCALES = ("en", "hi", "zh-CN")
RATE = 16000
WHOLE = sys.maxsize
EXCERPT = {1: RATE // 4, 37: RATE // 2, 160: RATE, 1600: WHOLE, WHOLE: WHOLE}  # samples, by chunk
NETWORKS = ("rnn", "gru", "lstm", "tcn", "conformer", BEST_STREAM)

Runtime = Callable[[LanguageIdentifier, Path, np.ndarray], StreamingIdentifier]


def stepper(identifier: LanguageIdentifier, folder: Path, clip: np.ndarray) -> StreamingIdentifier:
    """Return PyTorch in steps."""
    return StreamingIdentifier(TorchModel(StreamingModule(identifier)))


def onnx(identifier: LanguageIdentifier, folder: Path, clip: np.ndarray) -> StreamingIdentifier:
    """Return the exported file under onnxruntime."""
    path = folder / "model.onnx"
    export_onnx(identifier, path, [clip[:RATE]])
    return StreamingIdentifier.load(path)


def pt2(identifier: LanguageIdentifier, folder: Path, clip: np.ndarray) -> StreamingIdentifier:
    """Return the program of torch.export."""
    path = folder / "model.pt2"
    export_pt2(identifier, path, [clip[:RATE]])
    return StreamingIdentifier(ExportedModel(path))


RUNTIMES: dict[str, Runtime] = {"PyTorch in steps": stepper, "ONNX": onnx, "pt2": pt2}


def fitted(name: str, features: str, silence: str, clip: np.ndarray) -> LanguageIdentifier:
    """Return a network with random weights and confident posteriors, fitted to a clip.

    BEST_STREAM has its own features and policy of silence.
    """
    torch.manual_seed(0)
    if name == BEST_STREAM:
        identifier = random_experiment()
    else:
        identifier = random_identifier(name, features=features, silence=silence)
    frames = identifier.front_end(torch.from_numpy(clip)[None])[0]
    identifier.normaliser.fit(frames[0].mean(0), frames[0].std(0))
    with torch.no_grad():
        logits = identifier(frames, torch.tensor([frames.shape[1]]))
        output: Any = identifier.network.output
        output.bias.sub_(logits[0].mean(0))  # or some posterior would be 1 in all frames
        for weights in output.parameters():
            weights.div_(logits.std(1).mean())
    return identifier


def differences(
    identifier: LanguageIdentifier, stream: StreamingIdentifier, clips: list[np.ndarray]
) -> tuple[dict[int, float], float]:
    """Return by chunk the largest difference from offline, and the range of the posteriors."""
    largest, spread = dict.fromkeys(EXCERPT, 0.0), 0.0
    for clip in clips:
        expected: dict[int, np.ndarray] = {}
        for chunk, length in EXCERPT.items():
            samples = clip[len(clip) // 4 :][:length]
            if length not in expected:
                posteriors = identifier.posteriors(torch.from_numpy(samples)[None])[0]
                expected[length] = posteriors[0].numpy()
            offline = expected[length]
            found = largest_difference(feed_clip(stream, samples, chunk), offline)
            largest[chunk] = max(largest[chunk], found)
            spread = max(spread, float(np.ptp(offline, axis=0).max()))
    return largest, spread


def real_clips(release: Path, count: int) -> list[np.ndarray]:
    """Return clips spread over languages and speakers, one a speaker, ``(samples,)`` at 16 kHz."""
    rows = CommonVoice(str(release), LOCALES).read().utterances
    by_speaker = list({row["speaker"]: row for row in rows}.values())
    chosen = np.linspace(0, len(by_speaker) - 1, count).astype(int)
    return [read_audio(Path(by_speaker[row]["path"]), RATE) for row in chosen]


def report(
    clips: list[np.ndarray], networks: list[str], features: str, silence: str
) -> list[Figure]:
    """Print the table and return the figures, one of each runtime."""
    names = [str(chunk) if chunk < WHOLE else "all" for chunk in EXCERPT]
    rows = [["network", "runtime", *names, "range of posteriors"]]
    worst = dict.fromkeys(RUNTIMES, 0.0)
    for network in networks:
        identifier = fitted(network, features, silence, clips[0])
        for runtime, make in RUNTIMES.items():
            if network == BEST_STREAM and runtime == "pt2":
                continue  # torch.export takes the length of its example for the only one
            with tempfile.TemporaryDirectory() as folder:
                stream = make(identifier, Path(folder), clips[0])
                found, spread = differences(identifier, stream, clips)
            worst[runtime] = max(worst[runtime], *found.values())
            cells = [f"{value:.1e}" for value in found.values()]
            rows.append([network, runtime, *cells, f"{spread:.2f}"])
    seconds = sum(map(len, clips)) * 3 / 4 / RATE
    print_table(
        f"largest difference from offline PyTorch by samples a chunk: {len(clips)} clips,"
        f" {seconds:.0f} s (of each 0.25, 0.5 and 1 s for chunks of 1, 37 and 160), features"
        f" {features}, silence {silence} (but of {BEST_STREAM}), random weights; {machine()}",
        rows,
    )
    return [Figure(name, value, TOLERANCE, of_result=True) for name, value in worst.items()]


def main() -> int:
    """Compare and return 0 where all differences keep to the limit, else 1."""
    parser = CommandLine(__doc__, clips=1, networks=f"gru,{BEST_STREAM}")
    default = os.environ.get("LANGID_DATA", str(HERE.parents[1] / "shared" / "data"))
    parser.add_argument("--data", default=default, help=f"folder that holds {RELEASE} ({default})")
    parser.add_argument("--clips", type=int, default=50, help="clips, one a speaker (50)")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="those to compare (all)")
    parser.add_argument("--features", default="mfcc", choices=["mfcc", "log_mel"])
    parser.add_argument("--silence", default="mask", choices=["keep", "mask", "remove", "label"])
    options = parser.options()
    release = Path(options.data).expanduser().resolve() / RELEASE
    networks = options.networks.split(",")
    if not release.is_dir():
        parser.error(f"{release}: no such folder; give the one that holds {RELEASE} by --data")
    if set(networks) - set(NETWORKS):
        parser.error(f"--networks {options.networks}: accepted are {', '.join(NETWORKS)}")
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    clips = real_clips(release, options.clips)
    return verdict(report(clips, networks, options.features, options.silence), options.quick)


if __name__ == "__main__":
    sys.exit(main())
