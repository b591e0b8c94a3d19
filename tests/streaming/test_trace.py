"""A recording in few columns, and its picture."""

from pathlib import Path

import numpy as np
import pytest

from langid.errors import LangidError
from langid.streaming import trace as trace_module
from langid.streaming.segments import Stretch
from langid.streaming.trace import Trace, draw

CLASSES = ["English", "Hindi"]


def traced(hops: int, block: int = 7) -> Trace:
    """Return the trace of so many hops of 4 samples; posteriors count the hops."""
    trace = Trace(CLASSES, hop_samples=4, sample_rate=400)
    for start in range(0, hops, block):
        numbers = np.arange(start, min(start + block, hops))
        samples = np.repeat(numbers, 4).astype(np.float32)
        trace.update(samples, np.stack([numbers, -numbers], 1), numbers % 2 == 0)
    return trace


def test_a_column_is_a_hop_at_first() -> None:
    trace = traced(20)
    np.testing.assert_array_equal(trace.columns[3], [3, 3, 0, 3, -3])
    np.testing.assert_allclose(trace.times_s, np.arange(20) / 100 + 0.005)


@pytest.mark.parametrize("block", [1, 7, 600])
def test_columns_become_coarser_and_stay_few(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(trace_module, "COLUMNS", 10)
    trace = traced(599, block)
    assert 10 <= len(trace.columns) < 20
    assert len(trace.columns) == 599 // 32
    for number, column in enumerate(trace.columns):
        first, last = number * 32, number * 32 + 31
        mean = (first + last) / 2
        np.testing.assert_allclose(column, [first, last, 0.5, mean, -mean])
    assert trace.times_s[0] == pytest.approx(0.16)


def test_the_last_hop_may_be_short() -> None:
    trace = Trace(CLASSES, 4, 400)
    trace.update(np.ones(6, np.float32), np.ones((2, 2)), np.ones(2, bool))
    np.testing.assert_array_equal(trace.columns[:, :2], [[1, 1], [0, 1]])


def test_the_picture_is_a_png_with_all_parts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "picture.png"
    timeline = [Stretch(0, 0.1, "undecided"), Stretch(0.1, 0.2, "Hindi")]
    timeline.append(Stretch(0.2, 0.3, "unknown"))
    draw(traced(20), timeline, path, "clip.wav")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    draw(traced(20), timeline[:1], path, "clip.wav")
    assert path.read_bytes() != content


def test_nothing_heard_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(LangidError, match="nothing was heard"):
        draw(Trace(CLASSES, 4, 400), [], tmp_path / "a.png", "clip.wav")
