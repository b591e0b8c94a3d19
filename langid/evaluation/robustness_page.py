"""robustness.html, and the same as a section of report.html."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langid import markup
from langid.atomic_file import write_text
from langid.evaluation.report import who_speaks
from langid.markup import shown
from langid.plots import figure_svg
from langid.report_plots import draw_lost

HEAD = ("heard", "balanced accuracy", "95 % interval", "change", "95 % interval", "NLL",
        "confidence", "ECE", "clips without speech")  # fmt: skip
SPEECHLESS_HEAD = ("heard", "clips", "a class is named", "mean confidence", "most likely",
                   "no speech found")  # fmt: skip


def write_robustness_page(found: Mapping[str, Any], command: str, folder: Path) -> None:
    """Write robustness.html, which names the ``command`` that made it."""
    title = f"langid: robustness on the {found['part']} part"
    told = {
        "tested": who_speaks(found),
        "classes": ", ".join(found["classes"]),
        "changed": "each utterance by draws of its own, the same for every network",
        "marks": found["heard"],
        "fingerprint": f"`{found['fingerprint']}`",
        "command": f"`{command}`",
    }
    first = markup.paragraph(summary(found), "verdict") + markup.facts(told)
    sections = {
        "What is lost": lost_section(found),
        "Where nobody speaks": speechless_section(found),
    }
    write_text(folder / "robustness.html", markup.page(title, first, sections))


def robustness_section(found: Mapping[str, Any]) -> str:
    """Return all of it as one section of a report."""
    return markup.paragraph(summary(found)) + lost_section(found) + speechless_section(found)


def summary(found: Mapping[str, Any]) -> str:
    """Return one sentence: how good clean, and in which condition the most is lost."""
    clean, *others = found["conditions"]
    worst = min(others, key=lambda one: one["balanced_accuracy"]["value"])
    gone = worst["difference"]
    sure = "no interval" if gone["low"] is None else (
        f"95 % interval {100 * gone['low']:+.1f} to {100 * gone['high']:+.1f}"
    )  # fmt: skip
    return (
        f"Balanced accuracy is {clean['balanced_accuracy']['value']:.1%} as recorded; the lowest is"
        f" {worst['balanced_accuracy']['value']:.1%} ({worst['name']}), a change of"
        f" {100 * gone['value']:+.1f} points ({sure})."
    )


def lost_section(found: Mapping[str, Any]) -> str:
    """Return a picture and a table of all conditions."""
    _, *others = found["conditions"]
    drawn = figure_svg(
        draw_lost({one["name"]: one["difference"] for one in others}),
        "Change of balanced accuracy in each condition; its numbers are in the table",
    )
    rows = [
        [one["name"], *shown(one["balanced_accuracy"]), *_change(one), f"{one['nll']['value']:.3f}",
         f"{one['confidence']:.3f}", f"{one['ece']['value']:.3f}", str(one["no_speech"])]
        for one in found["conditions"]
    ]  # fmt: skip
    caption = "Left of 0 something is lost; the intervals are of paired differences."
    notes = (
        f"The same {who_speaks(found)} in all conditions; {found['heard']}. Confidence is the mean"
        " posterior of what is said; of a clip without speech all frames count."
    )
    table = markup.table("The test set in each condition", HEAD, rows)
    return markup.picture(drawn, caption) + table + markup.paragraph(notes, "note")


def _change(condition: Mapping[str, Any]) -> list[str]:
    difference = condition["difference"]
    return ["", ""] if difference is None else shown(difference, "+.3f")


def speechless_section(found: Mapping[str, Any]) -> str:
    """Return a table of what is said of sounds without speech."""
    rows = []
    for one in found["without_speech"]:
        said = next(iter(one["said"].items()))
        rows.append([
            one["name"], str(one["clips"]), f"{one['named'] / one['clips']:.0%}",
            f"{one['confidence']:.3f}", f"{said[0]} ({said[1] / one['clips']:.0%})",
            f"{one['no_speech'] / one['clips']:.0%}",
        ])  # fmt: skip
    seconds, below = found["without_speech_s"], found["unknown_below"]
    rule = f" and its posterior is {below:g} or more" if below else ""
    note = (
        f"Synthetic sounds of {seconds:g} s in which nobody speaks. A class is named where the"
        f" speech detector finds speech{rule}."
    )
    table = markup.table("What is said where nobody speaks", SPEECHLESS_HEAD, rows)
    return markup.paragraph(pauses_told(found)) + table + markup.paragraph(note, "note")


def pauses_told(found: Mapping[str, Any]) -> str:
    """Return in words how well the class is told by pauses alone."""
    pauses, least = found["pauses"], f"{found['pauses_s']:g} s"
    if pauses is None:
        return f"No clip has pauses of {least} to be told by."
    value, sure = shown(pauses["balanced_accuracy"])
    return (
        f"By pauses alone (what the detector does not mark, {least} of it or more:"
        f" {who_speaks(pauses)}) balanced accuracy is {value} (95 % interval: {sure}); chance is"
        f" {pauses['chance']:.3f}. What is above chance is told by microphones, rooms and codecs,"
        " or by speech that the detector misses."
    )
