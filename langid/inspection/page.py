"""The page of ``langid inspect``: the figures of its report, pictures, and clips to play."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from langid.data.store import Store
from langid.evaluation.report import who_speaks
from langid.inspection.clips import Clips
from langid.inspection.findings import SEES, VERDICTS
from langid.inspection.heard import heard_clips
from langid.inspection.html_pieces import PAGE, paragraph, picture, table
from langid.plots import draw_comparison, draw_histograms, draw_spreads
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
    """Return a page in HTML that needs no other file; raises AudioError for a clip that has gone.

    Its pictures are there twice, for light and dark.
    """
    sections = {
        "What would spoil a result": _findings(report),
        "Can the class be told without speech?": _shortcuts(report["shortcuts"]),
        "How much there is, and of whom": _counts(report),
        "How it was recorded": _recording(report),
        "What was left out": _left_out(report),
        "Some clips": heard_clips(report, store, clips),
    }
    blocks = (
        f"<section><h2>{name}</h2>\n{''.join(told)}</section>" for name, told in sections.items()
    )
    title = html.escape(f"{store.path.name}, before it is trained on")
    return PAGE.format(title=title, sections="\n".join([*_summary(report), *blocks]))


def _summary(report: Mapping[str, Any]) -> Iterator[str]:
    every, task = report["all"], report["task"]
    yield paragraph(
        f"{who_speaks(every)}, {every['hours']:.2f} hours,"
        f" {len(report['classes'])} classes of {task}. Store of {report['content']},"
        f" fingerprint {report['fingerprint'][:12]}. All figures stand in inspect.json."
    )


def _findings(report: Mapping[str, Any]) -> Iterator[str]:
    if not report["findings"]:
        yield paragraph("Nothing of what is looked for was found.")
        return
    yield "<ul>"
    for finding in report["findings"]:
        yield f"<li><b>{html.escape(finding['kind'])}</b>: {html.escape(finding['told'])}"
        if finding["clips"]:
            names = [" = ".join(np.atleast_1d(clip)) for clip in finding["clips"][:NAMES]]
            more = f" and {finding['count'] - len(names)} more" * (finding["count"] > len(names))
            which = html.escape(", ".join(names)) + more
            yield f"<details><summary>which</summary>{which}</details>"
        yield "</li>"
    yield "</ul>"


def _shortcuts(shortcuts: Mapping[str, Any]) -> Iterator[str]:
    if shortcuts["left_out"]:
        named = ", ".join(f"{name} ({count})" for name, count in shortcuts["left_out"].items())
        yield paragraph(f"Left out of this test, with too few speakers: {named}.")
    if not shortcuts["tests"]:
        yield paragraph("Not tested: two classes of five speakers each are needed.")
        return
    yield paragraph(
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
    header = ["what is seen", "balanced accuracy", "", "by each part alone"]
    yield table(header, rows)
    yield picture(
        "Balanced accuracy of classifiers that hear no speech", lambda: _compared(shortcuts)
    )


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
    header = ["class", "hours", "clips", "speakers", "largest speaker", "speech", "weight",
              "genders", "ages"]  # fmt: skip
    yield table(header, rows)
    yield paragraph(
        f"The largest class has {weights['largest_over_smallest']:.2f} times the speech of the"
        " smallest. Weights are those of loss.class_weights=balanced, by frames of speech, of the"
        " whole store; effective ones stand in inspect.json."
    )
    histograms = {FIGURES[name]: of for name, of in report["histograms"].items()}
    yield picture("Histograms of duration and loudness", lambda: draw_histograms(histograms))


def _recording(report: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [name, *(_listed(of[key]) for key in ("codec", "sample_rate", "channels", "corpora"))]
        for name, of in report["classes"].items()
    ]
    yield table(["class", "codec", "rate, Hz", "channels", "corpora"], rows)
    yield paragraph("Medians, and what lies between the 10th and the 90th percentile:")
    classes = report["classes"]
    spreads = {
        told: np.array([[of[name][end] for of in classes.values()] for end in ENDS])
        for name, told in FIGURES.items()
    }
    yield picture("Spread of what was measured", lambda: draw_spreads(spreads, list(classes)))
    yield table(
        ["class", *FIGURES.values()],
        [[name, *(_spread(of[key]) for key in FIGURES)] for name, of in classes.items()],
    )


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
    yield (
        "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in told or ["nothing"]) + "</ul>"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
