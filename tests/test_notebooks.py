"""The notebooks run from top to bottom on real clips, and can be read with their outputs."""

import json
import os
import runpy
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from .conftest import ENCODER

RELEASE = "cv-corpus-6.1-2020-12-11"
LESS = {  # what a notebook says where it is read, and what it does here
    "1_corpus": {},
    "2_train_and_stream": {
        "CLIPS = 60": "CLIPS = 20",
        '"trainer.max_epochs": 10': '"trainer.max_epochs": 2',
    },
    "3_sweep_and_choose": {"trainer.max_epochs=12": "trainer.max_epochs=2"},
}
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == [*LESS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_with_its_outputs_but_without_sound_and_folders(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    assert content["metadata"]["language_info"] == {"name": "python"}
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    again = f"run python notebooks/run.py {path.name}"
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), again
    assert sum(len(cell["outputs"]) for cell in cells) >= 5, again
    assert all(cell["metadata"] == {} for cell in content["cells"])
    outputs = json.dumps([cell["outputs"] for cell in cells])
    assert outputs.count("image/png") >= 2 and "Traceback" not in outputs
    for never in ("<audio", f"{RELEASE}/"):
        assert never not in outputs, f"{never}: {again}"
    elsewhere = runpy.run_path(str(path.parent / "run.py"))["ELSEWHERE"]  # a file's folder
    for output in (output for cell in cells for output in cell["outputs"]):
        data = output.get("data", {})
        told = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
        found = elsewhere.search("\n".join(map("".join, told)))
        assert found is None, f"{found}: {again}"
    assert len(text) < 1_500_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(
    path: Path,
    data_root: Path,
    saved_encoder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGID_DATA", str(data_root))
    # A small encoder in the place of Whisper's, whose states of all clips take a minute.
    (tmp_path / ENCODER).symlink_to(saved_encoder("whisper"))
    monkeypatch.setenv("LANGID_MODELS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    notebook = nbformat.read(path, as_version=4)
    for much, less in LESS[path.stem].items():
        (cell,) = (cell for cell in notebook.cells if much in cell.source)
        cell.source = cell.source.replace(much, less)
    folder = {"metadata": {"path": str(path.parent)}}  # where Jupyter would start it
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=folder).execute()
    kinds = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
    ]
    assert kinds.count("image/png") >= 2, "the plots are missing"
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("<audio" in str(output) for output in outputs) or path.stem.startswith("3")
