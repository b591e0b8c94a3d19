"""A pretrained encoder in langid against plain transformers, on the same real clips.

A clip of about 5 s on one thread, by langid's features and by the exported file with encoder and
head, beside a forward of Whisper's encoder with the 30 s of padding that its own detection pays;
they take turns, and the medians of clips count. Then langid prepare beside a plain loop (decode,
resample, extractor and forward of each clip in its own length, float16 to HDF5), both commands with
as many processes, timed from start to end in turns. Needs the Common Voice 6.1 sample and the
encoder of Whisper base.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from plain_pretrained import SAMPLE_RATE, states
from prepare import HERE, RELEASE, SINGLE_THREAD, timed
from random_model import random_identifier

from langid.audio.decode import read_audio
from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, write_table
from langid.export.windowed import export_offline
from langid.streaming.samples import whole_hops
from langid.streaming.windowed_model import WindowedModel

CLIP_LIMIT, LOOP_LIMIT = 0.15, 1.10
ENCODER = "whisper-base-encoder"
LOCALES = ("en", "hi", "zh-CN")
ABOUT_S = (4.5, 5.5)

Clips = Sequence[np.ndarray]


def ways_of(
    encoder: Path, layer: str, clips: Clips, folder: Path
) -> dict[str, Callable[[np.ndarray], Any]]:
    """Return what takes a clip: langid's features, the exported file, transformers."""
    identifier = random_identifier(
        "linear_probe", features="pretrained", encoder=encoder, layer=layer
    )
    features, path = identifier.front_end.features, folder / "model.onnx"
    export_offline(identifier, path, [clips[0][:SAMPLE_RATE]], 5.0, 0.5)
    model, hop = WindowedModel(path), features.hop_samples
    return {
        "langid's features": lambda clip: features(torch.from_numpy(clip)[None]),
        "exported file, with head": lambda clip: model.process(whole_hops(clip, hop)[None]),
        "transformers, 30 s of padding": lambda clip: states(encoder, clip, padded=True),
    }


def clip_seconds(ways: dict[str, Callable[[np.ndarray], Any]], clips: Clips) -> dict[str, float]:
    """Return the median time of a clip by each way, in turns, after a clip to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for clip in (clips[0], *clips):
        for name, way in ways.items():
            began = time.perf_counter()
            way(clip)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken[1:]) for name, taken in seconds.items()}


def prepare_seconds(
    encoder: Path, rows: Sequence[dict[str, str]], options: argparse.Namespace
) -> tuple[float, float]:
    """Return the median seconds of langid prepare and of the loop, after a round to warm up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_table(rows, COLUMNS, folder / "clips.tsv")
            listing = folder / "clips.txt"
            listing.write_text("".join(f"{row['path']}\n" for row in rows), encoding="utf-8")
            langid = [sys.executable, "-m", "langid", "prepare", "corpus=manifest",
                      f"corpus.path={folder}/clips.tsv", f"store={folder}/states.h5",
                      "features=pretrained", f"features.encoder={encoder}",
                      f"features.layer={options.layer}",
                      f"workers={options.processes}"]  # fmt: skip
            plain = [sys.executable, HERE / "plain_pretrained.py", encoder, listing,
                     folder / "plain.h5", "--processes", options.processes]  # fmt: skip
            for taken, command in zip(seconds, (langid, plain), strict=True):
                taken.append(timed(command, **SINGLE_THREAD).wall_s)
    langid_s, plain_s = (statistics.median(taken[1:] or taken) for taken in seconds)
    return langid_s, plain_s


def figures(
    features_s: float, file_s: float, padded_s: float, langid_s: float, plain_s: float
) -> list[Figure]:
    """Return the figures of a clip's seconds by each way, and of prepare's and the loop's."""
    return [
        Figure("features against 30 s of padding", features_s / padded_s, CLIP_LIMIT, " x"),
        Figure("exported file against 30 s of padding", file_s / padded_s, CLIP_LIMIT, " x"),
        Figure("prepare against a plain loop", langid_s / plain_s, LOOP_LIMIT, " x"),
    ]


def options_of() -> tuple[argparse.Namespace, list[dict[str, str]]]:
    """Return the options, and the rows of the clips of the sample, evenly spread."""
    parser = CommandLine(__doc__, clips=1, prepared=2, rounds=1, processes=1, layer="1")
    shared = HERE.parents[1] / "shared"
    data = os.environ.get("LANGID_DATA", shared / "data")
    models = os.environ.get("LANGID_MODELS", shared / "models")
    parser.add_argument("--data", type=Path, default=Path(data), help="folder of the release")
    parser.add_argument("--models", type=Path, default=Path(models), help="folder of the encoder")
    parser.add_argument("--clips", type=int, default=15, help="clips of about 5 s (15)")
    parser.add_argument("--layer", default="last", help="whose states langid gives (last)")
    parser.add_argument("--prepared", type=int, default=256, help="clips to prepare (256)")
    parser.add_argument("--processes", type=int, default=2, help="of prepare and the loop (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, the first to warm up (3)")
    options = parser.options()
    for folder in (options.data / RELEASE, options.models / ENCODER):
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder; give it by --data and --models")
    rows = CommonVoice(str(options.data / RELEASE), LOCALES).read().utterances
    return options, rows


def spread(rows: Sequence[Any], count: int) -> list[Any]:
    """Return so many of the rows, evenly spread."""
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, count)]


def main() -> int:
    """Measure, print what was found, and return 0 where all figures hold, else 1."""
    options, rows = options_of()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = (options.models / ENCODER).resolve()
    read = (read_audio(row["path"], SAMPLE_RATE) for row in spread(rows, 16 * options.clips))
    fitting = (clip for clip in read if ABOUT_S[0] <= len(clip) / SAMPLE_RATE <= ABOUT_S[1])
    clips = [clip for clip, _ in zip(fitting, range(options.clips), strict=False)]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        seconds = clip_seconds(ways_of(encoder, options.layer, clips, Path(folder)), clips)
    *_, padded_s = seconds.values()
    table = [["", "s", "of the padded"]]
    table += [[name, f"{s:.3f}", f"{s / padded_s:.3f} x"] for name, s in seconds.items()]
    print_table(f"a clip of {len(clips)} of about 5 s, one thread; {machine()}", table)
    prepared = prepare_seconds(encoder, spread(rows, options.prepared), options)
    names = ("langid prepare", "plain loop")
    table = [["", "s"], *([name, f"{s:.1f}"] for name, s in zip(names, prepared, strict=True))]
    print_table(f"{options.prepared} clips, {options.processes} processes", table)
    return verdict(figures(*seconds.values(), *prepared), options.quick)


if __name__ == "__main__":
    sys.exit(main())
