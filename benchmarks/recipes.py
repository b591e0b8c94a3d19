"""Frames a second of whole recipes against a bare PyTorch loop over tensors in memory.

A recipe is ``langid train experiment=NAME`` as it is, with its own batches, augmentation, carried
state, logging and callbacks; the bare loop has the same layers and dropout, and batches of the same
size. They take turns step by step, as in train_step.py; the median of the steps counts. The store
holds random frames, not speech: the work is the same. What changes sound or frames, by masks or
other microphones, is part of a recipe's time, and not of the bare loop's. Where a recipe makes
features of samples, the bare loop makes them too, of samples in memory and by the same module.

With ``--runs`` it also tells, of trainings on real speech that are finished, after how many minutes
each had its best validation figure, as if all its epochs had taken the same time.
"""

import json
import math
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bare_networks import BareStep
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from torch import nn
from torch.nn import functional as F
from train_step import BINS, HOP, WARM_UP, Turns, bare_network, train, write_store

from langid.commands.configuration import compose
from langid.signal.features import Features

# Features and content of the store that each is for, and what it needs beside.
RECIPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gru": ("mfcc", "features", ()),
    "gru_streaming": ("log_mel", "features", ()),
    # From no checkpoint.
    "best_stream": ("log_mel", "samples", ("init.experiment=null", "init.head=null")),
}
LIMIT = 1.15


class OnSamples(nn.Module):
    """A bare network behind langid's features: ``samples (batch, time, samples of a frame)``."""

    def __init__(self, features: Features, network: nn.Module):
        super().__init__()
        self.features, self.network = features, network
        self.context = features.context_frames * features.hop_samples

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        batch, time, _ = frames.shape
        samples = F.pad(frames.flatten(1), (self.context, 0))
        hops = samples.new_full((batch,), time, dtype=torch.long)
        made = self.features.in_context(samples, hops)
        logits: torch.Tensor = self.network(made.reshape(batch, time, -1))
        return logits


def measure(recipe: str, steps: int, smaller: tuple[str, ...]) -> Turns:
    """Train a recipe until so many whole batches count, and return all times."""
    features, content, beside = RECIPES[recipe]
    given = [f"experiment={recipe}", *beside, *smaller]
    config = compose("train", [*given, "store=-"])
    data, stride = config.data, config.model.stride
    longest = math.ceil(data.crop_s[1] * 16000 / HOP) if data.crop_s else data.sequence_frames
    width = stride * (BINS if content == "features" else HOP)
    shape = (data.batch_size, math.ceil(longest / stride), width)

    def bare(module: Any) -> BareStep:
        with warnings.catch_warnings(action="ignore"):  # dropout between layers, of one layer
            network = bare_network("gru", *given)
        if content == "samples":
            network = OnSamples(module.front_end.features, network)
        return BareStep(network, module.loss.weight, module.device, shape)

    turns, batches = Turns(bare, shape), 12
    sequences = (batches + 1) * data.batch_size
    if data.crop_s:  # of which an utterance gives one, and not about 2.2
        sequences = math.ceil(2.2 * sequences)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "random.h5"
        write_store(
            store, sequences, data.sequence_frames, content=content, features=f"features={features}"
        )
        epochs = -(-(steps + WARM_UP) // (batches - 2))
        places = [f"store={store}", f"output={folder}/run", f"trainer.max_epochs={epochs}"]
        train(turns.on_train_batch_end, *given, *places)
    return turns


def report(of: dict[str, Turns], quick: bool) -> int:
    """Print the table and the verdict, and return the exit code."""
    rows = [["", "batch", "steps", "langid frames/s", "bare frames/s", "time"]]
    ratios = {}
    for recipe, turns in of.items():
        full, bare = (float(np.median(times[WARM_UP:])) for times in (turns.full, turns.bare))
        batch, frames = turns.shape[0], int(np.median(turns.frames[WARM_UP:]))
        rates = [f"{batch * frames / seconds:,.0f}" for seconds in (full, bare)]
        ratios[recipe] = full / bare
        counted = f"{len(turns.full) - WARM_UP}"
        rows.append([recipe, f"{batch} x {frames}", counted, *rates, f"{ratios[recipe]:.2f} x"])
    print_table(f"{torch.get_num_threads()} threads; {machine()}", rows)
    return verdict(figures(ratios), quick)


def figures(ratios: dict[str, float]) -> list[Figure]:
    """Return the figure of each recipe's time beside the bare loop's."""
    return [
        Figure(f"{recipe} against bare PyTorch", ratio, LIMIT, " x")
        for recipe, ratio in ratios.items()
    ]


def summary(folder: Path) -> dict[str, Any]:
    """Return what langid train wrote of a run in its folder; nothing where it wrote none."""
    path = folder / "run.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def minutes_to_best(folder: Path) -> list[str]:
    """Return recipe, minutes, epochs, what it was best by, and the fingerprint of a run's data."""
    run = summary(folder)
    epochs, by = run["best"]["epoch"] + 1, run["select"]
    minutes = run["seconds"] / 60 * epochs / run["epochs"]
    best = f"{by} {run['best'][by.removeprefix('val/')]:.3f}"
    return [run["config"]["name"], f"{minutes:.1f}", f"{epochs}", best, run["fingerprint"][:12]]


def main() -> int:
    """Measure and return 0 where the figures hold, else 1."""
    parser = CommandLine(__doc__, steps=2, smaller=["data.batch_size=8", "data.sequence_frames=50"])
    parser.add_argument("--steps", type=int, default=40, help="steps of each that count (40)")
    parser.add_argument(
        "--smaller", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the recipes"
    )
    parser.add_argument("--runs", nargs="*", default=[], type=Path, help="folders of trainings")
    options = parser.options()
    for run in options.runs:
        if (record := summary(run)).get("status") != "finished":
            found = record.get("status", "no run.json")
            parser.error(f"{run}: {found}; --runs takes the folders of finished trainings")
    of = {recipe: measure(recipe, options.steps, tuple(options.smaller)) for recipe in RECIPES}
    if options.runs:
        head = ["", "minutes to its best", "epochs", "by", "data"]
        print_table("on real speech", [head, *map(minutes_to_best, options.runs)])
    return report(of, options.quick)


if __name__ == "__main__":
    sys.exit(main())
