"""What the README tells a newcomer to type, and to write, works."""

import re
import shlex
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from langid.build import build
from langid.commands.compare import with_folders
from langid.commands.configuration import check_overrides
from langid.commands.main import COMMANDS
from langid.commands.reproduce import with_experiments
from langid.commands.text_keys import readable
from langid.networks.network import StreamingNetwork
from langid.signal.features import LogMel

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
IMPORTS = """
from pathlib import Path
from torch import Tensor, nn
from langid.corpora.manifest import Manifest, Reader
from langid.networks.network import State, StreamingNetwork
from langid.signal.features import LogMel
"""


def command_lines() -> list[str]:
    """Return every whole ``langid COMMAND KEY=VALUE`` line of the README's blocks and tables."""
    verbs = "|".join(COMMANDS)
    lines = re.findall(rf"(?:^    |`)(langid (?:{verbs}) [^`\n]*=[^`\n]*)", README, re.MULTILINE)
    absent = "hydra/launcher=submitit"  # a plugin that the tests do without
    return sorted({line.split("  #")[0].strip() for line in lines if absent not in line})


@pytest.mark.parametrize("line", command_lines())
def test_commands_compose(line: str) -> None:
    _, command, *overrides = [word for word in shlex.split(line) if word not in ("...", "-m")]
    needed = {"train": ["store=x.h5"], "prepare": ["corpus=folders", "corpus.root=x", "store=x.h5"]}
    needed["evaluate"] = ["checkpoint=x", "store=x.h5", "output=x"]
    given = {override.partition("=")[0] for override in overrides}
    if "..." in line:
        if "corpus.tsv" in given:
            needed["prepare"][0] = "corpus=common_voice"
        overrides += [item for item in needed[command] if item.partition("=")[0] not in given]
    if command == "compare":
        overrides = with_folders(overrides)
    elif command == "reproduce":
        overrides = [item if item != "--all" else "experiments=all" for item in overrides]
        overrides = with_experiments(overrides)
    check_overrides(command, [readable(command, override) for override in overrides])


def extension(path: str) -> str:
    """Return the README's block that begins with the comment ``# path``."""
    match = re.search(
        rf"^    # {re.escape(path)}.*\n((?:    .*\n|\n)+?)(?=\n    #|\n\S|\Z)", README, re.M
    )
    assert match is not None, path
    return textwrap.dedent(match.group(1))


def test_extensions_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built = {}
    for room, name, config in (
        ("corpora", "my_corpus", "corpus"),
        ("signal", "power_mel", "features"),
        ("networks", "linear", "model"),
    ):
        source = extension(f"langid/{room}/{name}.py")
        assert len(source.strip().splitlines()) < 20
        module = ModuleType(f"langid.{room}.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(IMPORTS + source, vars(module))
        built[name] = yaml.safe_load(extension(f"conf/{config}/{name}.yaml"))

    (tmp_path / "Thai-ann-1.wav").touch()
    (row,) = build(built["my_corpus"] | {"root": str(tmp_path)}, "corpus").read().utterances
    assert (row["language"], row["speaker"]) == ("Thai", "ann")

    features = build(built["power_mel"], "features")
    assert isinstance(features, LogMel)
    assert features(torch.ones(1, 1600)).shape == (1, 10, 64)

    network = build(built["linear"]["network"], "network", bins=64, num_classes=3)
    assert isinstance(network, StreamingNetwork)
    assert network(torch.zeros(2, 5, 64), torch.tensor([5, 5])).shape == (2, 5, 3)


def test_python_runs(
    real_rows: list[dict[str, str]],
    model_path: Path,
    clips: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The block under "In Python", with a small network and one epoch."""
    for row in real_rows:
        folder = tmp_path / "recordings" / row["language"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Path(row["path"]).name).symlink_to(row["path"])
    (tmp_path / "model.onnx").symlink_to(model_path)
    monkeypatch.chdir(tmp_path)
    block = textwrap.dedent(README.partition("In Python:\n")[2].partition("\n## ")[0])
    small = '"trainer.max_epochs": 1, "model.network.units": 8, "trainer.accelerator": "cpu"'
    assert '"trainer.max_epochs": 20' in block
    namespace: dict[str, Any] = {"samples": clips[0]}
    exec(block.replace('"trainer.max_epochs": 20', small), namespace)
    assert namespace["report"]["part"] == "test"
    assert namespace["posteriors"].shape[2] == 3
    assert namespace["stream"].decision.label in namespace["identifier"].classes
    assert len(namespace["store"].utterances) == len(real_rows)


def test_rooms_and_owners_are_where_the_texts_say() -> None:
    root = Path(__file__).parents[1]
    rooms = set(re.findall(r"^      (\w+)/ ", README, re.MULTILINE))
    assert rooms == {path.parent.name for path in root.glob("langid/*/__init__.py")}
    ground = re.search(r"^      ((?:\w+\.py\s+)+)", README, re.MULTILINE)
    assert ground is not None
    own = {path.name for path in root.glob("langid/*.py") if not path.name.startswith("__")}
    assert set(ground[1].split()) == own
    for text in (README, (root / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        named = re.findall(r"`((?:langid|conf|tests|experiments)/[\w/.]+)`", text)
        assert [path for path in named if "NAME" not in path and not (root / path).exists()] == []
