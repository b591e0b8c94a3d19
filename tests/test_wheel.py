"""The wheel holds the whole package with its configuration, and works from anywhere."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from langid.demo.server import OWN_FILES, VENDOR_FILES

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("py", "yaml", "safetensors", "css")


def build(root: Path, folder: Path) -> Path:
    """Return a wheel built from a clone, without network, in a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel built from the clone."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def test_the_wheel_holds_code_and_configuration(wheel: Path, unpacked: Path) -> None:
    assert wheel.name.startswith("langid_speech-")
    for source, inside in (
        (ROOT / "conf", "langid/conf"),
        (ROOT / "langid", "langid"),
        (ROOT / "experiments", "langid/experiments"),
    ):
        files = [path for kind in KINDS for path in source.rglob(f"*.{kind}")]
        held = [(unpacked / inside / path.relative_to(source)).is_file() for path in files]
        assert held
        assert all(held)
    pins = unpacked / "langid" / "constraints.txt"
    assert pins.read_bytes() == (ROOT / "constraints.txt").read_bytes()
    tops = {path.name for path in unpacked.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"langid"}


def test_the_wheel_holds_the_page_and_what_make_page_fetched(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    kept_out = shutil.ignore_patterns("__pycache__", "vendor")
    for name in ("langid", "conf"):
        shutil.copytree(ROOT / name, clone / name, ignore=kept_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt", ".gitignore"):
        shutil.copy(ROOT / name, clone)
    (clone / "experiments").mkdir()
    (clone / "page" / "node_modules").mkdir(parents=True)
    vendor = clone / "langid" / "demo" / "page" / "vendor"
    vendor.mkdir()
    for name in VENDOR_FILES:
        (vendor.parent / name).write_text("of npm")
    with zipfile.ZipFile(build(clone, tmp_path)) as file:
        held = {name.removeprefix("langid/demo/page/") for name in file.namelist()}
    licences = {"LICENSE-onnxruntime-web", "LICENSE-mpg123-decoder"}
    assert {*OWN_FILES, *VENDOR_FILES, *licences} <= held
    assert not any("node_modules" in name for name in held)


def test_the_wheel_installs_the_command(unpacked: Path) -> None:
    [points] = unpacked.glob("*.dist-info/entry_points.txt")
    assert "langid = langid.__main__:main" in points.read_text()


def test_it_composes_its_own_configuration_from_anywhere(unpacked: Path, tmp_path: Path) -> None:
    program = """
import langid, sys
from pathlib import Path
from langid.commands.configuration import tree
from langid.commands.override_check import check_overrides
from langid.commands.main import _register_resolvers, main
assert Path(langid.__file__).is_relative_to(sys.argv[1]), langid.__file__
assert tree("train") == Path(sys.argv[1]) / "langid" / "conf", tree("train")
_register_resolvers()
check_overrides("train", ["experiment=gru", "store=a.h5", "silence=remove"])
for command in ("train", "stream"):
    assert main([command, "--help"]) == 0
assert main(["stream", "model=absent.onnx", "audio=a.wav"]) == 2
"""
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    result = subprocess.run(
        [sys.executable, "-c", program, str(unpacked)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert "absent.onnx: no such file" in result.stderr
    assert "silence\n    keep" in result.stdout
    assert list(tmp_path.iterdir()) == []
