"""A full training step from stored samples against one from stored features.

Both are ``langid train experiment=gru`` itself, GRU 200 on 128 sequences of 500 frames: from a
store of features, and from one of samples of which each step makes them. Trainings of some steps
take turns. Other load on the machine can only add to a step, so the fastest of each counts; the
medians stand beside it. Features and samples are random: the work is the same.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from train_step import BATCH, BINS, FRAMES, WARM_UP, train, write_store

LIMIT = 1.25
CONTENTS = ("features", "samples")


class Steps:
    """Times of the full steps on whole batches, but for the first of each epoch."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.seconds: list[float] = []
        self.started = 0.0
        self.epoch = -1

    def on_train_batch_end(self, trainer: Any, module: Any, _: Any, batch: Any, __: int) -> None:
        """End a step, which runs from here to here, reading and logging included."""
        now = time.perf_counter()
        if tuple(batch.speech.shape) == self.shape and self.epoch == trainer.current_epoch:
            self.seconds.append(now - self.started)
        self.epoch = trainer.current_epoch
        self.started = time.perf_counter()


def measure(rounds: int, steps: int, batch: int, frames: int) -> dict[str, np.ndarray]:
    """Train from both stores in turns and return the seconds of the steps by content."""
    seconds: dict[str, list[float]] = {content: [] for content in CONTENTS}
    with tempfile.TemporaryDirectory() as folder:
        for content in CONTENTS:
            store = Path(folder) / f"{content}.h5"
            write_store(store, (steps + WARM_UP + 2) * batch, frames, content=content)
        for number in range(rounds):
            for content in CONTENTS:
                counted = Steps((batch, frames))
                train(
                    counted.on_train_batch_end,
                    "experiment=gru",
                    "trainer.accelerator=cpu",
                    f"store={folder}/{content}.h5",
                    f"output={folder}/{content}-{number}",
                    f"data.batch_size={batch}",
                    f"data.sequence_frames={frames}",
                    "trainer.max_epochs=1",
                )
                seconds[content] += counted.seconds[WARM_UP:]
    return {content: np.array(times) for content, times in seconds.items()}


def figures(samples_s: float, features_s: float) -> list[Figure]:
    """Return the figure of the fastest steps."""
    name = "training step from samples against features"
    return [Figure(name, samples_s / features_s, LIMIT, " x")]


def main() -> int:
    """Measure and return 0 where the figure holds, else 1."""
    parser = CommandLine(__doc__, rounds=1, steps=2, batch=32, frames=50)
    parser.add_argument("--rounds", type=int, default=4, help="trainings of each (4)")
    parser.add_argument("--steps", type=int, default=10, help="of each training that count (10)")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"sequences in one ({BATCH})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"in a sequence ({FRAMES})")
    options = parser.options()
    seconds = measure(options.rounds, options.steps, options.batch, options.frames)
    rows = [["from", "steps", "fastest ms", "median ms"]]
    for content, times in seconds.items():
        rows.append(
            [content, f"{len(times)}", f"{times.min() * 1e3:.1f}", f"{np.median(times) * 1e3:.1f}"]
        )
    size = f"{options.batch} x {options.frames} frames of {BINS} bins"
    print_table(f"{size}, GRU 200, {torch.get_num_threads()} threads; {machine()}", rows)
    best = [float(seconds[content].min()) for content in reversed(CONTENTS)]
    return verdict(figures(*best), options.quick)


if __name__ == "__main__":
    sys.exit(main())
