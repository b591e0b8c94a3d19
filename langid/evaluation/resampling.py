"""A bootstrap over speakers, of figures that have no interval in closed form.

Speakers are drawn with all their clips. What a resample needs of them are counts, so that a figure
of all resamples is a product of two matrices: the counts of each speaker, and how often each
speaker was drawn.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from langid import metrics
from langid.evaluation.intervals import LEVEL, Bounds

RESAMPLES = 1000
SEED = 0
GRID = 200  # thresholds between which a resample's errors are straight lines
ROUNDED = 1e-6  # what sums in float32 leave behind is no difference


class Resamples:
    """Counts of units, ``targets (units,)`` by ``speakers (units,)``, in every resample.

    What a speaker says in a class is a cell; ``weight (cells, resamples)`` says how often it was
    drawn, and ``drawn (classes, resamples)`` how many units of a class.
    """

    def __init__(self, targets: np.ndarray, speakers: Sequence[str], classes: int):
        unit, self.targets = np.unique(speakers, return_inverse=True)[1], targets
        pairs, self.cell = np.unique(unit * classes + targets, return_inverse=True)
        self.cell_class = pairs % classes
        count = int(unit.max()) + 1
        generator = np.random.default_rng(SEED)
        often = np.empty((count, RESAMPLES), np.float32)
        for number in range(RESAMPLES):
            often[:, number] = np.bincount(generator.integers(0, count, count), minlength=count)
        self.weight = often[pairs // classes]
        self.drawn = self._sums(targets, classes)

    def _sums(
        self, row: np.ndarray, rows: int, values: np.ndarray | None = None,
        cell: np.ndarray | None = None, weight: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Return the sums of ``values``, 1 by default, in each row, ``(rows, resamples)``."""
        cell = self.cell if cell is None else cell
        values = np.ones(len(row), np.float32) if values is None else values.astype(np.float32)
        counts = csr_array((values, (row, cell)), shape=(rows, len(self.weight)))
        return np.asarray(counts @ (self.weight if weight is None else weight), float)

    def calibration_error(self, confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the calibration error of each resample, ``(resamples,)``."""
        row = metrics.calibration_bin(confidence)
        sums = (self._sums(row, metrics.CALIBRATION_BINS, of) for of in (right, confidence, None))
        return metrics.calibration_error(*sums)

    def detection_errors(self, scores: np.ndarray, of: int) -> tuple[np.ndarray, np.ndarray]:
        """Return misses and false alarms of a class as a threshold rises, of each resample.

        ``scores (units,)`` are its own; both are ``(thresholds + 1, resamples)``.
        """
        own = self.targets == of
        row, rows = _binned(scores, own)
        counts = (self._sums(row[some], rows, cell=self.cell[some]) for some in (own, ~own))
        return metrics.detection_errors(*counts)

    def least_cost(self, scores: np.ndarray, costs: metrics.DetectionCosts) -> np.ndarray:
        """Return the lowest Cavg of each resample, ``(resamples,)``; see ``trial_weights``."""
        number = scores.shape[1]
        own = (self.targets[:, None] == np.arange(number)).ravel()
        row, rows = _binned(scores.ravel(), own)
        there = (self.drawn > 0).sum(0)
        apiece = self.weight / np.maximum(self.drawn, 1)[self.cell_class] / there
        weights = np.where(own, costs.miss, -costs.false_alarm / (number - 1))
        trials = self._sums(row, rows, weights, self.cell.repeat(number), apiece.astype(np.float32))
        return np.asarray(metrics.cavg_by_threshold(trials, costs).min(0))


def _binned(scores: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, int]:
    """Return between which thresholds each score lies, and how many such places there are.

    Thresholds are quantiles of the scores of the class and of the others, so that they are dense
    where either has its scores.
    """
    shares = np.linspace(0, 1, GRID)
    grid = np.unique([np.quantile(scores[some], shares) for some in (own, ~own) if some.any()])
    return np.searchsorted(grid, scores, "right"), len(grid) + 1


def band_of_resamples(
    values: np.ndarray, drawn: np.ndarray
) -> tuple[list[float | None], list[float | None]] | None:
    """Return the low and high ends of the band of a curve ``values (points,)``.

    ``drawn (points, resamples)`` are the curves of resamples; those without a value, for want of a
    class, are left out. It is that of vertical averaging, at each point by itself (Macskassy &
    Provost, Confidence Bands for ROC Curves, ROCAI 2004), of percentiles. Ends are None at a point
    where all resamples are alike, and the band is None where they are so at every point.
    """
    drawn = drawn[:, np.isfinite(drawn).all(0)]
    if not drawn.size or (alike := np.ptp(drawn, axis=1) < ROUNDED).all():
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    lows, highs = (
        [None if same else end for same, end in zip(alike, ends.tolist(), strict=True)]
        for ends in (np.minimum(low, values), np.maximum(high, values))
    )
    return lows, highs


def of_resamples(value: float, drawn: np.ndarray, most: float) -> Bounds | None:
    """Return a figure from 0 to ``most`` with its interval; None where all resamples are alike.

    By how much resamples lie above the figure on average, as those of a calibration error do, their
    quantiles are moved back. Resamples without a value, for want of a class, are left out.
    """
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or np.ptp(drawn) < ROUNDED:
        return None
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - drawn.mean() + value
    return value, max(float(ends[0]), 0.0), min(float(ends[1]), most)
