"""compare.html: a comparison as one page for people, which needs no other file."""

from pathlib import Path
from typing import TYPE_CHECKING

from langid import markup
from langid.atomic_file import write_text
from langid.comparison_plots import draw_choices, draw_curves
from langid.plots import draw_comparison, figure_svg
from langid.runs.compare import METRICS, compared_keys, labels_of, metrics_of, short_ends
from langid.runs.comparison_text import basis, head_and_rows, verdict
from langid.runs.curves import curves_of

if TYPE_CHECKING:
    import pandas as pd

SEEDS = (
    "Runs that differ in their seed alone are one row: figures are means over the seeds, intervals"
    " lie between speakers, and sd is the standard deviation of balanced accuracy between seeds."
)
P = (
    "p: how often a difference as large comes out where systems are exchanged at random, speaker by"
    " speaker; corrected for all systems."
)
BY_CLIPS = (
    "By clips stands McNemar's test, which takes clips of one speaker to be independent, and is not"
    " corrected."
)
FIGURES = "Balanced accuracy and accuracy of each system, the best first."
CURVES = (
    "A curve for each run. Of more than seven systems the colours go from the best to the worst."
)
CHOICES = "Each line is a system: what it chose of each key, and its balanced accuracy."


def write_page(table: "pd.DataFrame", output: Path, title: str) -> None:
    """Write compare.html, of what ``compare_runs`` returns, into a folder."""
    head, rows = head_and_rows(table)
    cells = [[cell.replace("\n", " ") for cell in row] for row in rows]
    notes = {"p": P, "p_mcnemar": BY_CLIPS, "seed_spread": SEEDS}  # by the column that is told
    told_of = [note for column, note in notes.items() if table[column].notna().any()]
    sections = {
        "Systems": markup.table(f"{title}, 95 % intervals", head, cells)
        + "".join(markup.paragraph(note, "note") for note in told_of),
        "Figures": _figures(table, title),
    }
    keys = compared_keys(table)
    if keys and len(table) > 1:
        short = short_ends(keys, ".")
        values = {
            name: table[key].astype(str).tolist() for name, key in zip(short, keys, strict=True)
        }
        svg = figure_svg(draw_choices(values, table[METRICS[0]].tolist()), "What each system chose")
        sections["What was chosen"] = markup.picture(svg, CHOICES)
    sections["Curves"] = _curves(table)
    told = [verdict(table), *basis(table, title)]
    first = "".join(markup.paragraph(f"{line[0].upper()}{line[1:]}.") for line in told if line)
    write_text(output / "compare.html", markup.page("langid: runs compared", first, sections))


def _figures(table: "pd.DataFrame", title: str) -> str:
    drawn = draw_comparison(metrics_of(table), labels_of(table), title)
    return markup.picture(figure_svg(drawn, "Figures of all systems"), FIGURES)


def _curves(table: "pd.DataFrame") -> str:
    curves = {}
    for name, folders in zip(labels_of(table), table["folders"], strict=True):
        runs = [curve for folder in folders if (curve := curves_of(Path(folder)))]
        if runs:
            curves[name] = runs
    if not curves:
        return markup.paragraph("None of these runs has logged curves for TensorBoard.")
    missing = "" if len(curves) == len(table) else f" {len(table) - len(curves)} have logged none."
    return markup.picture(figure_svg(draw_curves(curves), "Curves of all runs"), CURVES + missing)
