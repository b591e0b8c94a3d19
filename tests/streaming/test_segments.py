"""The timeline of a recording, on posteriors whose boundaries are known."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from langid.errors import LangidError
from langid.streaming.segments import Segment, Segmenter

CLASSES = ["English", "Hindi", "Mandarin"]
HOP_S = 0.01
SILENCE = "silence"


def recording(*parts: tuple[str, float], noise: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy posteriors and speech of so many seconds of each language or of silence."""
    random = np.random.default_rng(0)
    names = [name for name, seconds in parts for _ in range(round(seconds / HOP_S))]
    right = np.array([[name == language for language in CLASSES] for name in names])
    # A network's errors last: noise that is the same for a tenth of a second.
    shared = np.repeat(random.normal(0, noise, (len(names) // 10 + 1, 3)), 10, 0)[: len(names)]
    scores = 2 * right + shared + random.normal(0, 0.3, right.shape)
    posteriors = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return posteriors.astype(np.float32), np.array([name != SILENCE for name in names])


def segment(
    heard: tuple[np.ndarray, np.ndarray], block: int = 100, **settings: Any
) -> list[Segment]:
    segmenter = Segmenter(CLASSES, HOP_S, **settings)
    found = []
    for start in range(0, len(heard[0]), block):
        found += segmenter.process(*(array[start : start + block] for array in heard))
    return [*found, *segmenter.finish()]


def rows(found: list[Segment]) -> list[tuple[str, float, float]]:
    return [(part.label, part.start_s, part.end_s) for part in found]


def test_changes_are_found_where_they_are() -> None:
    parts = (("English", 12.0), ("Mandarin", 7.0), ("English", 5.0), ("Hindi", 20.0))
    found = segment(recording(*parts))
    assert [part.label for part in found] == [name for name, _ in parts]
    expected = np.cumsum([0, *(seconds for _, seconds in parts)])
    np.testing.assert_allclose([part.start_s for part in found], expected[:-1], atol=0.3)
    np.testing.assert_allclose([part.end_s for part in found], expected[1:], atol=0.3)
    assert all(0.5 < part.confidence < 1 for part in found)


def test_a_change_near_a_pause_is_put_into_it() -> None:
    for stray in (0.05, 0.3):
        before = (("English", 8.0), (SILENCE, 1.0), ("English", stray), ("Hindi", 8.0))
        behind = (("English", 8.0), ("Hindi", stray), (SILENCE, 1.0), ("Hindi", 8.0))
        for parts in (before, behind):
            found = segment(recording(*parts, noise=0.0))
            assert [part.label for part in found] == ["English", "Hindi"]
            assert min(part.speech_s for part in found) >= 8
    far = (("English", 8.0), (SILENCE, 1.0), ("English", 3.0), ("Hindi", 8.0))
    assert len(segment(recording(*far, noise=0.0))) == 3


def test_without_noise_changes_are_exact_for_any_half_life() -> None:
    heard = recording(("English", 6.0), ("Hindi", 4.0), ("Mandarin", 3.0), noise=0.0)
    expected = [("English", 0, 6), ("Hindi", 6, 10), ("Mandarin", 10, 13)]
    for half_life_s in (0.1, 0.5, 1.0):
        found = rows(segment(heard, half_life_s=half_life_s))
        assert [(name, pytest.approx(a), pytest.approx(b)) for name, a, b in expected] == found


def test_pauses_end_segments_and_the_language_goes_on_behind_them() -> None:
    heard = recording(
        ("Hindi", 3.0), (SILENCE, 0.4), ("Hindi", 2.0), (SILENCE, 1.0), ("Hindi", 0.5),
        (SILENCE, 2.0), ("English", 4.0), noise=0.0,
    )  # fmt: skip
    found = segment(heard)
    expected = [("Hindi", 0.0, 5.4), ("Hindi", 6.4, 6.9), ("English", 8.9, 12.9)]
    assert rows(found) == [(name, pytest.approx(a), pytest.approx(b)) for name, a, b in expected]
    assert [part.speech_s for part in found] == pytest.approx([5.0, 0.5, 4.0])
    assert len(segment(heard, pause_s=3.0)) == 2


def test_what_is_shorter_than_the_minimum_is_no_segment() -> None:
    heard = recording(("English", 6.0), ("Hindi", 1.8), ("English", 6.0), noise=0.0)
    assert [part.label for part in segment(heard)] == ["English"]
    shorter = segment(heard, min_duration_s=1.0, half_life_s=0.3)
    assert [part.label for part in shorter] == ["English", "Hindi", "English"]
    first = segment(recording(("Hindi", 1.0), ("English", 6.0), noise=0.0))
    assert rows(first) == [("English", 0.0, 7.0)]


def test_a_recording_shorter_than_the_minimum_has_its_leader() -> None:
    assert rows(segment(recording(("Hindi", 0.7), noise=0.0))) == [("Hindi", 0.0, 0.7)]


def test_no_segment_ends_behind_the_recording() -> None:
    """1.8 s of audio in hops of half a second: the last one is zeros for the most part."""
    segmenter = Segmenter(CLASSES, 0.5, min_duration_s=0.5)
    posteriors = np.array([[0.1, 0.8, 0.1]] * 4, np.float32)
    assert segmenter.process(posteriors, np.array([False, True, True, True])) == []
    [found] = segmenter.finish(1.8)
    assert (found.start_s, found.end_s, found.speech_s) == (0.5, 1.8, 1.3)


def test_silence_and_nothing_have_no_segments() -> None:
    assert segment(recording((SILENCE, 5.0))) == []
    assert Segmenter(CLASSES, HOP_S).finish() == []


def test_candidates_only() -> None:
    heard = recording(("English", 5.0), ("Hindi", 5.0), noise=0.0)
    found = segment(heard, languages=["Hindi", "Mandarin"])
    assert {part.label for part in found} <= {"Hindi", "Mandarin"}
    assert found[-1].label == "Hindi"


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_blocks_change_nothing(block: int) -> None:
    heard = recording(("English", 5.0), (SILENCE, 1.0), ("Mandarin", 6.0), ("Hindi", 4.0))
    assert segment(heard, block) == segment(heard, 100)


def test_segments_come_while_the_recording_goes_on() -> None:
    segmenter = Segmenter(CLASSES, HOP_S)
    assert segmenter.process(*recording(("English", 10.0), noise=0.0)) == []
    [english] = segmenter.process(*recording(("Hindi", 10.0), noise=0.0))
    assert (english.label, english.end_s) == ("English", pytest.approx(10))


def test_memory_does_not_grow_with_the_recording() -> None:
    segmenter = Segmenter(CLASSES, HOP_S)
    heard = recording(("English", 10.0))
    peaks = []
    tracemalloc.start()
    for _ in range(4):
        tracemalloc.reset_peak()
        segmenter.process(*heard)
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[3] < 1.2 * peaks[1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"half_life_s": 0}, "half_life_s=0: accepted are seconds above 0"),
        ({"half_life_s": float("inf")}, "half_life_s=inf"),
        ({"half_life_s": "long"}, "half_life_s=long"),
        ({"min_duration_s": float("nan")}, "min_duration_s=nan"),
        ({"pause_s": -1}, "pause_s=-1: accepted are seconds from 0"),
        ({"languages": ["Thai"]}, "the model has no Thai; it knows English, Hindi, Mandarin"),
        ({"languages": "Hindi"}, "languages=Hindi: expected a list"),
        ({"languages": []}, r"languages=\[\]: expected a list"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LangidError, match=message):
        Segmenter(CLASSES, HOP_S, **settings)
