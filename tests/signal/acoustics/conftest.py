"""A real clip with its marks of speech, and what is measured of sounds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from langid.signal.acoustics.sound import Sound
from langid.signal.speech_detector import EnergyDetector

HOP, RATE = 160, 16000
Marks = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def marks() -> Marks:
    """Return a function that marks the speech in samples, as ``langid prepare`` does."""
    detector = EnergyDetector(HOP)
    return lambda samples: detector(torch.from_numpy(samples)[None])[0].numpy()


@pytest.fixture(scope="session")
def sound(clips: list[np.ndarray], marks: Marks) -> Sound:
    """Return a real clip, of an even number of hops."""
    samples = clips[0][: len(clips[0]) // (2 * HOP) * 2 * HOP]
    return Sound(samples, marks(samples), RATE)


@pytest.fixture
def silence(sound: Sound) -> Sound:
    """Return digital silence."""
    samples = np.zeros(RATE, np.float32)
    return replace(sound, samples=samples, speech=np.zeros(RATE // HOP, bool))
