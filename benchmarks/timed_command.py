"""A command run to its end: seconds, and the peak memory of its largest process."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Run:
    """One command: wall and processor seconds, peak memory of its largest process, its output."""

    wall_s: float
    cpu_s: float
    peak_gb: float
    output: str


class PeakMemory(threading.Thread):
    """Watches the resident memory of a process and of all that it starts, through /proc."""

    def __init__(self, session: int):
        super().__init__(daemon=True)
        self.session = session
        self.peak_gb = 0.0
        self.done = threading.Event()

    def run(self) -> None:
        """Look ten times a second; the kernel keeps each process's peak between two looks."""
        while not self.done.wait(0.1):
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    if os.getsid(int(status.parent.name)) == self.session:
                        self.peak_gb = max(self.peak_gb, _peak_gb(status.read_text()))
                except (OSError, ValueError):  # it has ended
                    continue


def _peak_gb(status: str) -> float:
    lines = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return sum(int(line.split()[1]) for line in lines) / 1e6


def timed(command: Sequence[object], **environment: str) -> Run:
    """Run a command to its end and return what it took; raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )
    memory = PeakMemory(process.pid)
    memory.start()
    output, _ = process.communicate()
    wall_s = time.perf_counter() - started
    memory.done.set()
    memory.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    largest_gb = after.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    return Run(wall_s, cpu_s, memory.peak_gb or largest_gb, output)
