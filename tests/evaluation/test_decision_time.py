"""Tests of langid/evaluation/decision_time.py."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from langid.evaluation.decision_time import (
    SECONDS,
    THRESHOLDS,
    accuracy_by_speech,
    choose_decide_at,
    first_decisions,
    time_to_decision,
)
from langid.evaluation.streamed import Streamed, StreamedClip
from langid.streaming.decision import DECIDED, UNKNOWN, DecisionSettings
from langid.streaming.decision_rule import DecisionRule

HOP_S = 0.01
CLASSES = ["A", "B", "C"]


def clip(posteriors: list[list[float]] | np.ndarray) -> StreamedClip:
    """Return a clip whose speech begins after a second of silence."""
    frames = np.asarray(posteriors, np.float32)
    return StreamedClip(0.0, frames, 1 + (np.arange(len(frames)) + 1) * HOP_S)


def certain(language: int, confidence: float, frames: int = 10) -> StreamedClip:
    rest = (1 - confidence) / 2
    row = [confidence if place == language else rest for place in range(3)]
    return clip([row] * frames)


def streamed(clips: list[StreamedClip], targets: list[int], speakers: str = "abcdef") -> Streamed:
    own = list(speakers[: len(clips)])
    return Streamed(clips, pd.DataFrame({"target": targets, "speaker": own}), HOP_S)


@pytest.mark.parametrize("classes", [CLASSES, ["A", UNKNOWN, "C"]])
@pytest.mark.parametrize("seed", range(5))
def test_first_decisions_are_those_of_a_stream(seed: int, classes: list[str]) -> None:
    unknown = classes.index(UNKNOWN) if UNKNOWN in classes else None
    generator = np.random.default_rng(seed)
    posteriors = generator.dirichlet([0.3, 0.3, 0.3], 60).astype(np.float32)
    posteriors[:3] = 0.4, 0.3, 0.3  # so that some thresholds are reached later
    thresholds = THRESHOLDS[::7]
    own = clip(posteriors)
    frames, labels = first_decisions(
        replace(streamed([own], [0]), unknown=unknown), own, thresholds
    )
    assert (frames < 0).any() and (frames > 0).any()
    for threshold, frame, label in zip(thresholds, frames, labels, strict=True):
        rule = DecisionRule(classes, HOP_S, DecisionSettings(decide_at=float(threshold)))
        found = (-1, -1)
        for number, row in enumerate(posteriors):
            rule.update(row[None], np.array([True]))
            if rule.decision.status == DECIDED:
                found = (number, classes.index(rule.decision.label))
                if unknown is None:
                    assert rule.decision.decided_after_s == pytest.approx((number + 1) * HOP_S)
                break
        assert (frame, label) == found


def test_where_nobody_speaks_no_stream_decides() -> None:
    silent = replace(certain(0, 0.9), spoken=False)
    frames, labels = first_decisions(streamed([silent], [0]), silent, np.array([0.001, 0.5]))
    assert frames.tolist() == labels.tolist() == [-1, -1]
    assert time_to_decision(streamed([silent, certain(0, 0.9)], [0, 0]), 0.5)["decided"] == 1


def test_the_lowest_threshold_that_keeps_the_error_rate_is_chosen() -> None:
    # Wrong are the clips of confidence 0.5 and 0.7, right those of 0.6, 0.8, 0.9 and 0.95.
    clips = [certain(0, confidence) for confidence in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)]
    some = streamed(clips, [1, 0, 1, 0, 0, 0])
    threshold, found = choose_decide_at(some, 0.01)
    assert threshold == pytest.approx(0.7, abs=2e-3)
    assert found == {"decided": 3, "error": 0.0}
    threshold, found = choose_decide_at(some, 0.2)
    assert threshold == pytest.approx(0.5, abs=2e-3)
    assert found == {"decided": 5, "error": pytest.approx(0.2)}
    threshold, found = choose_decide_at(streamed(clips, [2] * 6), 0.1)
    assert threshold is None and found["error"] == 1.0


def test_time_to_decision_counts_speech_and_audio() -> None:
    late = clip([[0.4, 0.3, 0.3]] * 5 + [[1.0, 0.0, 0.0]] * 45)
    clips = [certain(0, 0.9), late, certain(1, 0.95), certain(2, 0.5)]
    found = time_to_decision(streamed(clips, [0, 0, 2, 2]), 0.79)
    assert (found["decided"], found["clips"]) == (3, 4)
    assert found["share"]["value"] == 0.75
    assert found["error"]["value"] == pytest.approx(1 / 3)
    assert found["error"]["low"] is None and found["error"]["reason"] == "3 speakers"
    assert found["speech_s"][1] == pytest.approx(0.01)  # two clips at their first frame
    assert found["audio_s"][1] == pytest.approx(1.01)
    # (5 * 0.4 + n) / (5 + n) reaches 0.79 at n = 10: the 15th frame
    only = time_to_decision(streamed([late], [0]), 0.79)
    assert only["speech_s"] == pytest.approx([0.15] * 3)
    none = time_to_decision(streamed([certain(0, 0.5)], [0]), 0.9)
    assert (none["decided"], none["error"], none["speech_s"]) == (0, None, None)


def test_accuracy_by_seconds_of_speech() -> None:
    wrong_first = clip([[0.0, 1.0, 0.0]] * 80 + [[1.0, 0.0, 0.0]] * 140)  # right from 1.6 s on
    short = certain(0, 0.9, frames=30)
    rows = accuracy_by_speech(streamed([wrong_first, short], [0, 0]))
    assert [row["seconds"] for row in rows] == list(SECONDS)
    assert [row["all"]["value"] for row in rows] == [0.5, 0.5, 1, 1, 1, 1]
    assert [row["clips"] for row in rows] == [1, 1, 1, 0, 0, 0]
    assert [row["long"] and row["long"]["value"] for row in rows] == [0, 0, 1, None, None, None]
