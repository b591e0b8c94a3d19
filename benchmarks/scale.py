"""Rows by the million: time and memory of all that looks at each row, against limits.

A release of Common Voice of so many rows (1.5 million) in three languages, whose clips are names of
a few empty files, is read, hashed and planned, as ``langid prepare`` does before it opens a clip;
then its manifest, as prepare writes it; then a store of it is opened, split by speakers and set up
by LanguageDataModule, and the first batch is drawn. The store's utterances have five seconds on
average; their frames have one bin, as none but those of the batch are looked at. No step opens a
clip. Each of the three ways is a process of its own, and peak memory is the kernel's mark of that;
the processes of joblib that prepare starts are warm beforehand.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import CommandLine
from figures import Figure, machine, print_table, resident_mb, verdict
from scale_corpus import RELEASE, description, write_manifest, write_release, write_store

ROWS, WORKERS = 1_500_000, 2
TIME_LIMIT_S, MEMORY_LIMIT_GB = 60.0, 2.0
COUNTED = ("common_voice", "store")  # whose times together are those of a corpus's way to training


class Steps:
    """Times steps; ``rows`` are name, wall and processor seconds, and peak memory after each."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float, float]] = []

    def take(self, name: str, step: Callable[[], Any]) -> Any:
        """Take a step and return what it returns."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        result = step()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        self.rows.append((name, wall_s, cpu_s, resident_mb(peak=True) / 1e3))
        return result


def plan_of(reader: Any, folder: Path, steps: Steps, workers: int) -> None:
    """Read, hash and plan, as the parent process of ``prepare`` does."""
    from langid.data.from_corpus import get_ready
    from langid.data.plan import make_plan
    from langid.workers import end_workers, start_workers

    list(start_workers(workers, get_ready))
    manifest = steps.take("read", reader.read)
    steps.take("  hash", manifest.sha256)
    store, asked = folder / "new.h5", description()
    steps.take(
        "plan, with it", lambda: make_plan(store, manifest, {}, asked, workers, False, "cpu")
    )
    end_workers()


def common_voice(folder: Path, steps: Steps, workers: int) -> None:
    from langid.corpora.common_voice import CommonVoice

    plan_of(CommonVoice(str(folder / RELEASE)), folder, steps, workers)


def manifest(folder: Path, steps: Steps, workers: int) -> None:
    from langid.corpora.manifest_file import ManifestFile

    plan_of(ManifestFile(folder / "rows.tsv"), folder, steps, workers)


def store(folder: Path, steps: Steps, _: int) -> None:
    from langid.corpora.splits import SpeakerSplit
    from langid.data.datamodule import LanguageDataModule
    from langid.data.store import Store

    path = folder / "rows.h5"
    rows = [steps.take("  open", lambda: Store(path).utterances)]
    steps.take("  split", lambda: SpeakerSplit()(rows.pop()))
    data = steps.take("set up, with both", lambda: LanguageDataModule(path, SpeakerSplit()))
    steps.take("first batch", lambda: next(iter(data.train_dataloader())))


WAYS = {"common_voice": common_voice, "manifest": manifest, "store": store}
Measured = dict[str, list[tuple[str, float, float, float]]]


def measure(rows: int, workers: int, folder: Path) -> Measured:
    """Make the corpus and the store, and go each way in a process of its own."""
    made: dict[str, Callable[[], None]] = {
        "release": lambda: write_release(folder / RELEASE, rows),
        "manifest": lambda: write_manifest(folder / RELEASE, folder / "rows.tsv"),
        "store": lambda: write_store(folder / RELEASE, folder / "rows.h5"),
    }
    for name, make in made.items():
        started = time.perf_counter()
        make()
        print(f"made {name} ({time.perf_counter() - started:.1f} s)", file=sys.stderr, flush=True)
    return {way: _alone(way, workers, folder) for way in WAYS}


def _alone(way: str, workers: int, folder: Path) -> list[tuple[str, float, float, float]]:
    command = [sys.executable, __file__, f"--way={way}", f"--folder={folder}"]
    command.append(f"--workers={workers}")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}")
    return [tuple(row) for row in json.loads(done.stdout.splitlines()[-1])]


def figures(time_s: float, peak_gb: float) -> list[Figure]:
    """Return the figures, of the time in all and of the largest process."""
    return [
        Figure("reading, checking, splitting, planning and set-up", time_s, TIME_LIMIT_S, " s"),
        Figure("peak memory", peak_gb, MEMORY_LIMIT_GB, " GB"),
    ]


def report(measured: Measured, rows: int, quick: bool) -> int:
    """Print the table and the verdict, and return the exit code; parts of others are indented."""
    table = [["", "", "wall s", "cpu s", "peak GB"]]
    for way, steps in measured.items():
        for name, wall_s, cpu_s, peak_gb in steps:
            table.append([way, name, f"{wall_s:.1f}", f"{cpu_s:.1f}", f"{peak_gb:.2f}"])
    print_table(f"{rows} rows; {machine()}", table)
    counted = [step for way in COUNTED for step in measured[way] if not step[0].startswith(" ")]
    peak_gb = max(step[-1] for steps in measured.values() for step in steps)
    return verdict(figures(sum(wall_s for _, wall_s, *_ in counted), peak_gb), quick)


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, rows=3000, workers=1)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the corpus ({ROWS})")
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"of prepare ({WORKERS})")
    parser.add_argument("--folder", type=Path, help="where to make it (a temporary folder)")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.options()
    if options.way:
        steps = Steps()
        WAYS[options.way](options.folder, steps, options.workers)
        print(json.dumps(steps.rows))
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measured = measure(options.rows, options.workers, Path(folder))
        return report(measured, options.rows, options.quick)


if __name__ == "__main__":
    sys.exit(main())
