"""Which layer of an encoder tells languages: the reports of a sweep over layers as a picture.

    python experiments/pretrained/layers.py PICTURE.png REPORT.json ...

A report's line is named after its folder.
"""

import json
import sys
from pathlib import Path

import numpy as np

from langid.plots import draw_comparison, save_figure


def main(picture: Path, reports: list[Path]) -> None:
    """Draw the balanced accuracy of reports, one below the other."""
    figures = [
        json.loads(path.read_text(encoding="utf-8"))["balanced_accuracy"] for path in reports
    ]
    ends = np.array([[of[end] for of in figures] for end in ("value", "low", "high")])
    names = [path.parent.name for path in reports]
    labels = [f"layer {name}" if name.isdecimal() else name for name in names]
    title = "a linear layer on the states of one layer"
    save_figure(draw_comparison({"balanced accuracy": ends}, labels, title), picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]])
