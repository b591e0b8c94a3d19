"""Imports point one way, as the README's architecture says, read from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "langid"
ROOT = {
    "langid",
    "langid.build",
    "langid.errors",
    "langid.exclusive",
    "langid.metrics",
    "langid.progress",
    "langid.terminal",
    "langid.typed",
}  # known to all rooms
# What each room may import from: itself and what stands below it.
BELOW = {
    "corpora": {"corpora"},
    "signal": {"signal"},
    "networks": {"networks"},
    "data": {"data", "corpora", "signal"},
    "training": {"training", "data", "corpora", "signal", "networks"},
    "evaluation": {"evaluation", "training", "data", "corpora", "signal", "networks"},
    "streaming": {"streaming", "training", "data", "corpora", "signal", "networks"},
    "commands": {
        "commands",
        "streaming",
        "evaluation",
        "training",
        "data",
        "corpora",
        "signal",
        "networks",
    },
}
LIBRARIES = {  # who may know a library
    "hydra": ("commands/",),
    "omegaconf": ("commands/", "build.py"),
    "pytorch_lightning": ("data/datamodule.py", "training/", "commands/"),
    "onnxruntime": ("streaming/onnx_model.py", "streaming/precision.py"),
    "torchaudio": ("signal/torchaudio_loader.py",),
}
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports(source: str) -> set[str]:
    """Return the modules that a source imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they point"
            found.add(node.module or "")
    return found


def wrong_arrows(file: Path, source: str) -> list[str]:
    """Return the imports of a file that the order of rooms forbids."""
    room = file.parts[0] if len(file.parts) > 1 else None
    wrong = []
    for module in sorted(imports(source)):
        top, *rest = module.split(".")
        if top == "langid" and module not in ROOT and room and rest[0] not in BELOW[room]:
            wrong.append(f"{room} imports {module}")
        for library, accepted in LIBRARIES.items():
            if top == library and not file.as_posix().startswith(accepted):
                wrong.append(f"{file} imports {library}")
    return wrong


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_point_one_way(file: Path) -> None:
    assert wrong_arrows(file, (PACKAGE / file).read_text(encoding="utf-8")) == []


def test_every_room_is_known() -> None:
    assert {file.parts[0] for file in FILES if len(file.parts) > 1} == set(BELOW)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("networks/new.py", "from langid.data.store import FeatureStore"),
        ("data/new.py", "from langid.networks.network import Network"),
        ("data/new.py", "import langid.training.losses"),
        ("training/new.py", "from langid.evaluation.metrics import accuracy"),
        ("evaluation/new.py", "from langid.streaming.streamer import Decision"),
        ("streaming/new.py", "def f():\n    from langid.commands.main import main"),
        ("corpora/new.py", "import pytorch_lightning as pl"),
        ("training/new.py", "from hydra.utils import instantiate"),
        ("signal/new.py", "import torchaudio.functional"),
    ],
)
def test_a_wrong_arrow_is_seen(file: str, line: str) -> None:
    assert len(wrong_arrows(Path(file), line)) == 1


def test_root_files_know_no_room_at_import() -> None:
    """The package itself loads nothing: torch comes with the first call that needs it."""
    check = (
        "import sys, langid, langid.errors; print(sorted(m for m in sys.modules if 'torch' in m))"
    )
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
