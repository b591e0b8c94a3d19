"""The section of report.html on languages of no class."""

from collections.abc import Mapping
from typing import Any

from langid import markup
from langid.evaluation.report import may_have_been_heard, who_speaks
from langid.evaluation.threshold import threshold_text
from langid.markup import shown
from langid.plots import figure_svg
from langid.report_plots import draw_open_set

HEAD = ("figure", "value", "95 % interval", "what it is")
LISTED = 20  # languages


def open_set_section(report: Mapping[str, Any]) -> str:
    """Return figures, and a histogram of scores, of what langid.evaluation.open_set has found."""
    found, doubt = report["open_set"], may_have_been_heard(report)
    labels = list(found["labels"].items())
    told = ", ".join(f"{name or 'not known'} ({count})" for name, count in labels[:LISTED])
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    kind = "Of no class of it" if doubt else "Never trained on"
    on = markup.paragraph(f"{kind}: {who_speaks(found)}; {told}{more}.")
    if doubt:
        on += markup.paragraph(f"They may have been trained on: {doubt}.", "warning")
    accepted, threshold = found["accepted"], found["threshold"]
    rows = [
        ["AUROC", *shown(found["auroc"]),
         "how often a known clip has a higher score than an unknown one: 0.5 is chance"],
        [f"FPR at {accepted:.0%} TPR", *shown(found["false_acceptance"]),
         f"share of the unknown clips that is answered where {accepted:.0%} of the known ones are"],
    ]  # fmt: skip
    below = None
    if threshold is not None:
        below = threshold["unknown_below"]
        rows += [
            ["known, answered", *shown(threshold["known"]),
             f"at unknown_below={threshold_text(below)}, which answers"
             f" {threshold['answered']:.1%} of the validation clips"],
            ["unknown, answered", *shown(threshold["unknown"]), "at the same threshold"],
        ]  # fmt: skip
    table = markup.table("How well they are told from the known ones", HEAD, rows)
    drawn = figure_svg(
        draw_open_set(found["histogram"], below),
        "Shares of known and unknown clips by highest posterior",
    )
    caption = "Unknown clips right of the threshold are answered with a language that they are not."
    if threshold is None:
        caption = f"No threshold: {found['no_threshold']}."
    return on + table + markup.picture(drawn, caption)
