"""The whole path on synthetic speech: ``make demo`` runs this.

Synthesises English, Hindi and Mandarin, prepares, trains the streaming GRU, evaluates, exports and
streams one utterance, each step by the command that a user would type, and ends with a table.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from langid.corpora.manifest import read_rows

SPEECH = Path(__file__).with_name("synthetic_speech.py")
FOLDER = Path("demo")
CORPUS, STORE, RUN = FOLDER / "corpus", FOLDER / "demo.h5", FOLDER / "run"
BEST, TEST, MODEL = RUN / "checkpoints" / "best.ckpt", FOLDER / "test", FOLDER / "model.onnx"
NEXT = (
    "langid prepare corpus=common_voice corpus.root=DIR 'corpus.locales=[en,hi,zh-CN]' store=cv.h5",
    "langid train experiment=gru store=cv.h5 output=runs/first",
    "langid evaluate checkpoint=runs/first/checkpoints/best.ckpt store=cv.h5 output=test",
)
console = Console()


def main() -> int:
    """Run every step and print where its results lie."""
    started = time.monotonic()
    if not CORPUS.exists():
        step("python", str(SPEECH), str(CORPUS), "--clips-per-language", "400")
    langid("prepare", "corpus=common_voice", f"corpus.root={CORPUS}",
           "corpus.tsv=official", f"store={STORE}")  # fmt: skip
    if not (RUN / "run.json").exists() or not BEST.exists():
        langid("train", "experiment=gru", f"store={STORE}", "split=official", f"output={RUN}",
               "data.batch_size=16", "trainer.max_epochs=5",
               "callbacks.early_stopping.patience=2")  # fmt: skip
    langid("evaluate", f"checkpoint={BEST}", f"store={STORE}", f"output={TEST}")
    langid("export", f"checkpoint={BEST}", f"output={MODEL}")
    langid("stream", f"model={MODEL}", f"audio={a_test_clip()}")
    summarise(time.monotonic() - started)
    return 0


def langid(*arguments: str) -> None:
    """Run a ``langid`` command and show its line."""
    step("langid", "-m", "langid", *arguments)


def step(shown: str, *arguments: str) -> None:
    """Run Python with arguments, told as ``shown``; stop the demo where it fails."""
    words = arguments[2:] if shown == "langid" else arguments
    line = f"\n$ {shown} {shlex.join(words)}"
    console.print(line, style="bold", markup=False, highlight=False, soft_wrap=True)
    code = subprocess.run([sys.executable, *arguments]).returncode
    if code:
        sys.exit(code)


def a_test_clip() -> Path:
    """Return a Hindi clip of the test part."""
    header, rows = read_rows(CORPUS / "hi" / "test.tsv")
    return CORPUS / "hi" / "clips" / rows[0][header.index("path")]


def summarise(seconds: float) -> None:
    """Print accuracy, places, and what to type for real speech."""
    report = json.loads((TEST / "report.json").read_text())
    accuracy = report["accuracy"]
    table = Table(title=f"langid demo, {seconds:.0f} s", show_header=False)
    table.add_row(
        "test accuracy",
        f"{accuracy['value']:.3f}  (95 % interval {accuracy['low']:.3f} to {accuracy['high']:.3f};"
        f" {report['clips']} clips, {report['speakers']} voices never heard in training)",
    )
    table.add_row("report", str(TEST / "report.html"))
    table.add_row("curves", f"tensorboard --logdir {RUN}")
    table.add_row("ONNX file", str(MODEL))
    console.print()
    console.print(table)
    console.print(
        "Synthetic speech proves the plumbing, not the quality: this accuracy says nothing about"
        " people."
    )
    console.print("\nNext, for real speech (DIR is a Common Voice release folder):")
    for line in NEXT:
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
