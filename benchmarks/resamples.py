"""Figures with intervals from 1,000 resamples of speakers, against a plain loop over resamples.

The figures are those of langid evaluate that have no interval in closed form, calibration error,
equal error rates and the lowest Cavg, with all that stands beside them in a report. The plain loop
takes the clips of the speakers that were drawn and makes the same three figures of them with
scikit-learn and numpy; it is run for a few resamples, and its time told for as many as langid has.
Predictions are made up: only their number matters.
"""

import itertools
import sys
import time

import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from report import predictions
from sklearn.metrics import roc_curve  # type: ignore[import-untyped]

from langid.evaluation.calibration import calibration
from langid.evaluation.detection import detection
from langid.evaluation.resampling import RESAMPLES
from langid.evaluation.scoring import score
from langid.metrics import DetectionCosts

LIMIT_S, LIMIT_RATIO, LIMIT_APART = 30.0, 0.05, 0.02
BINS = 15
GRID = 1 - np.geomspace(1e-4, 1, 50)  # shares of the trials that a threshold rejects


def langid_figures(
    targets: np.ndarray, posteriors: np.ndarray, speakers: list[str], names: list[str]
) -> dict[str, float]:
    """Return the three figures, having made all that a report has."""
    score(targets, posteriors, speakers, names)
    found = calibration(targets, posteriors, speakers)
    found |= detection(targets, posteriors, speakers, names, DetectionCosts())
    return {name: found[name]["value"] for name in ("ece", "eer", "min_cavg")}


def plain_figures(targets: np.ndarray, posteriors: np.ndarray) -> dict[str, float]:
    """Return the same figures of clips."""
    confidence, right = posteriors.max(1), posteriors.argmax(1) == targets
    error, bins = 0.0, np.linspace(0, 1, BINS + 1)
    for low, high in itertools.pairwise(bins):
        held = (confidence >= low) & (confidence < high)
        if held.any():
            error += held.mean() * abs(right[held].mean() - confidence[held].mean())
    rates, held_classes = [], np.unique(targets)
    for one in held_classes:
        alarms, hits, _ = roc_curve(targets == one, posteriors[:, one])
        rates.append(alarms[np.abs(1 - hits - alarms).argmin()])
    odds = posteriors / (1 - posteriors)
    least = min(
        _cavg(targets, odds > threshold, held_classes) for threshold in np.quantile(odds, GRID)
    )
    return {"ece": error, "eer": float(np.mean(rates)), "min_cavg": least}


def _cavg(targets: np.ndarray, said: np.ndarray, classes: np.ndarray) -> float:
    rates = np.array([said[targets == spoken].mean(0) for spoken in classes])
    hits = np.diagonal(rates)
    alarms = (rates.sum(0) - hits) / (len(classes) - 1)
    return float((1 - hits + alarms).mean() / 2)


def plain_loop(
    targets: np.ndarray, posteriors: np.ndarray, speakers: list[str], resamples: int
) -> None:
    """Make the figures of some resamples, one after the other."""
    generator = np.random.default_rng(0)
    held, unit = np.unique(speakers, return_inverse=True)
    clips_of = np.split(np.argsort(unit, kind="stable"), np.cumsum(np.bincount(unit))[:-1])
    for _ in range(resamples):
        clips = np.concatenate(
            [clips_of[one] for one in generator.integers(0, len(held), len(held))]
        )
        plain_figures(targets[clips], posteriors[clips])


def figures(langid_s: float, ratio: float, apart: float) -> list[Figure]:
    """Return the figures of what was measured."""
    return [
        Figure("figures with intervals", langid_s, LIMIT_S, " s"),
        Figure("against a plain loop", ratio, LIMIT_RATIO, " x"),
        Figure("figures apart", apart, LIMIT_APART, of_result=True),
    ]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, classes="10", speakers=200, plain=1)
    parser.add_argument("--classes", default="3,100", help="numbers of classes (3,100)")
    parser.add_argument("--speakers", type=int, default=2000, help="speakers (2000)")
    parser.add_argument("--clips", type=int, default=5, help="of a speaker, on average (5)")
    parser.add_argument("--plain", type=int, default=3, help="resamples of the plain loop (3)")
    options = parser.options()
    rows = [["classes", "clips", "langid", f"plain loop, told for {RESAMPLES}"]]
    taken = []
    for classes in map(int, options.classes.split(",")):
        targets, posteriors, who, names = predictions(classes, options.speakers, options.clips)
        began = time.perf_counter()
        ours = langid_figures(targets, posteriors, who, names)
        langid_s, began = time.perf_counter() - began, time.perf_counter()
        plain_loop(targets, posteriors, who, options.plain)
        plain_s = (time.perf_counter() - began) * RESAMPLES / options.plain
        theirs = plain_figures(targets, posteriors)
        apart = max(abs(ours[name] - theirs[name]) for name in ours)
        rows.append([str(classes), str(len(targets)), f"{langid_s:.2f} s", f"{plain_s:.0f} s"])
        taken.append((langid_s, langid_s / plain_s, apart))
    print_table(f"figures of {RESAMPLES} resamples; {machine()}", rows)
    return verdict(figures(*map(max, zip(*taken, strict=True))), options.quick)


if __name__ == "__main__":
    sys.exit(main())
