"""Tests of langid/evaluation/paired_tests.py against exact values."""

import itertools

import numpy as np
import pytest

from langid.evaluation import paired_tests
from langid.evaluation.paired_tests import flips_of_all, mcnemar, speaker_flips


def test_mcnemar_is_a_sign_test_of_the_clips_that_one_system_has_right() -> None:
    ours = np.array([True] * 9 + [False] * 1 + [True] * 40 + [False] * 10)
    theirs = np.array([False] * 9 + [True] * 1 + [True] * 40 + [False] * 10)
    assert mcnemar(ours, theirs) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(ours, ours) == 1


def test_flips_of_speakers_find_the_share_of_exchanges_that_differ_as_much() -> None:
    generator = np.random.default_rng(1)
    speakers = np.repeat([f"s{n}" for n in range(10)], [1, 2, 3, 4, 5, 6, 1, 2, 3, 9])
    targets = generator.integers(0, 3, len(speakers)) * 2  # a class in between has no clip
    ours, theirs = generator.random(len(speakers)) < 0.9, generator.random(len(speakers)) < 0.55
    gains = []
    for name in dict.fromkeys(speakers):
        of_class = [
            (ours.astype(int) - theirs)[(speakers == name) & (targets == of)].sum()
            / (targets == of).sum()
            for of in np.unique(targets)
        ]
        gains.append(sum(of_class) / 3)
    every = [abs(np.dot(signs, gains)) for signs in itertools.product((-1, 1), repeat=10)]
    expected = np.mean(np.array(every) >= abs(sum(gains)) - 1e-9)
    assert 0.001 < expected < 0.5
    found = speaker_flips(targets, ours, theirs, speakers.tolist())
    assert found == pytest.approx(expected, abs=0.012)
    assert speaker_flips(targets, theirs, ours, speakers.tolist()) == found
    assert speaker_flips(targets, ours, ours, speakers.tolist()) == 1


def test_clips_of_one_speaker_are_one_answer() -> None:
    """A hundred clips of one speaker are no evidence, though McNemar's test takes them for it."""
    ours, theirs = np.ones(100, bool), np.zeros(100, bool)
    targets = np.arange(100) % 2
    assert mcnemar(ours, theirs) < 1e-20
    assert speaker_flips(targets, ours, theirs, ["s"] * 100) == 1
    assert speaker_flips(targets, ours, theirs, [f"s{n}" for n in range(100)]) < 0.001


def test_of_two_systems_all_at_once_are_the_two() -> None:
    generator = np.random.default_rng(2)
    right = generator.random((2, 90)) < [[0.8], [0.6]]
    targets, speakers = np.arange(90) % 3, [f"s{n % 40}" for n in range(90)]
    found = flips_of_all(targets, right, speakers, 0)
    assert found[0] == 1 and found[1] == speaker_flips(targets, *right, speakers)


def test_the_best_of_many_that_are_alike_is_rarely_ahead_by_more_than_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(paired_tests, "FLIPS", 999)
    generator, found = np.random.default_rng(5), []
    for _ in range(100):
        right = generator.random((12, 60)) < 0.8
        best = int(right.sum(1).argmax())
        found.append(flips_of_all(np.zeros(60, int), right, [f"s{n}" for n in range(60)], best))
    assert np.mean([of.min() < 0.05 for of in found]) <= 0.08
    better = generator.random((3, 300)) < [[0.95], [0.8], [0.95]]
    p = flips_of_all(np.zeros(300, int), better, [f"s{n}" for n in range(300)], 0)
    assert p[1] <= 0.001 and p[2] > 0.05
