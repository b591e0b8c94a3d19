"""What README and docs/ tell a newcomer to type, and to write, works."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest

from langid.build import ROLES
from langid.evaluation.slices import COLUMNS, SPANS
from langid.export.form import INSTALL

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md"))}
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXT = "\n".join([README, *PAGES.values()])


def test_what_is_not_released_is_installed_from_a_clone() -> None:
    assert "## 0.1.0 (unreleased)" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    lines = re.findall(r"^(?:.* && |    )?(pip install .*)$", README, re.M)
    for line in [*lines, INSTALL]:
        assert line.startswith("pip install -e "), line
    named = re.findall(r"pip install [^`\n]*?(?:langid-speech|\.)\[([\w,]+)\]", TEXT)
    assert {extra for names in named for extra in names.split(",")} - {"EXTRA"} <= set(extras)


def block(path: str) -> str:
    """Return the block of docs/extending.md that begins with the comment ``# path``."""
    match = re.search(
        rf"^```\w+\n# {re.escape(path)}\n(.*?)^```", PAGES["extending.md"], re.M | re.S
    )
    assert match is not None, path
    return match.group(1).strip()


def test_a_package_of_ones_own_is_used_from_an_empty_folder(
    store_path: Path, tmp_path: Path
) -> None:
    """The lines under "Extending", typed as they are, with an epoch and a device added."""
    files = ("my_project/networks.py", "my_project/conf/model/my_net.yaml")
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(block(path))
    assert sum(len(block(path).split("\n")) for path in files) < 20
    (tmp_path / "cv.h5").symlink_to(store_path)
    lines = [shlex.split(line) for line in re.findall(r"^langid .*my_project.*$", TEXT, re.M)]
    small = ["trainer.max_epochs=1", "trainer.accelerator=cpu"]
    for words in sorted(lines, key=lambda words: ("train", "evaluate", "export").index(words[1])):
        command = ["-m", *words, *(small if words[1] == "train" else ())]
        ended = forked.run(command, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    assert len(lines) == 4 and (tmp_path / "mine.onnx").exists()


def test_the_base_classes_are_those_that_are_built() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|", PAGES["extending.md"], re.M))
    asked = {"model.network": "network", "callbacks.NAME": "callback"}
    assert len(rows) == 9
    for group, base in rows.items():
        assert ROLES[asked.get(group, group)][0] == base


def test_python_runs(
    real_rows: list[dict[str, str]],
    model_path: Path,
    clips: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The block of docs/python.md, with a small network and one epoch."""
    for row in real_rows:
        folder = tmp_path / "recordings" / row["language"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Path(row["path"]).name).symlink_to(row["path"])
    (tmp_path / "model.onnx").symlink_to(model_path)
    monkeypatch.chdir(tmp_path)
    block = PAGES["python.md"].partition("```python\n")[2].partition("```")[0]
    small = '"trainer.max_epochs": 1, "model.network.units": 8, "trainer.accelerator": "cpu"'
    assert '"trainer.max_epochs": 20' in block
    namespace: dict[str, Any] = {"samples": clips[0]}
    exec(block.replace('"trainer.max_epochs": 20', small), namespace)
    assert namespace["report"]["part"] == "test"
    assert namespace["posteriors"].shape[2] == 3
    assert namespace["stream"].decision.label in namespace["identifier"].classes
    assert len(namespace["store"].utterances) == len(real_rows)


def test_every_slice_is_told_with_what_it_needs() -> None:
    told = PAGES["reports.md"].partition("**Slices**")[2].partition("\n6. ")[0]
    assert all(name in told for name in (*COLUMNS, *SPANS, "sample rate", "content=samples"))


def test_the_test_of_two_runs_is_nowhere_called_a_bootstrap() -> None:
    for path in (ROOT / "CHANGELOG.md", *ROOT.glob("docs/*.md"), *ROOT.glob("experiments/**/*.md")):
        assert "paired bootstrap" not in " ".join(path.read_text(encoding="utf-8").split()), path


def test_rooms_and_owners_are_where_the_texts_say() -> None:
    page = PAGES["architecture.md"]
    rooms = set(re.findall(r"^  (\w+)/ ", page, re.MULTILINE))
    assert rooms == {path.parent.name for path in ROOT.glob("langid/*/__init__.py")}
    ground = re.search(r"^  ((?:\w+\.py\s+)+)", page, re.MULTILINE)
    assert ground is not None
    own = {path.name for path in ROOT.glob("langid/*.py") if not path.name.startswith("__")}
    assert set(ground[1].split()) == own
    for text in (TEXT, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        named = re.findall(r"`((?:langid|conf|tests|experiments)/[\w/.]+)`", text)
        assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []


def test_every_page_is_in_the_site_and_every_link_of_the_readme_leads_somewhere() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [name for name in PAGES if f": {name}\n" not in site] == []
    for path, _, anchor in re.findall(r"\]\((?!https?:)([^)#\s]+)(#([\w-]+))?\)", README):
        assert (ROOT / path).exists(), path
        if anchor:
            heads = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.M)
            assert anchor in {head.lower().replace(" ", "-") for head in heads}, anchor
