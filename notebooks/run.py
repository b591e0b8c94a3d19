"""Run the notebooks and keep their outputs, so that they can be read where they are not run.

    python notebooks/run.py [NOTEBOOK ...]

Sounds are left out, for clips are not the project's to give away; so is what differs from one
machine to the other: folders and the times of cells.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).resolve().parent
SOUND = "<audio"
ELSEWHERE = re.compile(r"(/[^\s/'\"<>|│]+){2,}/")  # of a file: its folder


def run(path: Path) -> None:
    """Run a notebook in its own folder and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    options = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=options).execute()
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _kept(output))]
    notebook.metadata.language_info = NotebookNode(name="python")
    nbformat.write(notebook, path)


def _kept(output: NotebookNode) -> NotebookNode | None:
    """Return an output without its metadata and the folders of this machine, or nothing."""
    if SOUND in str(output):
        return None
    if output.output_type == "stream":
        if output.name == "stderr":
            return None
        output.text = ELSEWHERE.sub("…/", output.text)
    data = output.get("data", {})
    for kind in ("text/plain", "text/html"):
        if kind in data:
            data[kind] = ELSEWHERE.sub("…/", data[kind])
    if "metadata" in output:
        output.metadata = NotebookNode()
    return output


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in sys.argv[1:] or sorted(HERE.glob("*.ipynb")):
        run(Path(name).resolve())
