"""One round of faults of experiments/faults/faults.py that nothing else does so really."""

import importlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def faults() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "experiments" / "faults"))
        yield importlib.import_module("faults")


@pytest.fixture(scope="module")
def bench(faults: Any, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return faults.Bench(
        tmp_path_factory.mktemp("bench"), str(data_root / "cv-corpus-6.1-2020-12-11")
    )


@pytest.mark.parametrize("name", ["clock", "disk_full", "read_by_eight"])
def test_nothing_is_lost(faults: Any, bench: Any, name: str, tmp_path: Path) -> None:
    if name != "clock":
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("this user cannot mount a tmpfs")
        subprocess.run(["umount", str(tmp_path)], check=True)
    bench.random.seed(1)  # a disk of a third of the store
    found = getattr(faults, name)(bench)
    if name == "disk_full":
        assert "no space left" in found.said.lower()
    assert (found.lost, found.wrong, found.behind) == (0, 0, 0), found.said
