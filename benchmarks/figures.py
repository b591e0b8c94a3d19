"""What every benchmark ends with: a table, and figures against their limits."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A measured value and its limit, a highest one unless ``at_least``.

    A figure of a result (``of_result``) is right or wrong however little was measured; others are
    of speed and memory, about which a quick run says nothing.
    """

    name: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False
    of_result: bool = False

    @property
    def holds(self) -> bool:
        """Whether the value keeps to its limit; one that is not a number does not."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self, quick: bool = False) -> str:
        """Return name, value, limit, and whether it holds."""
        bound = "at least" if self.at_least else "at most"
        state = "holds" if self.holds else "DOES NOT HOLD"
        if quick and not self.of_result:
            state = "not judged"
        value, limit = f"{self.value:.3g}{self.unit}", f"{self.limit:g}{self.unit}"
        return f"{self.name} {value} (limit {bound} {limit}: {state})"


def verdict(figures: Sequence[Figure], quick: bool = False) -> int:
    """Print the figures on one line, the last of a benchmark, and return the exit code."""
    print("; ".join(figure.line(quick) for figure in figures), flush=True)
    return exit_code(figures, quick)


def exit_code(figures: Sequence[Figure], quick: bool = False) -> int:
    """Return 0 where all figures hold or the run was a quick one, else 1."""
    return 0 if quick or all(figure.holds for figure in figures) else 1


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells, the first row being the header, in columns of even width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(title)
    for row in rows:
        first, *others = (
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([f"  {first}", *others]))


def machine() -> str:
    """Return what a figure depends on besides the code."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}{load}"


def resident_mb(peak: bool = False) -> float:
    """Return the resident memory of this process, or the most that it ever was, in MB.

    Read from /proc, where the mark begins with the process: ru_maxrss is inherited from the parent.
    """
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name)) / 1e3
