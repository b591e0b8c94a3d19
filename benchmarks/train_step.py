"""A full training step of langid against a bare PyTorch loop over tensors in memory.

The full step is ``langid train experiment=gru`` itself, run in this process with its defaults:
frames from the store on disk, through LanguageDataModule and Lightning's Trainer, with logging and
all callbacks. The bare step is the same GRU 200 in plain torch.nn with the same class weights,
clipping and Adam, on normalised batches in memory. Both take 128 sequences of 500 frames and the
same number of threads. They take turns step by step, so that other load on the machine hits both
alike; the median of the steps counts. The store holds random frames, not speech: the work is the
same.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from bare_networks import NETWORKS, BareStep
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from omegaconf import OmegaConf
from torch import nn

from langid.commands.configuration import compose
from langid.commands.main import main as langid
from langid.corpora.manifest import COLUMNS
from langid.data.store import SCHEMA, Content
from langid.data.store_writer import StoreWriter
from langid.training.callbacks import EpochLine

LANGUAGES = ("English", "Hindi", "Mandarin")
BINS, HOP, FRAMES, BATCH = 64, 160, 500, 128
WARM_UP = 5
LIMIT = 1.10


def write_store(
    path: Path,
    sequences: int,
    frames: int = FRAMES,
    whole: bool = False,
    content: str = "features",
    features: str = "features=mfcc",
) -> None:
    """Write a store of random frames, or of samples, of about so many sequences of ``frames``.

    Utterances are 1 to 2.5 sequences long, so that the last one of each is shorter; where ``whole``
    they are 2 long, and none is. ``features`` is the override that says of which kind they are.
    """
    random = np.random.default_rng(0)
    lengths = random.integers(frames, frames * 5 // 2, size=max(90, int(sequences / 2.2)))
    if whole:
        lengths[:] = 2 * frames
    config = compose("prepare", ["corpus=folders", features])
    description = {
        "features": OmegaConf.to_container(config.features),
        "detector": OmegaConf.to_container(config.detector),
        "corpora": [],
        "sample_rate": 16000,
        "hop_samples": HOP,
        "bins": BINS,
        "context_frames": 2,
    }
    kinds = {"features": Content("features", BINS), "samples": Content("samples", HOP, "int16")}
    with StoreWriter(path, kinds[content], int(lengths.sum())) as writer:
        for number, length in enumerate(lengths):
            loudness = np.cumsum(random.standard_normal(length)) / 10  # speech comes in runs
            if content == "features":
                values = random.standard_normal((length, BINS), np.float32)
            else:
                values = random.integers(-9000, 9000, length * HOP, np.int16)
            writer.write_frames(values, loudness < 1)
            row = {
                "utterance_id": f"random/{number}",
                "language": LANGUAGES[number % len(LANGUAGES)],
                "speaker": f"{number // 6}",
                "duration_s": f"{length / 100:.2f}",
                "corpus": "random",
            }
            writer.end_utterance(dict.fromkeys(COLUMNS, "") | row)
        text = json.dumps(description)
        writer.finish({"schema": SCHEMA, "description": text, "fingerprint": "random"})


class Turns:
    """Takes a bare step after every full one, and times both.

    ``bare`` makes the bare step for the module that is trained; ``shape`` is that of its batches,
    ``(batch, time, bins)``. Batches of as many sequences count, and the bare step takes as many
    frames of each as there are in them, which ``frames`` tells.
    """

    def __init__(self, bare: Callable[[Any], BareStep], shape: tuple[int, int, int]) -> None:
        self.make_bare = bare
        self.shape = shape
        self.full: list[float] = []
        self.bare: list[float] = []
        self.frames: list[int] = []
        self.bare_step: BareStep | None = None
        self.started = 0.0
        self.epoch = -1

    def on_train_batch_end(self, trainer: Any, module: Any, _: Any, batch: Any, __: int) -> None:
        """End a full step, take a bare one, and start the next full one.

        The time of a full step runs from here to here, so that reading the batch, logging and all
        callbacks are in it. The first step of an epoch is left out: validation lies before it.
        """
        now = _now(module.device)
        if self.bare_step is None:
            self.bare_step = self.make_bare(module)
        sequences, frames = batch.speech.shape
        whole = sequences == self.shape[0]  # the last of an epoch may be smaller
        counts = whole and self.epoch == trainer.current_epoch
        bare_s = _seconds(partial(self.bare_step.step, frames), module.device)
        if counts:
            self.full.append(now - self.started)
            self.bare.append(bare_s)
            self.frames.append(frames)
        self.epoch = trainer.current_epoch
        self.started = _now(module.device)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """Return the seconds of some work, done without the deterministic mode that langid sets."""
    mode = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    started = _now(device)
    work()
    taken = _now(device) - started
    torch.use_deterministic_algorithms(mode)
    return taken


def bare_network(name: str, *overrides: str) -> nn.Module:
    """Return the network that ``langid train`` takes under ``overrides``, in plain torch.nn."""
    model = compose("train", ["store=-", *overrides]).model
    arguments: Any = OmegaConf.to_container(model.network, resolve=True)
    del arguments["_target_"]
    return NETWORKS[name](BINS * model.stride, len(LANGUAGES), **arguments)


def train(on_batch_end: Callable[..., None], *overrides: str) -> None:
    """Run ``langid train`` in this process; ``on_batch_end`` is called where callbacks are.

    It gets trainer, module, outputs, batch and its number. Raises SystemExit where training fails.
    """
    with (
        mock.patch.object(EpochLine, "on_train_batch_end", staticmethod(on_batch_end)),
        contextlib.redirect_stdout(io.StringIO()) as output,
    ):
        code = langid(["train", *overrides, "split.fractions=[0.96,0.02,0.02]"])
    if code:
        raise SystemExit(f"langid train failed with {code}: {output.getvalue()}")


def measure(steps: int, batch_store: int, batch: int, frames: int) -> Turns:
    """Train on a store of ``batch_store`` batches for so many steps, and return all times."""
    shape = (batch, frames, BINS)

    def bare_gru(module: Any) -> BareStep:
        network = bare_network("gru", "experiment=gru")
        return BareStep(network, module.loss.weight, module.device, shape)

    turns = Turns(bare_gru, shape)
    epochs = -(-(steps + WARM_UP) // (batch_store - 1))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "random.h5"
        write_store(store, (batch_store + 1) * batch, frames)
        train(
            turns.on_train_batch_end,
            "experiment=gru",
            f"store={store}",
            f"output={folder}/run",
            f"data.batch_size={batch}",
            f"data.sequence_frames={frames}",
            f"trainer.max_epochs={epochs}",
        )
    return turns


def report(turns: Turns, quick: bool) -> int:
    """Print the table and the verdict, and return the exit code."""
    full, bare = (np.array(times[WARM_UP:]) for times in (turns.full, turns.bare))
    rows = [["", "steps", "median ms", "p10", "p90"]]
    for name, times in (("langid train, full step", full), ("bare PyTorch", bare)):
        cells = [f"{value * 1e3:.1f}" for value in np.percentile(times, (50, 10, 90))]
        rows.append([name, f"{len(times)}", *cells])
    batch, frames, _ = turns.shape
    title = f"{batch} x {frames} frames, GRU 200, {torch.get_num_threads()} threads; {machine()}"
    print_table(title, rows)
    return verdict(figures(float(np.median(full)), float(np.median(bare))), quick)


def figures(full_s: float, bare_s: float) -> list[Figure]:
    """Return the figure of the medians of both steps."""
    return [Figure("full training step against bare PyTorch", full_s / bare_s, LIMIT, " x")]


def main() -> int:
    """Measure and return 0 where the figure holds, else 1."""
    parser = CommandLine(__doc__, steps=2, batches=4, batch=32, frames=50)
    parser.add_argument("--steps", type=int, default=40, help="steps of each that count (40)")
    parser.add_argument("--batches", type=int, default=25, help="batches in the store (25)")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"sequences in one ({BATCH})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"in a sequence ({FRAMES})")
    options = parser.options()
    turns = measure(options.steps, options.batches, options.batch, options.frames)
    return report(turns, options.quick)


if __name__ == "__main__":
    sys.exit(main())
