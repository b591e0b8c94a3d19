"""Tests of langid/evaluation/intervals.py: how often intervals hold the truth, counted."""

from collections.abc import Iterable

import numpy as np
import pytest

from langid.evaluation.intervals import (
    Bounds,
    Ratios,
    by_group,
    of_differences,
    of_means,
    of_proportions,
    ratios,
)

DRAWS, CLASSES, ALIKE = 1000, 3, 0.2  # of two clips of a speaker, the correlation
Clips = np.ndarray  # (draws, classes, speakers)


def clips_of(speakers: int, generator: np.random.Generator) -> Clips:
    """Return how many clips each speaker has: from 1 to some thirty, 6 on average."""
    return generator.geometric(1 / 6, (DRAWS, CLASSES, speakers))


def right_of(clips: Clips, recall: float, generator: np.random.Generator) -> Clips:
    """Return how many clips are right: speakers differ (beta-binomial) around the true recall."""
    if recall == 1:
        return clips
    pull = (1 - ALIKE) / ALIKE
    return generator.binomial(
        clips, generator.beta(pull * recall, pull * (1 - recall), clips.shape)
    )


def as_ratios(right: Clips, clips: Clips) -> list[Ratios]:
    """Return the balanced accuracy of every draw as a figure."""
    language = np.repeat(np.arange(CLASSES), clips.shape[2])
    unit, weight = np.arange(len(language)), np.full(CLASSES, 1 / CLASSES)
    parts = (of.reshape(len(clips), -1).astype(float) for of in (right, clips))
    return [Ratios(unit, language, *pair, weight) for pair in zip(*parts, strict=True)]


def by_class(figures: list[Ratios]) -> list[Ratios]:
    return [of_class for figure in figures for of_class in by_group(figure)]


def held(bounds: Iterable[Bounds], truth: float) -> float:
    """Return how often an interval holds the truth; none is a point, and each holds its value."""
    value, low, high = np.array(list(bounds)).T
    assert (low < high).all() and ((low <= value) & (value <= high)).all()
    return float(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).mean())


def mean_width(bounds: Iterable[Bounds]) -> float:
    _, low, high = np.array(list(bounds)).T
    return float((high - low).mean())


CASES = [(speakers, recall) for speakers in (5, 20, 100) for recall in (0.7, 0.95, 1.0)]


@pytest.mark.parametrize(("speakers", "recall"), CASES)
def test_recall_and_balanced_accuracy_are_held(speakers: int, recall: float) -> None:
    generator = np.random.default_rng(0)
    clips = clips_of(speakers, generator)
    right = as_ratios(right_of(clips, recall, generator), clips)
    assert held(map(of_proportions, right), recall) >= 0.92
    assert held(map(of_proportions, by_class(right)), recall) >= 0.92


@pytest.mark.parametrize(("speakers", "recall"), CASES)
@pytest.mark.parametrize("lost", [0.0, 0.05])
def test_paired_differences_are_held(speakers: int, recall: float, lost: float) -> None:
    """The second system says the same of six clips of ten, and is worse by ``lost`` on the rest."""
    generator = np.random.default_rng(0)
    clips = clips_of(speakers, generator)
    first = right_of(clips, recall, generator)
    kept_right, kept_wrong = (generator.binomial(part, 0.6) for part in (first, clips - first))
    again = clips - kept_right - kept_wrong  # clips of which the second system says anew
    chance = right_of(np.full_like(clips, 1000), recall - lost, generator) / 1000
    better = generator.binomial(first - kept_right, 1 - chance)
    worse = generator.binomial(again - (first - kept_right), chance)
    pair = as_ratios(better, clips), as_ratios(worse, clips)
    assert held(map(of_differences, *pair), 0.4 * lost) >= 0.92
    assert held(map(of_differences, *map(by_class, pair)), 0.4 * lost) >= 0.92


def test_intervals_are_not_much_wider_than_a_bootstrap_where_that_one_is_right() -> None:
    generator = np.random.default_rng(0)
    clips = clips_of(100, generator)[:200]
    for recall, wider in ((0.7, 1.1), (0.95, 1.2)):
        right = right_of(clips, recall, generator)
        shape = (len(clips) * CLASSES, 100)
        drawn = generator.multinomial(100, np.full(100, 0.01), 500).T
        recalls = (right.reshape(shape) @ drawn) / (clips.reshape(shape) @ drawn)
        low, high = np.quantile(recalls.reshape(-1, CLASSES, 500).mean(1), [0.025, 0.975], axis=1)
        own = mean_width(map(of_proportions, as_ratios(right, clips)))
        assert 1 < own / (high - low).mean() < wider


def test_a_mean_of_skewed_amounts_is_held() -> None:
    generator = np.random.default_rng(0)
    for speakers in (5, 20, 100):
        clips = np.full((DRAWS, CLASSES, speakers), 6)
        own = generator.gamma(2, 0.5, clips.shape)  # of each speaker, 1 on average
        amounts = generator.gamma(6 * 1.5, own / 1.5)  # the sum of six clips of his
        assert held(map(of_means, as_ratios(amounts, clips)), 1.0) >= 0.92


def test_speakers_that_are_all_alike_count_as_one_answer_each() -> None:
    """Twenty speakers of ten clips, all right or all wrong: Wilson's interval of 14 of 20."""
    unit = np.repeat(np.arange(20), 10)
    right = (unit < 14).astype(float)
    _, low, high = of_proportions(ratios(unit, np.zeros(200, int), right, np.ones(1)))
    assert low == pytest.approx(0.481, abs=0.025) and high == pytest.approx(0.855, abs=0.025)
    nobody = of_proportions(ratios(unit, np.zeros(200, int), np.ones(200), np.ones(1)))
    assert nobody[1] == pytest.approx(20 / (20 + 1.96**2), abs=1e-4) and nobody[2] == 1


def test_units_of_no_count_are_left_out_and_sums_are_of_clips() -> None:
    found = ratios(
        np.array([0, 0, 1, 2]), np.array([0, 0, 0, 1]), np.array([1.0, 2, 3, 0]),
        np.array([0.5, 0.5]), np.array([2.0, 2, 4, 0]),
    )  # fmt: skip
    assert (found.unit.tolist(), found.group.tolist()) == ([0, 1], [0, 0])
    assert (found.amount.tolist(), found.count.tolist()) == ([3, 3], [4, 4])
    assert found.value == pytest.approx(0.375)  # a group without rows adds nothing
