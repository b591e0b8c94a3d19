"""How posteriors become a decision, on posteriors that are known."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from langid.streaming.decision import Decision, DecisionSettings
from langid.streaming.decision_rule import DecisionRule, DecisionTable
from langid.utterance import utterance_posterior

CLASSES = ["English", "Hindi", "Mandarin"]
HOP_S = 0.01


def rule(**settings: Any) -> DecisionRule:
    return DecisionRule(CLASSES, HOP_S, DecisionSettings.of({}, **settings))


def decide(posteriors: Any, speech: Any = None, **settings: Any) -> Decision:
    """Return the decision after those frames, all of them speech by default."""
    posteriors = np.asarray(posteriors, np.float32)
    heard = rule(**settings)
    heard.update(posteriors, np.ones(len(posteriors), bool) if speech is None else speech)
    return heard.decision


def frames(*parts: tuple[int, list[float]]) -> np.ndarray:
    """Return so many frames of each posterior, one after the other."""
    rows = [np.tile(np.array(row, np.float32), (count, 1)) for count, row in parts]
    return np.concatenate(rows)


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    """Return 600 frames of 12 classes whose leader changes, and which of them are speech."""
    random = np.random.default_rng(0)
    leader = np.repeat(random.integers(0, 12, 12), 50)
    scores = random.gumbel(size=(600, 12)) + 2 * np.eye(12)[leader]
    posteriors = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return posteriors.astype(np.float32), random.random(600) < 0.7


ENGLISH, HINDI, UNSURE = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]


def test_the_default_is_the_mean_over_speech_frames() -> None:
    posteriors = frames((3, ENGLISH), (5, HINDI))
    decision = decide(posteriors, np.arange(8) % 2 == 0)
    mean = posteriors[::2].mean(0)
    np.testing.assert_allclose(list(decision.posteriors.values()), mean, rtol=1e-6)
    assert (decision.label, decision.status) == (CLASSES[mean.argmax()], "decided")
    assert decision.confidence == pytest.approx(mean.max())
    assert (decision.speech_s, decision.heard_s) == (0.04, 0.08)
    assert decision.decided_after_s == 0.01


def test_before_any_speech_all_is_undecided_and_all_frames_count() -> None:
    assert rule().decision.posteriors == dict.fromkeys(CLASSES, 0.0)
    decision = decide(frames((3, ENGLISH), (2, HINDI)), np.zeros(5, bool))
    for found in (rule().decision, decision):
        assert (found.label, found.status, found.no_speech) == (None, "undecided", True)
        assert (found.speech_s, found.decided_after_s) == (0, None)
    mean = utterance_posterior(frames((3, ENGLISH), (2, HINDI)), np.zeros(5, bool))
    np.testing.assert_allclose(list(decision.posteriors.values()), mean, rtol=1e-6)
    assert decision.confidence == pytest.approx(mean.max())
    assert decision.heard_s == 0.05


def test_from_the_first_speech_on_no_frame_before_it_counts() -> None:
    posteriors, speech = frames((5, ENGLISH), (2, HINDI)), np.arange(7) >= 5
    whole = decide(posteriors, speech)
    assert not whole.no_speech
    assert list(whole.posteriors.values()) == pytest.approx(HINDI)
    table = DecisionTable(CLASSES, 0.01, DecisionSettings())
    for start in range(7):
        frame = slice(start, start + 1)
        table.update(np.zeros(1, np.intp), posteriors[None, frame], speech[None, frame])
    assert table.decision(0) == whole


def test_forgetting_follows_a_change_of_language_after_a_half_life() -> None:
    one, other = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    assert decide(frames((1000, one), (95, other)), half_life_s=1.0).label == "English"
    decision = decide(frames((1000, one), (105, other)), half_life_s=1.0)
    assert decision.label == "Hindi"
    assert decide(frames((1000, one), (105, other))).label == "English"  # the mean does not
    weights = 0.5 ** (np.arange(1105)[::-1] / 100)
    assert decision.posteriors["English"] == pytest.approx(weights[:1000].sum() / weights.sum())


def test_with_no_half_life_the_last_speech_frame_decides() -> None:
    speech = np.array([True] * 5 + [False])
    heard = frames((4, ENGLISH), (1, HINDI), (1, ENGLISH))
    decision = decide(heard, speech, half_life_s=0)
    assert decision.label == "Hindi"
    assert decision.posteriors["Hindi"] == pytest.approx(0.8)


def test_silence_is_not_forgotten_over() -> None:
    posteriors = frames((50, ENGLISH), (1000, HINDI), (50, HINDI))
    speech = np.r_[np.ones(50, bool), np.zeros(1000, bool), np.ones(50, bool)]
    with_silence = decide(posteriors, speech, half_life_s=1.0)
    assert with_silence.posteriors == decide(posteriors[speech], half_life_s=1.0).posteriors


def test_an_early_decision_waits_for_its_confidence() -> None:
    posteriors = frames((10, UNSURE), (30, ENGLISH))
    undecided = decide(posteriors[:12], decide_at=0.61)
    assert (undecided.label, undecided.status) == (None, "undecided")
    assert undecided.confidence == max(undecided.posteriors.values()) < 0.61
    assert undecided.decided_after_s is None
    decided = decide(posteriors, decide_at=0.61)
    means = np.cumsum(posteriors, 0)[:, 0] / np.arange(1, 41)
    assert (decided.label, decided.status) == ("English", "decided")
    assert decided.decided_after_s == pytest.approx((np.argmax(means >= 0.61) + 1) * HOP_S)


def test_a_decision_stays_until_another_language_reaches_the_confidence() -> None:
    posteriors = frames((100, ENGLISH), (160, HINDI))
    leads = decide(posteriors, decide_at=0.7)
    assert leads.posteriors["Hindi"] > leads.posteriors["English"]
    assert (leads.label, leads.confidence) == ("English", leads.posteriors["English"])
    reached = decide(np.concatenate([posteriors, frames((600, HINDI))]), decide_at=0.7)
    assert reached.label == "Hindi"
    assert reached.decided_after_s == leads.decided_after_s == 0.01


def test_candidates_are_renormalised() -> None:
    posteriors = frames((10, [0.6, 0.1, 0.3]))
    decision = decide(posteriors, languages=["Mandarin", "Hindi"])
    assert decision.label == "Mandarin"
    assert decision.posteriors == pytest.approx({"Hindi": 0.25, "Mandarin": 0.75})
    certain = decide(frames((10, [1.0, 0.0, 0.0])), languages=["Mandarin", "Hindi"])
    assert certain.posteriors == {"Hindi": 0.5, "Mandarin": 0.5}


def test_low_confidence_is_unknown() -> None:
    posteriors = frames((10, UNSURE))
    unknown = decide(posteriors, unknown_below=0.5)
    assert (unknown.label, unknown.status) == ("unknown", "unknown")
    assert unknown.confidence == pytest.approx(0.4)
    assert decide(posteriors, unknown_below=0.39).label == "English"
    assert decide(posteriors, unknown_below=0.5, decide_at=0.6).status == "undecided"
    assert decide(posteriors, unknown_below=0.5, languages=["English", "Hindi"]).label == "English"


def test_a_class_of_other_languages_is_unknown() -> None:
    heard = DecisionRule(["English", "unknown"], HOP_S, DecisionSettings.of({}))
    heard.update(np.array([[0.3, 0.7]] * 5, np.float32), np.ones(5, bool))
    assert (heard.decision.label, heard.decision.status) == ("unknown", "unknown")


SETTINGS: list[dict[str, Any]] = [
    {},
    {"half_life_s": 0.3},
    {"decide_at": 0.35},
    {"half_life_s": 0.2, "decide_at": 0.4, "languages": ["1", "3", "4", "7", "9"]},
    {"half_life_s": 0.1, "unknown_below": 0.3},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_blocks_change_no_decision(
    noisy: tuple[np.ndarray, np.ndarray], settings: dict[str, Any]
) -> None:
    """Every decision on the way is the same to the last bit, also where it is asked for rarely."""
    posteriors, speech = noisy

    def decisions(block: int, at: int) -> list[Decision]:
        heard = DecisionRule(list(map(str, range(12))), HOP_S, DecisionSettings.of({}, **settings))
        found = []
        for start, stop in pairwise((*range(0, 600, block), 600)):
            heard.update(posteriors[start:stop], speech[start:stop])
            if stop % at == 0:
                found.append(heard.decision)
        return found

    expected = decisions(1, 60)
    assert len({decision.label for decision in expected}) > 1 or "half_life_s" not in settings
    for block in (2, 15, 30, 60):
        assert decisions(block, 60) == expected
    assert decisions(600, 600) == decisions(1, 600) == decisions(7, 600) == expected[-1:]


@pytest.mark.parametrize("settings", SETTINGS)
def test_streams_of_a_table_are_decided_on_as_if_alone(
    noisy: tuple[np.ndarray, np.ndarray], settings: dict[str, Any]
) -> None:
    """To the last bit, while some streams pause, others begin anew and the table grows."""
    classes = list(map(str, range(12)))
    chosen = DecisionSettings.of({}, **settings)
    table = DecisionTable(classes, HOP_S, chosen)
    alone = {row: DecisionRule(classes, HOP_S, chosen) for row in range(5)}
    random = np.random.default_rng(1)
    posteriors, speech = noisy
    labels = set()
    for turn in range(60):
        rows = np.arange(1) if turn < 5 else random.permutation(5)[: random.integers(1, 6)]
        start = random.integers(0, 600 - 10, len(rows))
        frames = start[:, None] + np.arange(random.integers(1, 11))
        table.update(rows, posteriors[frames], speech[frames])
        for row, own in zip(rows, frames, strict=True):
            alone[row].update(posteriors[own], speech[own])
        if turn == 4:
            table.grow(5)
        if turn == 30:
            table.reset(2)
            alone[2].reset()
        if turn % 7 == 0:
            for row in range(1 if turn < 5 else 5):
                assert table.decision(row) == alone[row].decision
                labels.add(table.decision(row).label)
    assert len(labels) > 1
