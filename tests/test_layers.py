"""Imports point one way, as the README's architecture says, read from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "langid"
# Known to all rooms.
GROUND = ("atomic_file", "audio", "build", "comparison_plots", "devices", "differences",
          "errors", "exclusive", "markup", "metrics", "plots", "progress", "report_plots",
          "sound_plots", "terminal", "typed", "utterance", "workers")  # fmt: skip
LEARNING = {"corpora", "signal", "networks", "data", "training"}
# What each room may import from, beside the ground: itself and what stands below it.
BELOW: dict[str, set[str]] = {
    "audio": set(),
    "corpora": {"corpora"},
    "signal": {"signal"},
    "networks": {"networks", "signal"},  # a pretrained network brings its encoder
    "data": {"data", "corpora", "signal"},
    "training": LEARNING,
    "streaming": {"streaming"},
    "evaluation": {"evaluation", "streaming", *LEARNING},
    "installation": {"installation", "streaming"},
    "inspection": {"inspection", "evaluation", *LEARNING},
    "runs": {"runs", "evaluation", "streaming", *LEARNING},
    "search": {"search", "runs", "evaluation", "streaming", *LEARNING},
    "export": {"export", "streaming", *LEARNING},
    "sharing": {"sharing", "export", "evaluation", "streaming", *LEARNING},
    "demo": {"demo", "streaming"},
    "commands": {
        "commands", "runs", "search", "inspection", "installation", "evaluation", "export",
        "sharing", "demo", "streaming", *LEARNING,
    },
}  # fmt: skip
LIBRARIES = {  # who may know a library
    "hydra": ("commands/",),
    "omegaconf": ("commands/", "build.py"),
    "pytorch_lightning": ("data/datamodule.py", "training/", "search/"),
    "onnxruntime": (
        "streaming/onnx_model.py",
        "export/precision.py",
        "signal/frame_detectors.py",
        "signal/learned_detector.py",
    ),
    "matplotlib": ("comparison_plots.py", "plots.py", "report_plots.py", "sound_plots.py"),
    "sklearn": (
        "inspection/shortcuts.py",
        "evaluation/embedding_map.py",
        "training/state_clusters.py",
    ),
    "packaging": ("installation/packages.py",),
    "yaml": ("sharing/model_card.py",),
    "torchaudio": ("signal/torchaudio_loader.py",),
}
WITHOUT_TORCH = ("audio", "corpora", "streaming", "demo")
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
        if top == "langid" and rest and room and rest[0] not in {*GROUND, *BELOW[room]}:
            wrong.append(f"{room} imports {module}")
        if top == "torch" and room in WITHOUT_TORCH:
            wrong.append(f"{file} imports {module}")
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
        ("networks/new.py", "from langid.data.store import Store"),
        ("data/new.py", "from langid.networks.network import Network"),
        ("data/new.py", "import langid.training.losses"),
        ("training/new.py", "from langid.evaluation.scoring import accuracy"),
        ("evaluation/new.py", "from langid.export.onnx import export_onnx"),
        ("streaming/new.py", "from langid.signal.features import MFCC"),
        ("streaming/new.py", "from torch import Tensor"),
        ("demo/new.py", "import torch.nn"),
        ("streaming/new.py", "def f():\n    from langid.commands.main import main"),
        ("corpora/new.py", "import pytorch_lightning as pl"),
        ("training/new.py", "from hydra.utils import instantiate"),
        ("signal/new.py", "import torchaudio.functional"),
        ("runs/new.py", "from matplotlib.figure import Figure"),
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
