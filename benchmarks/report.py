"""A report of many classes against a plain bootstrap: time, memory, and how often it is right.

The report is that of langid evaluate: figures with intervals, written as JSON, and the picture of
the confusion matrix. Beside it runs the percentile bootstrap over speakers, in plain numpy, of what
a class has right, support and predictions. Predictions are made up: only their number matters.
Memory is what the figures take beyond the predictions. Then both are tried on draws of clips whose
speakers differ (beta-binomial, correlation 0.2, 1 to some thirty clips each): the share of draws in
which a 95 % interval of balanced accuracy over three classes holds the true value, and the mean
width of the intervals.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, resident_mb, verdict

from langid.evaluation.intervals import Ratios, of_proportions
from langid.evaluation.scoring import score
from langid.plots import draw_confusion, save_figure
from langid.training.run_record import write_record

LIMITS_S, LIMIT_MB, LIMIT_RATIO, COVERAGE = (3.0, 1.0), 300.0, 1.0, 0.92
CLASSES, ALIKE = 3, 0.2  # of what coverage is counted on
RESAMPLES = 1000


def predictions(
    classes: int, speakers: int, clips: int
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Return targets, posteriors, speakers and class names of clips of a part."""
    generator = np.random.default_rng(0)
    unit = np.repeat(np.arange(speakers), generator.geometric(1 / clips, speakers))
    targets = unit % classes
    posteriors = generator.random((len(unit), classes), np.float32)
    posteriors[np.arange(len(unit)), targets] += 0.5
    posteriors /= posteriors.sum(1, keepdims=True)
    names = [f"language {index}" for index in range(classes)]
    return targets, posteriors, [f"speaker {number}" for number in unit], names


def bootstrap(
    targets: np.ndarray, predicted: np.ndarray, speakers: list[str], classes: int, resamples: int
) -> np.ndarray:
    """Return the intervals of recall, precision and F1, ``(2, 3, classes)``."""
    held, unit = np.unique(speakers, return_inverse=True)
    right = predicted == targets
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        often = np.bincount(generator.integers(0, len(held), len(held)), minlength=len(held))[unit]
        hits = np.bincount(targets[right], often[right], classes)
        support, said = (np.bincount(of, often, classes) for of in (targets, predicted))
        with np.errstate(invalid="ignore"):
            drawn.append([hits / support, hits / said, 2 * hits / (support + said)])
    return np.nanquantile(drawn, [0.025, 0.975], axis=0)


def coverage(speakers: int, recall: float, draws: int) -> dict[str, tuple[float, float]]:
    """Return how often intervals hold the true balanced accuracy, and their mean width."""
    generator = np.random.default_rng(0)
    clips = generator.geometric(1 / 6, (draws, CLASSES, speakers))
    pull = (1 - ALIKE) / ALIKE
    chance = generator.beta(pull * recall, max(pull * (1 - recall), 1e-9), clips.shape)
    right = clips if recall == 1 else generator.binomial(clips, chance)
    unit, group = np.arange(CLASSES * speakers), np.repeat(np.arange(CLASSES), speakers)
    weight = np.full(CLASSES, 1 / CLASSES)
    parts = (of.reshape(draws, -1).astype(float) for of in (right, clips))
    own = (Ratios(unit, group, *pair, weight) for pair in zip(*parts, strict=True))
    found = {"langid": np.array([of_proportions(one) for one in own]).T[1:]}
    often = generator.multinomial(speakers, np.full(speakers, 1 / speakers), RESAMPLES).T
    recalls = (right @ often) / (clips @ often)
    found["bootstrap"] = tuple(np.quantile(recalls.mean(1), [0.025, 0.975], axis=1))
    return {
        name: (float(((low <= recall) & (recall <= high)).mean()), float((high - low).mean()))
        for name, (low, high) in found.items()
    }


def figures(
    report_s: float, picture_s: float, report_mb: float, plain_s: float, held: float
) -> list[Figure]:
    """Return the figures of what was measured."""
    return [
        Figure("report", report_s, LIMITS_S[0], " s"),
        Figure("picture", picture_s, LIMITS_S[1], " s"),
        Figure("memory", report_mb, LIMIT_MB, " MB"),
        Figure("report against a plain bootstrap", report_s / plain_s, LIMIT_RATIO, " x"),
        Figure("lowest share of intervals that hold the truth", held, COVERAGE, at_least=True),
    ]


def measure(
    classes: int, speakers: int, clips: int, resamples: int
) -> tuple[float, float, float, float]:
    """Return seconds of report and picture, megabytes, and seconds of the plain bootstrap."""
    targets, posteriors, who, names = predictions(classes, speakers, clips)
    before, began = resident_mb(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = score(targets, posteriors, who, names)
        write_record(Path(folder) / "report.json", found)
        report_s, peak = time.perf_counter() - began, resident_mb(peak=True)
        began = time.perf_counter()
        picture = draw_confusion(np.array(found["confusion"]), names, "a part")
        save_figure(picture, Path(folder) / "confusion.png")
        picture_s = time.perf_counter() - began
    began = time.perf_counter()
    bootstrap(targets, posteriors.argmax(1), who, classes, resamples)
    return report_s, picture_s, peak - before, time.perf_counter() - began


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, classes=30, speakers=300, resamples=20, draws=50)
    parser.add_argument("--classes", type=int, default=100, help="of the report (100)")
    parser.add_argument("--speakers", type=int, default=5000, help="of the report (5000)")
    parser.add_argument("--clips", type=int, default=10, help="of a speaker, on average (10)")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap (1000)")
    parser.add_argument("--draws", type=int, default=1000, help="to count coverage on (1000)")
    options = parser.options()
    taken = measure(options.classes, options.speakers, options.clips, options.resamples)
    rows = [["speakers a class", "true recall", "langid", "width", "bootstrap", "width"]]
    lowest = 1.0
    for speakers in (5, 20, 100):
        for recall in (0.7, 0.95, 1.0):
            found = coverage(speakers, recall, options.draws)
            cells = [f"{number:.3f}" for pair in found.values() for number in pair]
            rows.append([str(speakers), f"{recall:g}", *cells])
            lowest = min(lowest, found["langid"][0])
    print_table(f"intervals that hold the truth, {options.draws} draws; {machine()}", rows)
    print(f"plain bootstrap of {options.resamples} resamples: {taken[-1]:.2f} s")
    return verdict(figures(*taken, lowest), options.quick)


if __name__ == "__main__":
    sys.exit(main())
