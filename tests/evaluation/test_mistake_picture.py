"""Tests of langid/evaluation/mistake_picture.py."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from langid.evaluation.mistake_picture import COLUMNS, LEFT, RIGHT, mistake_svg
from langid.evaluation.mistakes import Mistake

CLASSES = ["Arabic", "A <name> that is much longer than its room", "Hindi"]


def drawn(frames: int, samples: int) -> ElementTree.Element:
    """Return the picture of a clip whose second half is speech and said to be Hindi."""
    half = frames // 2
    posteriors = np.array([[0.7, 0.2, 0.1]] * half + [[0.1, 0.2, 0.7]] * (frames - half))
    speech = np.arange(frames) >= half
    sound = np.sin(np.arange(samples) / 9).astype(np.float32)
    one = Mistake("u", "Arabic", "Hindi", 0.6, posteriors, speech, 3.0, sound)
    svg = mistake_svg(one, CLASSES, 'what "is" said')
    return ElementTree.fromstring(svg)


def test_what_is_said_and_when_stands_in_its_bars_and_lines() -> None:
    picture = drawn(1000, 48000)
    assert picture.get("aria-label") == 'what "is" said'
    texts = [text.text for text in picture.iter("text")]
    assert {"speech", "Arabic", "Hindi", "seconds", "0", "3"} <= set(texts)
    assert "A <name> that is much lo…" in texts
    lines = [line for line in picture.iter("polyline") if line.get("opacity") == "1"]
    starts = {float(str(line.get("points")).split(",")[0]) for line in lines}
    middle = (LEFT + RIGHT) / 2
    assert len(lines) == 3 and all(abs(start - middle) < 2 for start in starts)  # of speech
    colour = {line.get("stroke") for line in lines}
    said = [bar for bar in picture.iter("rect") if bar.get("y") == "228" and bar.get("height")]
    first, second = (bar for bar in said if bar.get("fill") in colour)
    assert float(str(first.get("x"))) == LEFT
    assert abs(float(str(second.get("x"))) - middle) < 2


def test_a_waveform_is_as_fine_as_its_sound_and_not_as_its_frames() -> None:
    (wave,) = drawn(25, 16000).iter("polygon")
    assert len(str(wave.get("points")).split()) == 2 * COLUMNS


def test_a_clip_of_one_frame_and_one_without_its_sound() -> None:
    assert len(list(drawn(1, 100).iter("polygon"))) == 1
    assert not list(drawn(1, 0).iter("polygon"))
