"""The page of ``langid inspect``: the figures of its report, pictures, and clips to play."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np

from langid import markup
from langid.data.store import Store
from langid.evaluation.report import who_speaks
from langid.inspection.clips import Clips
from langid.inspection.findings import SEES, VERDICTS
from langid.inspection.heard import heard_clips
from langid.plots import draw_comparison, draw_histograms, draw_spreads, figure_svg
from langid.terminal import with_interval

NAMES = 10  # clips that a finding names on the page
FIGURES = {
    "duration_s": "duration, s",
    "loudness_db": "loudness, dB",
    "noise_floor_db": "noise floor, dB",
    "leading_silence_s": "leading silence, s",
    "bandwidth_hz": "bandwidth, Hz",
}


def page_of(report: Mapping[str, Any], store: Store, clips: Clips) -> str:
    """Return a page in HTML that needs no other file.

    Raises AudioError for a clip that has gone.
    """
    sections = {
        "What would spoil a result": _findings(report),
        "Can the class be told without speech?": _shortcuts(report["shortcuts"]),
        "How much there is, and of whom": _counts(report),
        "How it was recorded": _recording(report),
        "What was left out": _left_out(report),
        "Some clips": heard_clips(report, store, clips),
    }
    return markup.page(
        f"{store.path.name}, before it is trained on",
        _summary(report),
        {name: "\n".join(told) for name, told in sections.items()},
    )


def _summary(report: Mapping[str, Any]) -> str:
    every, task = report["all"], report["task"]
    return markup.paragraph(
        f"{who_speaks(every)}, {every['hours']:.2f} hours,"
        f" {len(report['classes'])} classes of {task}. Store of {report['content']},"
        f" fingerprint {report['fingerprint'][:12]}. All figures stand in inspect.json."
    )


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["findings"]:
        yield markup.paragraph("Nothing of what is looked for was found.")
        return
    yield _list(map(_finding, report["findings"]))


def _finding(finding: Mapping[str, Any]) -> str:
    told = f'<b class="warning">{escape(finding["kind"])}</b>: {escape(finding["told"])}'
    if not finding["clips"]:
        return told
    names = [" = ".join(np.atleast_1d(clip)) for clip in finding["clips"][:NAMES]]
    more = f" and {finding['count'] - len(names)} more" * (finding["count"] > len(names))
    which = escape(", ".join(names)) + more
    return told + markup.folded("which", which)


def _list(items: Iterable[str]) -> str:
    """Return a list of pieces of HTML."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _shortcuts(shortcuts: Mapping[str, Any]) -> Iterator[str]:
    if shortcuts["left_out"]:
        named = ", ".join(f"{name} ({count})" for name, count in shortcuts["left_out"].items())
        yield markup.paragraph(f"Left out of this test, with too few speakers: {named}.")
    if not shortcuts["tests"]:
        yield markup.paragraph("Not tested: two classes of five speakers each are needed.")
        return
    yield markup.paragraph(
        f"Logistic regressions that hear no speech, on {shortcuts['clips']} clips of"
        f" {shortcuts['speakers']} speakers (a clip of an unknown speaker counts as one), in"
        f" {shortcuts['folds']} folds that share no speaker, seed {shortcuts['seed']}; intervals"
        f" are 95 %, between speakers. Chance is {shortcuts['chance']:.3f}; what is above it by"
        " more than its whole interval gives away. A network does not hear a file's codec and"
        " rate, but what they leave in the sound. Bandwidth and loudness depend on what is said"
        " too, and in a clip without pauses the quietest frames hold speech."
    )
    rows = []
    for name, test in shortcuts["tests"].items():
        alone = "; ".join(f"{part} {of['value']:.3f}" for part, of in test["alone"].items())
        verdict = VERDICTS[test["gives_away"]]
        rows.append([SEES[name], with_interval(test["balanced_accuracy"]), verdict, alone])
    head = ["what is seen", "balanced accuracy", "verdict", "by each part alone"]
    yield markup.table("What classifiers tell that hear no speech", head, rows)
    label = "Balanced accuracy of classifiers that hear no speech"
    caption = "Their balanced accuracy, with intervals, also of each part alone; dashed is chance."
    yield markup.picture(figure_svg(_compared(shortcuts), label), caption)


def _compared(shortcuts: Mapping[str, Any]) -> Any:
    figures = {}
    for name, test in shortcuts["tests"].items():
        figures[name] = test["balanced_accuracy"]
        figures |= {f"{part} alone ({name})": of for part, of in test["alone"].items()}
    ends = np.array(
        [[of[end] for of in figures.values()] for end in ("value", "low", "high")], float
    )
    held = {"balanced accuracy": ends}
    return draw_comparison(held, list(figures), "no speech is heard", shortcuts["chance"])


def _counts(report: Mapping[str, Any]) -> Iterator[str]:
    weights, rows = report["class_weights"], []
    for name, of in report["classes"].items():
        unknown = f" + {of['unknown_speakers']} unknown" * bool(of["unknown_speakers"])
        rows.append([
            name, f"{of['hours']:.2f}", f"{of['clips']}", f"{of['speakers']}{unknown}",
            f"{of['largest_share']:.0%}", f"{of['speech_share']:.0%}",
            f"{weights['balanced'][name]:.2f}", _listed(of["genders"]), _listed(of["ages"]),
        ])  # fmt: skip
    head = ["class", "hours", "clips", "speakers", "largest speaker", "speech", "weight",
            "genders", "ages"]  # fmt: skip
    yield markup.table("What there is of each class", head, rows)
    yield markup.paragraph(
        f"The largest class has {weights['largest_over_smallest']:.2f} times the speech of the"
        " smallest. Weights are those of loss.class_weights=balanced, by frames of speech, of the"
        " whole store; effective ones stand in inspect.json.",
        "note",
    )
    histograms = {FIGURES[name]: of for name, of in report["histograms"].items()}
    drawn = figure_svg(draw_histograms(histograms), "Histograms of duration and loudness")
    yield markup.picture(drawn, "How long and how loud clips are; the counts are in inspect.json.")


def _recording(report: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [name, *(_listed(of[key]) for key in ("codec", "sample_rate", "channels", "corpora"))]
        for name, of in report["classes"].items()
    ]
    head = ["class", "codec", "rate, Hz", "channels", "corpora"]
    yield markup.table("Clips by how they are kept", head, rows)
    classes = report["classes"]
    spreads = {
        told: np.array([[of[name][end] for of in classes.values()] for end in ENDS])
        for name, told in FIGURES.items()
    }
    drawn = figure_svg(draw_spreads(spreads, list(classes)), "Spread of what was measured")
    caption = "Medians, and what lies between the 10th and the 90th percentile"
    yield markup.picture(drawn, f"{caption}; the numbers are in the table.")
    rows = [[name, *(_spread(of[key]) for key in FIGURES)] for name, of in classes.items()]
    yield markup.table(caption, ["class", *FIGURES.values()], rows)


ENDS = ("median", "low", "high")


def _spread(of: Mapping[str, float]) -> str:
    return f"{of['median']:.4g} ({of['low']:.4g} to {of['high']:.4g})"


def _left_out(report: Mapping[str, Any]) -> Iterator[str]:
    skipped, unread, left_out = report["skipped"], report["unread"], report["left_out"]
    told = [f"{count} files by langid prepare: {reason}" for reason, count in
            skipped["reasons"].items()]  # fmt: skip
    if unread["clips"]:
        first = next(iter(unread["first"].values()))
        told.append(f"{unread['clips']} clips that cannot be read again now, the first: {first}")
    if left_out["unlabelled"]:
        told.append(f"{left_out['unlabelled']} clips without a {report['task']}")
    told += [f"{count} clips of {name}" for name, count in left_out["other_classes"].items()]
    yield _list(map(escape, told or ["nothing"]))


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
