"""The files of benchmarks/, as they are when they run as scripts."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
def quick(once: Once, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Quick:
    """Return a function that gives what a benchmark prints under --quick; it must exit with 0.

    Each runs once, in a process of its own.
    """
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    run_script = importlib.import_module("forked").run_script  # by a name that processes find too

    def run(name: str) -> str:
        if name == "parity_browser":
            require_chromium()

        def start(folder: Path) -> None:
            script, printed = BENCHMARKS / f"{name}.py", folder / "printed.txt"
            code = run_script(script, ["--quick"], printed, {"LANGID_DATA": str(data_root)})
            assert code == 0, printed.with_suffix(".errors").read_text()

        return (once(f"quick-{name}", start) / "printed.txt").read_text()

    return run
