"""What is installed is told from what is needed and from what was tested."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from langid.installation import packages

ROOT = Path(__file__).resolve().parents[2]
NEEDED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


@pytest.mark.parametrize("text", NEEDED)
def test_every_package_that_langid_needs_is_found_and_imported(text: str) -> None:
    assert packages.problem_of(Requirement(text)) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent-package>=1", "absent-package is not installed, and langid needs it: run pip"),
        ("numpy<1", "is installed, langid needs <1: run pip install 'numpy<1'"),
    ],
)
def test_what_is_missing_or_of_another_version_is_named(text: str, message: str) -> None:
    assert message in packages.problem_of(Requirement(text))


def test_what_is_broken_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_library.py").write_text("raise OSError('libsomething.so: no such file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(packages.MODULES, "numpy", "broken_library")
    told = packages.problem_of(Requirement("numpy>=2.0"))
    assert "cannot be imported (OSError: libsomething.so: no such file)" in told
    assert "pip install 'numpy>=2.0' --force-reinstall" in told


@pytest.mark.parametrize("clone", [True, False])
def test_langid_and_its_extras_say_what_they_need(
    clone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not clone:  # then pip knows
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "of-others"\n')
        monkeypatch.setattr(packages, "PACKAGE", tmp_path / "langid")
    found = {extra: [one.name for one in some] for extra, some in packages.requirements().items()}
    assert {"torch", "numpy", "h5py"} <= set(found[""]) and "sounddevice" not in found[""]
    assert found["mic"] == ["sounddevice"] and found["demo"] == ["espeakng-loader"]
    assert "dev" not in found
    assert not clone or len(found[""]) == len(NEEDED)


def test_the_tested_versions_are_those_of_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = packages.pinned()
    assert len(pins) == sum("==" in line for line in lines) > 100
    assert pins["torch"] == packages.installed("torch").partition("+")[0]
    held = {name: packages.installed(name) for name in ("numpy", "torch")}
    assert packages.tested_line(held) == "yes, all 2 packages that are installed of it"
    told = packages.tested_line(held | {"numpy": "1.0", "absent-package": "3"})
    assert told == f"no, 1 of 2 packages differ: numpy {held['numpy']} (tested 1.0)"
    assert "no constraints.txt" in packages.tested_line({})
