"""Training with each network of langid against a bare PyTorch loop with the same layers.

The full step is ``langid train model=NAME`` itself, run in this process: frames from the store on
disk, through LanguageDataModule and Lightning's Trainer, with logging and all callbacks. The bare
step is a network of the same layers in plain torch.nn (bare_networks.py) with the same class
weights, clipping and Adam, on normalised batches in memory; both must have the same number of
parameters. They take turns step by step, so that other load on the machine hits both alike, and
the median of the ratios counts. All sequences are whole: what langid does to keep padding out is
in its time, and the bare loop does not do it.

Peak memory is that of a few steps of each in a process of its own: on a GPU the most that torch
had allocated there, else the kernel's mark of resident memory less what was resident before, when
a tiny run had loaded everything. The batches are in it on both sides. The store holds random
frames, not speech: the work is the same.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from bare_networks import NETWORKS, BareStep
from command_line import CommandLine
from figures import Figure, exit_code, machine, print_table, resident_mb, verdict
from torch import nn
from train_step import BINS, LANGUAGES, LIMIT, Turns, bare_network, train, write_store

WARM_UP = 2
MEMORY_STEPS = 4
# glibc gives larger blocks back when they are freed, so that the peak is of what was in use.
RETURNED = {"MALLOC_MMAP_THRESHOLD_": "131072"}
# As wide as published these two take seconds a step on two cores.
NARROWER = {
    "conformer": ("model.network.layers=2",),
    "ecapa_tdnn": ("model.network.channels=128", "model.network.aggregated=384"),
}
PRECISIONS = ("32-true", "bf16-mixed")


@dataclass(frozen=True)
class Work:
    """What is measured: a network, its overrides, and batches of ``batch`` times ``frames``."""

    network: str
    precision: str
    accelerator: str
    batch: int
    frames: int
    overrides: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the shape of a batch, ``(batch, time, bins)``."""
        return self.batch, self.frames, BINS

    def train(
        self, store: Path, output: Path, steps: int, on_batch_end: Callable[..., None]
    ) -> None:
        """Train for so many steps on a store; see ``train_step.train``."""
        train(
            on_batch_end,
            f"model={self.network}",
            f"store={store}",
            f"output={output}",
            f"data.sequence_frames={self.frames}",
            f"data.batch_size={self.batch}",
            f"trainer.accelerator={self.accelerator}",
            f"trainer.precision={self.precision}",
            "trainer.max_epochs=1",
            f"+trainer.limit_train_batches={steps}",
            *self.overrides,
        )

    def bare_network(self) -> nn.Module:
        """Return the network in plain torch.nn."""
        return bare_network(self.network, f"model={self.network}", *self.overrides)

    def bare_step(self, weight: torch.Tensor, device: torch.device) -> BareStep:
        """Return the bare step on a device, with the loss weights ``(classes,)``."""
        return BareStep(self.bare_network(), weight, device, self.shape, self.precision)


@dataclass(frozen=True)
class Measured:
    """What came out for one network, in seconds a step and in MB."""

    network: str
    precision: str
    overrides: Sequence[str]
    parameters: int
    langid_frames_s: float
    bare_frames_s: float
    time_ratio: float
    langid_mb: float
    bare_mb: float


def in_turns(work: Work, store: Path, steps: int, output: Path) -> tuple[int, Turns]:
    """Return the number of parameters, the same of both, and the times of their steps in turn."""
    counts: list[int] = []

    def bare(module: Any) -> BareStep:
        step = work.bare_step(module.loss.weight, module.device)
        counts.extend(map(_parameters, (module, step.network)))
        return step

    turns = Turns(bare, work.shape)
    work.train(store, output, WARM_UP + 1 + steps, turns.on_train_batch_end)
    if counts[0] != counts[1]:
        raise SystemExit(f"{work.network}: {counts[0]} parameters, but {counts[1]} without langid")
    return counts[0], turns


def measure(work: Work, stores: Sequence[Path], steps: int, output: Path) -> Measured:
    """Time the steps of both in turn, and then take the memory of each in a process of its own.

    ``stores`` are one for the time and one for the memory.
    """
    parameters, turns = in_turns(work, stores[0], steps, output)
    full_s, bare_s = turns.full[WARM_UP:], turns.bare[WARM_UP:]
    frames = work.batch * work.frames
    return Measured(
        work.network,
        work.precision,
        work.overrides,
        parameters,
        frames / statistics.median(full_s),
        frames / statistics.median(bare_s),
        statistics.median(full / bare for full, bare in zip(full_s, bare_s, strict=True)),
        _alone("langid", work, stores[1]),
        _alone("bare", work, stores[1]),
    )


def measure_all(works: Sequence[Work], steps: int) -> list[Measured]:
    """Measure one after the other, on stores of whole batches, for so many steps each."""
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        stores = [Path(folder) / name for name in ("time.h5", "memory.h5")]
        batch, frames, _ = works[0].shape
        for store, batches in zip(stores, (steps + WARM_UP + 2, MEMORY_STEPS + 1), strict=True):
            write_store(store, batches * batch, frames, whole=True)
        for number, work in enumerate(works):
            print(f"{work.network} {work.precision} ...", file=sys.stderr, flush=True)
            measured.append(measure(work, stores, steps, Path(folder) / str(number)))
    return measured


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _alone(side: str, work: Work, store: Path) -> float:
    """Return the peak memory in MB of ``langid`` or ``bare``, from a process of its own."""
    command = [sys.executable, __file__, f"--memory={side}", f"--store={store}"]
    command += [f"--networks={work.network}", f"--precision={work.precision}"]
    command += [f"--accelerator={work.accelerator}", f"--batch={work.batch}"]
    command += [f"--frames={work.frames}", f"--threads={torch.get_num_threads()}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | RETURNED)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}")
    return float(done.stdout.split()[-1])


def peak_memory(side: str, work: Work, store: Path) -> float:
    """Return the most memory in MB that a few steps of ``langid`` or ``bare`` take here."""
    with tempfile.TemporaryDirectory() as folder:  # a tiny run loads all that is ever imported
        tiny = replace(work, batch=2, frames=10)
        tiny.train(store, Path(folder) / "run", 1, lambda *_: None)
    before, peaks = resident_mb(), []

    def note(*_: Any) -> None:
        if work.accelerator == "gpu":
            peaks.append(torch.cuda.max_memory_allocated() / 1e6)
        else:
            peaks.append(resident_mb(peak=True) - before)

    if side == "langid":
        with tempfile.TemporaryDirectory() as folder:
            work.train(store, Path(folder) / "run", MEMORY_STEPS, note)
    else:
        device = torch.device("cuda" if work.accelerator == "gpu" else "cpu")
        step = work.bare_step(torch.ones(len(LANGUAGES)), device)
        for _ in range(MEMORY_STEPS):
            step.step()
        note()
    return peaks[-1]


def report(measured: Sequence[Measured], title: str, quick: bool = False) -> int:
    """Print the table and the verdict, and return the exit code."""
    rows = [
        ["", "precision", "parameters", "langid frames/s", "bare frames/s", "time",
         "langid MB", "bare MB", "memory", "overrides"]
    ]  # fmt: skip
    for one in measured:
        rates = [f"{rate:,.0f}" for rate in (one.langid_frames_s, one.bare_frames_s)]
        memory = [f"{peak:.0f}" for peak in (one.langid_mb, one.bare_mb)]
        rows.append(
            [one.network, one.precision, f"{one.parameters:,}", *rates, f"{one.time_ratio:.2f} x",
             *memory, f"{one.langid_mb / one.bare_mb:.2f} x", " ".join(one.overrides)]
        )  # fmt: skip
    print_table(title, rows)
    return verdict(figures(measured), quick)


def figures(measured: Sequence[Measured]) -> list[Figure]:
    """Return the ratios of time and of memory, of every network and precision."""
    return [
        Figure(f"{one.network} {one.precision} {what}", ratio, LIMIT, " x")
        for one in measured
        for what, ratio in (("time", one.time_ratio), ("memory", one.langid_mb / one.bare_mb))
    ]


def missing_gpu(accelerator: str) -> str:
    """Return why the accelerator cannot be measured on, nothing if it can."""
    if accelerator == "gpu" and not torch.cuda.is_available():
        return f"skipped: torch {torch.__version__} finds no CUDA device"
    return ""


def parsed() -> argparse.Namespace:
    """Return the options of the command line, with ``works``, what they say to measure."""
    parser = CommandLine(__doc__, networks="gru", steps=2, batch=8, frames=50)
    names = ",".join(NETWORKS)
    parser.add_argument("--networks", default=names, help=f"which to measure ({names})")
    parser.add_argument("--steps", type=int, default=12, help="steps of each that count (12)")
    parser.add_argument("--batch", type=int, default=32, help="sequences in a batch (32)")
    parser.add_argument("--frames", type=int, default=300, help="frames in a sequence (300)")
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu", help="(cpu)")
    parser.add_argument(
        "--precision",
        default=PRECISIONS[0],
        help=f"one or both of {','.join(PRECISIONS)}; not every CPU has an LSTM in bf16",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--memory", choices=("langid", "bare"), help="print that of one and end")
    parser.add_argument("--store", type=Path, help="store of --memory=langid")
    parser.add_argument("--threads", type=int, help="threads of torch (one a core)")
    options = parser.options()
    names, precisions = options.networks.split(","), options.precision.split(",")
    for given, accepted in ((names, tuple(NETWORKS)), (precisions, PRECISIONS)):
        if unknown := sorted(set(given) - set(accepted)):
            parser.error(f"unknown: {', '.join(unknown)}; accepted are {', '.join(accepted)}")
    options.works = [
        Work(name, precision, options.accelerator, options.batch, options.frames,
             NARROWER.get(name, ()) if options.accelerator == "cpu" else ())
        for precision in precisions
        for name in names
    ]  # fmt: skip
    return options


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    options = parsed()
    if reason := missing_gpu(options.accelerator):
        print(reason)
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.memory:
        print(peak_memory(options.memory, options.works[0], options.store))
        return 0
    measured = measure_all(options.works, options.steps)
    where = machine() if options.accelerator == "cpu" else torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    title = f"{options.steps} steps of {options.batch} x {options.frames} frames, {threads} threads"
    if options.json:
        print(json.dumps({"title": f"{title}; {where}", "networks": list(map(asdict, measured))}))
        return exit_code(figures(measured), options.quick)
    return report(measured, f"{title}; {where}", options.quick)


if __name__ == "__main__":
    sys.exit(main())
