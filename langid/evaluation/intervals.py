"""Intervals of figures whose clips come from speakers: 95 %, open at both ends, in closed form.

Clips of one speaker are alike, so that what counts is speakers. A percentile bootstrap over them is
a point where all clips are right, and far too narrow near it and with few speakers. Instead, every
figure is a weighted mean of ratios of sums over speakers, whose variance is that of its
linearisation (of a recall: what each speaker has right above the mean), divided by one less the
speaker's share, which undoes that the mean follows a large speaker (Bell & McCaffrey 2002, "CR2").
It says as how many independent answers the clips count, and these go into the interval that
Wilson's score test gives (Korn & Graubard, Survey Methodology 24, 1998; compared by Franco et al.,
Journal of Survey Statistics and Methodology 7, 2019), the estimated part widened by Student's t.

Where hardly anybody errs the variance tells nothing. So one speaker's word is added to those of the
speakers that depart from the rest: that all clips of a speaker are alike. With no departure it
alone counts, and the answers are as many as speakers (of unequal size: fewer, as Kish has it).
`benchmarks/report.py` counts how often the intervals hold the truth, and their widths.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtri, stdtrit

LEVEL = 0.95
MIN_SPEAKERS = 5  # with fewer, how they differ is anybody's guess
Z = float(ndtri((1 + LEVEL) / 2))
DIGITS = 12  # what the order of a sum leaves behind is no difference
TINY = 10.0**-DIGITS

Bounds = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Ratios:
    """A figure that is a weighted mean, over groups, of the ratios of two sums over units.

    A row is a unit (speaker) in a group: ``unit``, ``group``, ``amount`` (at most the count) and
    ``count`` (positive) are ``(rows,)``, ``weight`` is ``(groups,)``. A unit is in a group once.
    """

    unit: np.ndarray
    group: np.ndarray
    amount: np.ndarray
    count: np.ndarray
    weight: np.ndarray

    @cached_property
    def ratio(self) -> np.ndarray:
        """Of each group; 0 of one without rows."""
        counts = np.maximum(self._in_groups(self.count), TINY)
        return np.asarray(self._in_groups(self.amount) / counts)

    @cached_property
    def value(self) -> float:
        return round(float(self.weight @ self.ratio), DIGITS) + 0.0  # no -0

    def _in_groups(self, of_rows: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, of_rows, len(self.weight))

    def units(self, where: np.ndarray | slice = slice(None)) -> int:
        """Return how many units there are in rows ``where (rows,) bool``."""
        return len(np.unique(self.unit[where]))

    def _of_units(self, of_rows: np.ndarray) -> float:
        """Return the sum over units of the squares of their rows' sums."""
        return float((np.bincount(self.unit, of_rows) ** 2).sum())

    @cached_property
    def share(self) -> np.ndarray:
        """Of each row in its group."""
        return np.asarray(self.count / self._in_groups(self.count)[self.group])

    @cached_property
    def variance(self) -> float:
        """Of the value between units; one that is alone in its group is set against the whole."""
        alone = self.share > 1 - TINY
        beside = np.where(alone, self.value, self.ratio[self.group])
        above = (self.amount / self.count - beside) / np.sqrt(np.where(alone, 1, 1 - self.share))
        return self._of_units(self.weight[self.group] * self.share * above)

    @cached_property
    def widening(self) -> float:
        """Student's t over the normal quantile, of as many degrees as units less groups."""
        degrees = self.units() - len(np.unique(self.group))
        return float(stdtrit(max(degrees, 1), (1 + LEVEL) / 2) / Z)

    def answers(self, single: float, departures: Sequence[np.ndarray]) -> float:
        """Return as how many independent answers, of variance ``single``, the units count.

        ``departures`` are the ways ``(rows,) bool`` in which a unit can differ from units that are
        all alike; the rarest tells how many speakers say anything of the variance.
        """
        telling = min(self.units(where) for where in departures)
        apiece = self.variance / single if single > TINY else 0
        alike = self._of_units(self.weight[self.group] * self.share)
        return (telling + 1) / max(telling * apiece * self.widening**2 + alike, TINY)


def ratios(
    units: Sequence[str] | np.ndarray,
    group: np.ndarray,
    amount: np.ndarray,
    weight: np.ndarray,
    count: np.ndarray | None = None,
) -> Ratios:
    """Return the figure of the sums over clips of ``amount`` and ``count``, which is 1 by default.

    ``units`` (names or numbers), ``group``, ``amount`` and ``count`` are ``(clips,)``, ``weight
    (groups,)``. Clips that count nothing are left out.
    """
    unit = np.unique(np.asarray(units), return_inverse=True)[1]
    count = np.ones(len(unit)) if count is None else count
    kept = count > 0
    pairs, row = np.unique(unit[kept] * len(weight) + group[kept], return_inverse=True)
    return Ratios(
        unit=pairs // len(weight),
        group=pairs % len(weight),
        amount=np.bincount(row, amount[kept], len(pairs)),
        count=np.bincount(row, count[kept], len(pairs)),
        weight=weight,
    )


def by_group(of: Ratios) -> list[Ratios]:
    """Return the ratio of each group as a figure of its own."""
    every = (of.group == group for group in range(len(of.weight)))
    return [
        Ratios(of.unit[rows], 0 * of.group[rows], of.amount[rows], of.count[rows], np.ones(1))
        for rows in every
    ]


def of_proportions(right: Ratios) -> Bounds:
    """Return a proportion, and Wilson's score interval of as many answers as its clips count."""
    value = min(max(right.value, 0.0), 1.0)
    departures = (right.amount < right.count, right.amount > 0)
    answers = right.answers(value * (1 - value), departures)
    middle = (value + Z**2 / (2 * answers)) / (1 + Z**2 / answers)
    half = math.sqrt(value * (1 - value) / answers + (Z / (2 * answers)) ** 2)
    half *= Z / (1 + Z**2 / answers)
    low, high = (round(end, DIGITS) for end in (middle - half, middle + half))
    return value, max(0.0, min(low, value)), min(max(high, value), 1.0)


def of_differences(better: Ratios, worse: Ratios) -> Bounds:
    """Return by how much more often the first of two systems is right, with an interval.

    ``better`` counts the clips that only the first has right; ``worse``, of the same rows, those
    that only the second has. The interval is that of Agresti & Min (Statistics in Medicine 24,
    2005) for matched pairs: two answers are added, on one of which the systems differ, so that it
    stays open where they nowhere do; here to as many answers as the clips count.
    """
    gain = replace(better, amount=better.amount - worse.amount)
    apart = better.value + worse.value
    departures = (
        better.amount + worse.amount > 0, better.amount < gain.count, worse.amount < gain.count
    )  # fmt: skip
    answers = gain.answers(apart - gain.value**2, departures)
    middle = gain.value * answers / (answers + 2)
    varying = (apart * answers + 1) / (answers + 2) - middle**2
    half = Z * math.sqrt(varying / (answers + 2))
    return gain.value, max(middle - half, -1.0), min(middle + half, 1.0)


def of_means(of: Ratios) -> Bounds:
    """Return the mean of positive amounts, and Student's interval of its logarithm.

    That keeps the interval above 0 and lets it reach further up, as such amounts do.
    """
    half = Z * of.widening * math.sqrt(of.variance)
    factor = math.exp(half / max(of.value, TINY))
    return of.value, of.value / factor, of.value * factor
