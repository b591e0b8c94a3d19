"""The files of benchmarks/, as they are when they run as scripts."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest

from ..conftest import Once
from ..demo.page.conftest import require_chromium

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
REFERENCES = (
    "plain_prepare",
    "plain_predict",
    "plain_pretrained",
)  # scripts that a benchmark starts, and that are none themselves
NAMES = [
    path.stem
    for path in sorted(BENCHMARKS.glob("*.py"))
    if 'if __name__ == "__main__":' in path.read_text() and path.stem not in REFERENCES
]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a file of benchmarks/, as it is when it runs as a script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


Quick = Callable[[str], str]


@pytest.fixture
def quick(once: Once, data_root: Path) -> Quick:
    """Return a function that gives what a benchmark prints under --quick; it must exit with 0.

    Each runs once, in a process of its own.
    """

    def run(name: str) -> str:
        if name == "parity_browser":
            require_chromium()

        def start(folder: Path) -> None:
            variables = os.environ | {"LANGID_DATA": str(data_root)}
            done = forked.run([BENCHMARKS / f"{name}.py", "--quick"], env=variables)
            assert done.returncode == 0, done.stderr
            (folder / "printed.txt").write_text(done.stdout)

        return (once(f"quick-{name}", start) / "printed.txt").read_text()

    return run
