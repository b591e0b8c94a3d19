"""langid predict of many clips against a plain joblib loop, with a model of whole utterances.

Both are commands with the same number of processes, timed from start to end in turns; the medians
count. The plain loop decodes with soundfile, resamples with soxr, rounds to 16 bits, and gives each
clip to a session of onnxruntime on the same file, on one thread a process. What both say of every
clip is compared. Weights are random, which changes nothing of the work; clips are those of the
Common Voice 6.1 sample, again and again where there are too few. With ``--encoder`` the model is a
linear probe on a pretrained encoder, whose files lie in ``--models``.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from prepare import HERE, RELEASE, SINGLE_THREAD, timed
from random_model import random_identifier
from synthetic_sound import synthetic_sound

from langid.export.windowed import export_offline

TIME_LIMIT, SAME = 1.10, 1e-3
WINDOW_S, HOP_S = 5.0, 0.5


def write_model(path: Path, network: str, encoder: Path | None) -> None:
    """Write a network of ``model=`` with random weights, or a linear probe on an encoder."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    identifier = random_identifier(network)
    if encoder is not None:
        identifier = random_identifier("linear_probe", features="pretrained", encoder=encoder)
    export_offline(identifier, path, [synthetic_sound(3.0)], WINDOW_S, HOP_S)


def measure(
    model: Path, clips: Sequence[Path], options: argparse.Namespace
) -> tuple[list[float], list[float], float]:
    """Return the seconds of each round of langid and of the loop, and the largest difference."""
    # A file of paths: a thousand of them are too long for one argument of a command.
    listing = model.with_name("clips.txt")
    listing.write_text("".join(f"{clip}\n" for clip in clips), encoding="utf-8")
    folder = model.with_name("clips")
    folder.mkdir()
    for number, clip in enumerate(clips):
        (folder / f"{number:06d}{clip.suffix}").symlink_to(clip)
    langid = [sys.executable, "-m", "langid", "predict", f"model={model}", f"audio={folder}",
              f"workers={options.processes}", "json=true"]  # fmt: skip
    plain = [sys.executable, HERE / "plain_predict.py", model, listing,
             "--processes", options.processes]  # fmt: skip
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.rounds):
        runs = [timed(command, **SINGLE_THREAD) for command in (langid, plain)]
        for taken, run in zip(seconds, runs, strict=True):
            taken.append(run.wall_s)
    ours, theirs = ([json.loads(line) for line in run.output.splitlines()] for run in runs)
    pairs = zip(ours, theirs, strict=True)
    difference = max(
        abs(own - other)
        for line, posteriors in pairs
        for own, other in zip(line["posteriors"].values(), posteriors, strict=True)
    )
    return *seconds, difference


def figures(langid_s: float, plain_s: float, difference: float) -> list[Figure]:
    """Return the figures of the seconds of both and the largest difference of a posterior."""
    return [
        Figure("against a plain loop", langid_s / plain_s, TIME_LIMIT, " x"),
        Figure("largest difference of a posterior", difference, SAME, of_result=True),
    ]


def main() -> int:
    """Measure, print what was found, and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, model="bigru", clips=8, rounds=1)
    data = os.environ.get("LANGID_DATA", HERE.parents[1] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(data), help="folder of the release")
    parser.add_argument("--model", default="ecapa_tdnn", help="option of model= (ecapa_tdnn)")
    models = os.environ.get("LANGID_MODELS", HERE.parents[1] / "shared" / "models")
    parser.add_argument("--models", type=Path, default=Path(models), help="folder of the encoder")
    parser.add_argument("--encoder", help="folder in --models, whisper-base-encoder, say")
    parser.add_argument("--clips", type=int, default=1000, help="clips to hear (1000)")
    parser.add_argument("--processes", type=int, default=2, help="of both (2)")
    parser.add_argument("--rounds", type=int, default=2, help="rounds of each (2)")
    options = parser.options()
    found = sorted((options.data / RELEASE).glob("*/clips/*.mp3"))
    if not found:
        parser.error(f"--data {options.data}: no clips of {RELEASE} there")
    encoder = None
    if options.encoder is not None and not (encoder := options.models / options.encoder).is_dir():
        parser.error(f"{encoder}: no such folder; give it by --models and --encoder")
    every = max(1, len(found) // options.clips)  # of all languages
    clips = list(itertools.islice(itertools.cycle(found[::every]), options.clips))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        write_model(model, options.model, encoder)
        langid_s, plain_s, difference = measure(model, clips, options)
    rows = [["", "median s", "fastest s", "clips/s"]]
    for name, seconds in (("langid predict", langid_s), ("plain loop", plain_s)):
        median = statistics.median(seconds)
        speed = f"{len(clips) / median:.1f}"
        rows.append([name, f"{median:.1f}", f"{min(seconds):.1f}", speed])
    print_table(f"{options.encoder or options.model}, {len(clips)} clips, {machine()}", rows)
    medians = (statistics.median(seconds) for seconds in (langid_s, plain_s))
    return verdict(figures(*medians, difference), options.quick)


if __name__ == "__main__":
    sys.exit(main())
