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

Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]  # value, low, high: each (figures,)


@dataclass(frozen=True)
class Ratios:
    """Figures that are weighted means, over groups, of the ratios of two sums over units.

    A row is a unit (speaker) in a group: ``unit``, ``group``, ``amount`` (at most the count) and
    ``count`` (positive) are ``(rows,)``. ``weight`` and ``figure`` are ``(groups,)``: how much a
    group weighs in its figure, and which one that is. A unit belongs to one figure, and is in a
    group once.
    """

    unit: np.ndarray
    group: np.ndarray
    amount: np.ndarray
    count: np.ndarray
    weight: np.ndarray
    figure: np.ndarray

    @cached_property
    def figures(self) -> int:
        return int(self.figure.max()) + 1

    @cached_property
    def ratio(self) -> np.ndarray:
        """Of each group; 0 of one without rows."""
        counts = np.maximum(self._in_groups(self.count), TINY)
        return np.asarray(self._in_groups(self.amount) / counts)

    @cached_property
    def value(self) -> np.ndarray:
        return np.round(np.bincount(self.figure, self.weight * self.ratio, self.figures), DIGITS)

    def _in_groups(self, of_rows: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, of_rows, len(self.weight))

    def units(self, where: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return how many units each figure has, of those in rows ``where (rows,) bool``."""
        _, first = np.unique(self.unit[where], return_index=True)
        return np.bincount(self.figure[self.group[where][first]], minlength=self.figures)

    def of_units(self, of_rows: np.ndarray) -> np.ndarray:
        """Return the sum over figures' units of the squares of their rows' sums."""
        figure_of = np.zeros(int(self.unit.max(initial=-1)) + 1, int)
        figure_of[self.unit] = self.figure[self.group]
        return np.bincount(figure_of, np.bincount(self.unit, of_rows) ** 2, self.figures)

    @cached_property
    def share(self) -> np.ndarray:
        """Of each row in its group."""
        return np.asarray(self.count / self._in_groups(self.count)[self.group])

    @cached_property
    def variance(self) -> np.ndarray:
        """Of each value between units; one that is alone in its group is set against the whole."""
        alone = self.share > 1 - TINY
        beside = np.where(alone, self.value[self.figure[self.group]], self.ratio[self.group])
        above = (self.amount / self.count - beside) / np.sqrt(np.where(alone, 1, 1 - self.share))
        return self.of_units(self.weight[self.group] * self.share * above)

    @cached_property
    def widening(self) -> np.ndarray:
        """Student's t over the normal quantile, of as many degrees as units less groups."""
        heard = np.bincount(self.group, minlength=len(self.weight)) > 0
        degrees = self.units() - np.bincount(self.figure, heard, self.figures)
        return np.asarray(stdtrit(np.maximum(degrees, 1), (1 + LEVEL) / 2) / Z)

    def answers(self, single: np.ndarray, departures: Sequence[np.ndarray]) -> np.ndarray:
        """Return as how many independent answers, of variance ``single``, the units count.

        ``departures`` are the ways ``(rows,) bool`` in which a unit can differ from units that are
        all alike; the rarest tells how many speakers say anything of the variance.
        """
        telling = np.min([self.units(where) for where in departures], axis=0)
        apiece = np.where(single > TINY, self.variance / np.maximum(single, TINY), 0)
        alike = self.of_units(self.weight[self.group] * self.share)
        per_answer = telling * apiece * self.widening**2 + alike
        return np.asarray((telling + 1) / np.maximum(per_answer, TINY))


def ratios(
    unit: np.ndarray,
    group: np.ndarray,
    amount: np.ndarray,
    weight: np.ndarray,
    count: np.ndarray | None = None,
) -> Ratios:
    """Return one figure of the sums over clips of ``amount`` and ``count``, which is 1 by default.

    ``unit``, ``group``, ``amount`` and ``count`` are ``(clips,)``, ``weight (groups,)``. Clips that
    count nothing are left out.
    """
    count = np.ones(len(unit)) if count is None else count
    kept = count > 0
    pairs, row = np.unique(unit[kept] * len(weight) + group[kept], return_inverse=True)
    return Ratios(
        unit=pairs // len(weight),
        group=pairs % len(weight),
        amount=np.bincount(row, amount[kept], len(pairs)),
        count=np.bincount(row, count[kept], len(pairs)),
        weight=weight,
        figure=np.zeros(len(weight), int),
    )


def by_group(of: Ratios) -> Ratios:
    """Return the ratio of each group as a figure of its own."""
    groups = len(of.weight)
    return replace(
        of, unit=np.arange(len(of.unit)), weight=np.ones(groups), figure=np.arange(groups)
    )


def of_proportions(right: Ratios) -> Bounds:
    """Return proportions, and Wilson's score interval of as many answers as their clips count."""
    value = np.clip(right.value, 0, 1)
    departures = (right.amount < right.count, right.amount > 0)
    answers = right.answers(value * (1 - value), departures)
    middle = (value + Z**2 / (2 * answers)) / (1 + Z**2 / answers)
    half = np.sqrt(value * (1 - value) / answers + (Z / (2 * answers)) ** 2)
    half *= Z / (1 + Z**2 / answers)
    low, high = (np.clip(np.round(end, DIGITS), 0, 1) for end in (middle - half, middle + half))
    return value, np.minimum(low, value), np.maximum(high, value)


def of_differences(better: Ratios, worse: Ratios) -> Bounds:
    """Return by how much more often the first of two systems is right, with intervals.

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
    half = Z * np.sqrt(varying / (answers + 2))
    return gain.value, np.maximum(middle - half, -1), np.minimum(middle + half, 1)


def of_means(of: Ratios) -> Bounds:
    """Return means of positive amounts, and Student's interval of their logarithm.

    That keeps the interval above 0 and lets it reach further up, as such amounts do.
    """
    half = Z * of.widening * np.sqrt(of.variance)
    factor = np.exp(half / np.maximum(of.value, TINY))
    return of.value, of.value / factor, of.value * factor
