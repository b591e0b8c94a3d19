"""Rooms that sound comes through, made by the image method or read from a folder."""

import functools
from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

from langid.signal.acoustics.recordings import Recordings
from langid.signal.acoustics.sound import (
    RUMBLE_HZ,
    Draws,
    Sound,
    Told,
    Transform,
    as_loud,
    checked_range,
    power,
)

SOUND_M_S = 343.0
TRIES = 100  # at a place that is so far away and in the room
ROOMS = 64  # made once in every process, when they are first drawn
SMALLEST_M, LARGEST_M = (2.5, 2.5, 2.3), (9.0, 7.0, 3.8)
FROM_WALLS_M = 0.4
MOVED_M = 0.04  # images at random, so that no regular echo is heard as a tone
HEARD_DB = 50.0  # below the direct sound; what is softer is left out


class Room(Transform):
    """Lets a sound come through a room, as loud as it was, with the direct sound where it was.

    Of rectangular rooms drawn once the echo falls by 60 dB in ``t60_s``, and the source is
    ``distance_m`` away, or as far as a room lets it where that is less. Where there is a
    ``folder``, responses are read from it instead.
    """

    def __init__(
        self,
        probability: float,
        t60_s: Sequence[float],
        distance_m: Sequence[float],
        folder: str | None = None,
    ):
        super().__init__(probability)
        self.t60_s = checked_range("t60_s", t60_s, 0.05, 1.5)
        self.distance_m = checked_range("distance_m", distance_m, 0.1, 10)
        self.recordings = None if folder is None else Recordings("folder", folder)

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, Told]:
        if self.recordings is None:
            number = int(draws.integers(ROOMS))
            ranges = (self.t60_s, self.distance_m)
            response, told = drawn_response(number, *ranges, sound.sample_rate)
        else:
            response, name = self.recordings.response(sound.sample_rate, draws)
            told = {"of": name}
        through = oaconvolve(sound.samples, response)[: len(sound.samples)]
        return sound.with_samples(as_loud(through, power(sound.samples))), told


@functools.cache
def drawn_response(
    number: int, t60_s: tuple[float, float], distance_m: tuple[float, float], sample_rate: int
) -> tuple[np.ndarray, Told]:
    """Return the response of one of the rooms, and what was drawn of it."""
    draws = np.random.default_rng(number)
    room_m = draws.uniform(SMALLEST_M, LARGEST_M)
    time_s = draws.uniform(*t60_s)
    ear_m = draws.uniform(FROM_WALLS_M, room_m - FROM_WALLS_M)
    away_m = draws.uniform(*distance_m)
    farthest_m, mouth_m = -1.0, ear_m
    for _ in range(TRIES):
        towards = draws.standard_normal(3) * (1, 1, 0.3)
        wanted_m = ear_m + away_m * towards / np.linalg.norm(towards)
        inside_m = wanted_m.clip(FROM_WALLS_M / 2, room_m - FROM_WALLS_M / 2)
        if (between_m := float(np.linalg.norm(inside_m - ear_m))) > farthest_m:
            farthest_m, mouth_m = between_m, inside_m
        if np.array_equal(inside_m, wanted_m):
            break
    response = image_response(room_m, mouth_m, ear_m, time_s, sample_rate, draws)
    told = {
        "m": " x ".join(f"{side:.1f}" for side in room_m),
        "t60_s": round(time_s, 2),
        "distance_m": round(float(np.linalg.norm(mouth_m - ear_m)), 1),
    }
    return response, told


def image_response(
    room_m: np.ndarray,
    mouth_m: np.ndarray,
    ear_m: np.ndarray,
    t60_s: float,
    sample_rate: int,
    draws: Draws,
) -> np.ndarray:
    """Return ``response (samples,)`` of a rectangular room (Allen, Berkley 1979).

    It begins with the direct sound. All walls reflect alike, as much as Eyring's formula says of
    the time in which the echo falls by 60 dB.
    """
    volume, (x, y, z) = float(np.prod(room_m)), room_m
    surface = 2 * float(x * y + y * z + z * x)
    reflected = float(np.exp(-0.5 * 0.161 * volume / (surface * t60_s)))  # of pressure
    reach_m = SOUND_M_S * t60_s * HEARD_DB / 60 + float(np.linalg.norm(mouth_m - ear_m))
    squares, walls = zip(
        *(_along(*axis, reach_m) for axis in zip(room_m, mouth_m, ear_m, strict=True)), strict=True
    )
    far = squares[0][:, None, None] + squares[1][:, None] + squares[2]
    hits = walls[0][:, None, None] + walls[1][:, None] + walls[2]
    heard = far < reach_m**2
    away_m, hits = np.sqrt(far[heard]), hits[heard]
    direct_m = float(away_m.min())
    moved = draws.uniform(-MOVED_M, MOVED_M, len(away_m)).astype(np.float32) * (hits > 0)
    place = (away_m - direct_m + moved) * np.float32(sample_rate / SOUND_M_S)
    response = np.bincount(
        np.rint(place).clip(min=0).astype(np.int64), np.float32(reflected) ** hits / away_m
    )
    # All positive, it would be too loud below.
    high_pass = butter(2, RUMBLE_HZ, "high", fs=sample_rate, output="sos")
    return np.asarray(sosfilt(high_pass, response), np.float32)


def _along(
    side_m: float, mouth_m: float, ear_m: float, reach_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return squared distances along an axis of all images in reach, and the walls between."""
    turns = np.arange(-int(reach_m / (2 * side_m)) - 1, int(reach_m / (2 * side_m)) + 2)
    same, mirrored = 2 * turns * side_m + mouth_m, 2 * turns * side_m - mouth_m
    places = np.concatenate([same, mirrored]) - ear_m
    walls = np.concatenate([2 * np.abs(turns), np.abs(2 * turns - 1)])
    near = np.abs(places) < reach_m
    return (places[near] ** 2).astype(np.float32), walls[near].astype(np.float32)
