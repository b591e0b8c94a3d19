"""A sound with its marks of speech, and what every change of one has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, isfinite
from typing import Any

import numpy as np

AUDIBLE = 1e-9  # mean square: 90 dB below full scale
RUMBLE_HZ = 60.0  # below it there is no speech
Draws = np.random.Generator
Told = dict[str, Any]
Source = Callable[[int, Draws], np.ndarray | None]


@dataclass(frozen=True)
class Sound:
    """``samples (samples,)`` float32 of full scale 1, whole hops, and ``speech (hops,) bool``.

    ``others`` are what else is heard where it was recorded, by kind of noise: each returns so many
    samples, drawn, or None where it has none. ``origin (hops,)``, where it is asked for, says of
    which hop of the recording each is, as near as can be.
    """

    samples: np.ndarray
    speech: np.ndarray
    sample_rate: int
    others: Mapping[str, Source] = field(default_factory=dict)
    origin: np.ndarray | None = None

    @property
    def hop_samples(self) -> int:
        """Return the samples of a mark."""
        return len(self.samples) // len(self.speech)

    @property
    def speech_power(self) -> float:
        """Return the mean square of what is speech, of a sound without any that of all."""
        spoken = self.samples.reshape(len(self.speech), -1)[self.speech]
        return power(spoken if len(spoken) else self.samples)

    def with_samples(self, samples: np.ndarray) -> Sound:
        """Return as many other samples with the same marks."""
        assert samples.shape == self.samples.shape
        return replace(self, samples=samples.astype(np.float32, copy=False))

    def at_pace(self, samples: np.ndarray, pace: float) -> Sound:
        """Return the sound in ``samples``, which go ``pace`` times as fast; the marks follow.

        The last hop is filled with the last sample. No speech is lost to rounding.
        """
        hop, before = self.hop_samples, len(self.speech)
        hops = max(1, ceil(len(samples) / hop))
        filled = np.pad(samples, (0, hops * hop - len(samples)), mode="edge")
        heard = ((np.arange(hops) + 0.5) * pace).astype(int).clip(max=before - 1)
        speech = self.speech[heard]
        spoken = ((np.flatnonzero(self.speech) + 0.5) / pace).astype(int)
        speech[spoken.clip(max=hops - 1)] = True
        origin = None if self.origin is None else self.origin[heard]
        samples = filled.astype(np.float32, copy=False)
        return replace(self, samples=samples, speech=speech, origin=origin)

    def in_time(self, samples: np.ndarray, speech: np.ndarray, before: int) -> Sound:
        """Return the sound with so many hops ``before`` its own, or fewer than 0, that were cut."""
        origin = self.origin
        if origin is not None:
            origin = np.pad(origin[max(0, -before) :], (max(0, before), 0), "edge")
            origin = np.pad(origin, (0, len(speech) - len(origin)), "edge")
        return replace(self, samples=samples, speech=speech, origin=origin)


class Transform:
    """One change of a sound, made with ``probability``; all that is random comes from ``draws``."""

    def __init__(self, probability: float):
        self.probability = checked("probability", probability, 0, 1)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        """Return the changed sound and what was drawn, in words and numbers for people."""
        raise TypeError(f"{type(self).__name__} does not say how a sound is changed")


class Refused(ValueError):
    """A value that a transform does not take; the chain says of which."""


def checked(name: str, value: Any, least: float, most: float) -> float:
    """Return a number between two others; raises Refused for anything else."""
    number = type(value) in (int, float) and isfinite(value)
    if not number or not least <= value <= most:
        raise Refused(f"{name}={value}: accepted are numbers from {least:g} to {most:g}")
    return float(value)


def checked_range(name: str, value: Any, least: float, most: float) -> tuple[float, float]:
    """Return ``[LOW, HIGH]`` of which numbers are drawn; raises Refused for anything else."""
    pair = isinstance(value, list | tuple) and len(value) == 2
    if (
        not pair
        or any(type(end) not in (int, float) for end in value)
        or not (least <= value[0] <= value[1] <= most)
    ):
        raise Refused(
            f"{name}={value}: accepted are two numbers from {least:g} to {most:g}, the lowest and"
            " the highest that is drawn"
        )
    return float(value[0]), float(value[1])


def checked_kinds(name: str, value: Any, accepted: Mapping[str, Any]) -> dict[str, float]:
    """Return ``{KIND: weight}``, how often each is drawn; raises Refused for anything else."""
    if not isinstance(value, Mapping) or not set(value) <= set(accepted):
        raise Refused(f"{name}={value}: accepted are weights of {', '.join(accepted)}")
    weights = {kind: checked(f"{name}.{kind}", value[kind], 0, 1000) for kind in value}
    if not any(weights.values()):
        raise Refused(f"{name}={value}: accepted are weights of which one is above 0")
    return weights


def one_of(weights: Mapping[str, float], draws: Draws) -> str:
    """Return a kind, drawn by its weight."""
    shares = np.cumsum(list(weights.values()))
    number = int(np.searchsorted(shares, draws.random() * shares[-1], side="right"))
    return list(weights)[number]


def power(samples: np.ndarray) -> float:
    """Return the mean square of samples."""
    flat = samples.reshape(-1)
    return float(flat.dot(flat)) / max(1, len(flat))


def as_loud(samples: np.ndarray, level: float) -> np.ndarray:
    """Return samples of a mean square; those that cannot be heard as they are."""
    now = power(samples)
    return samples * np.float32((level / now) ** 0.5) if now > AUDIBLE**2 else samples


def looped(samples: np.ndarray, count: int) -> np.ndarray:
    """Return so many samples, forth and back again and again, so that no end is a step."""
    if len(samples) >= count:
        return samples[:count]
    both = np.concatenate([samples, samples[::-1]])
    return np.resize(both, count)
