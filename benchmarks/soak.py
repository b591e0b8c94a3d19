"""Eight live streams of a MultiStream for ten minutes, each held against its lone run.

Ten times a second every stream hears what has come. Streams join at 8, 16 and 44.1 kHz, leave and
begin anew, pause, are silent, come in pieces of any size, and send what must be refused: NaN, other
types, scales and shapes, rates that are none. When a stream ends, a StreamingIdentifier hears its
samples alone, in other pieces: the posteriors of its frames and of its decision must be the same to
1e-5, as a batch may take sums in another order, and whatever ran beside it must not matter.
Resident memory is that after the first tenth against that at the end.

--fast runs through the same without waiting for real time. Weights are random and the sound is
synthetic; --model takes an exported file.
"""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, resident_mb, verdict
from random_model import random_model
from synthetic_sound import synthetic_sound

from langid.errors import LangidError
from langid.streaming.multi_stream import MultiStream, RefusedSamples
from langid.streaming.streamer import StreamingIdentifier, StreamingModel
from langid.streaming.windowed_model import load_model

STREAMS, TICK_S = 8, 0.1
RATES = (16000, 16000, 8000, 44100)
NO_RATES = (0, -8000, 7.5, float("nan"), "8k")
BAD = (
    np.array([0.1, np.nan]),
    np.full(160, np.inf, np.float32),
    np.full(160, 3e4, np.float32),
    np.zeros(160, np.int32),
    np.zeros((2, 160), np.float32),
    None,
)
DIFFERENCE_LIMIT, GROWTH_LIMIT_MB = 1e-5, 5.0


class Piece(NamedTuple):
    """Samples by what they are made of, so that the soak itself keeps none of them."""

    place: int
    size: int
    silent: bool
    integers: bool


@dataclass
class Life:
    """A stream from its first sample to its end: what it heard, and what was answered."""

    number: int
    rate: int
    place: int
    gap: int = 0  # steps that it still pauses
    heard: list[Piece] = field(default_factory=list)
    answered: list[np.ndarray] = field(default_factory=list)


@dataclass
class Tally:
    """What has happened so far."""

    ended: int = 0
    frames: int = 0
    resets: int = 0
    gaps: int = 0
    refused: int = 0
    late: int = 0  # steps that ended after the next should have begun
    difference: float = 0.0
    resident_mb: list[float] = field(default_factory=list)

    @property
    def growth_mb(self) -> float:
        """How much resident memory has grown since the first tenth."""
        return self.resident_mb[-1] - self.resident_mb[len(self.resident_mb) // 10]


class Soak:
    """Streams over a model, step by step; ``seed`` decides what happens to them."""

    def __init__(self, model: StreamingModel, sound: np.ndarray, seed: int = 0):
        self.model = model
        self.sound = sound
        self.random = np.random.default_rng(seed)
        self.streams = MultiStream(model, half_life_s=3.0)
        self.lives: list[Life] = []
        self.tally = Tally()

    def step(self) -> None:
        """Let a tenth of a second pass."""
        while len(self.lives) < STREAMS:
            self._refuse_a_rate()
            rate = RATES[self.random.integers(len(RATES))]
            self.lives.append(self._begun(self.streams.join(rate), rate))
        pieces = {life.number: self._piece(life) for life in self.lives if self._listens(life)}
        bad = {number for number in pieces if self._chance(0.02)}
        sent: dict[int, Any] = {number: self._samples(piece) for number, piece in pieces.items()}
        sent.update((number, BAD[self.random.integers(len(BAD))]) for number in bad)
        try:
            answers, refused = self.streams.step(sent), set[int]()
        except RefusedSamples as error:
            answers, refused = error.posteriors, set(error.refused)
        if refused != bad:
            raise AssertionError(f"refused {sorted(refused)}, expected {sorted(bad)}")
        self.tally.refused += len(bad)
        for life in self.lives:
            if life.number in answers:
                life.heard.append(pieces[life.number])
                life.answered.append(answers[life.number])
        for life in [life for life in self.lives if self._chance(0.01)]:
            self.end(life)

    def end(self, life: Life) -> None:
        """End a stream, compare it with its lone run, and let it begin anew or leave."""
        flushed = self._chance(0.5)
        if flushed:
            life.answered.append(self.streams.flush([life.number])[life.number])
        self._compare(life, flushed)
        self.tally.ended += 1
        self.lives.remove(life)
        if self._chance(0.5):
            self.streams.reset(life.number)
            self.tally.resets += 1
            self.lives.append(self._begun(life.number, life.rate))
        else:
            self.streams.leave(life.number)

    def _compare(self, life: Life, flushed: bool) -> None:
        lone = StreamingIdentifier(self.model, half_life_s=3.0)
        expected = [np.zeros((0, len(lone.classes)), np.float32)]
        for piece in life.heard:
            cut = int(self.random.integers(piece.size + 1))
            for part in np.split(self._samples(piece), [cut]):
                expected.append(lone.feed(part, sample_rate=life.rate))
        if flushed:
            expected.append(lone.flush())
        answered, whole = (
            np.concatenate([*life.answered, expected[0][:0]]),
            np.concatenate(expected),
        )
        # How much a resampler holds back before its end depends on the cuts between calls.
        count = min(len(answered), len(whole))
        exact = flushed or life.rate == self.streams.sample_rate
        if exact and len(answered) != len(whole):
            raise AssertionError(f"{len(answered)} frames, alone {len(whole)}")
        found = [answered[:count] - whole[:count]]
        if exact:
            decisions = (self.streams.decision(life.number), lone.decision)
            shares = [np.array(list(decision.posteriors.values())) for decision in decisions]
            found.append(shares[0] - shares[1])
        largest = max(float(np.abs(part).max(initial=0.0)) for part in found)
        self.tally.difference = max(self.tally.difference, largest)
        self.tally.frames += count

    def _begun(self, number: int, rate: int) -> Life:
        return Life(number, rate, int(self.random.integers(len(self.sound))))

    def _listens(self, life: Life) -> bool:
        if life.gap == 0 and self._chance(0.02):
            life.gap = int(self.random.integers(1, 30))
            self.tally.gaps += 1
        life.gap = max(0, life.gap - 1)
        return life.gap == 0

    def _piece(self, life: Life) -> Piece:
        """Return about a tenth of a second, sometimes nothing, sometimes silence."""
        tick = round(life.rate * TICK_S)
        size = int(self.random.choice([tick, tick, tick, tick - 37, tick + 37, 2 * tick, 1, 0]))
        life.place += size
        return Piece(life.place, size, self._chance(0.05), self._chance(0.2))

    def _samples(self, piece: Piece) -> np.ndarray:
        samples = self.sound[np.arange(piece.place, piece.place + piece.size) % len(self.sound)]
        samples = samples * np.float32(not piece.silent)
        return (samples * 32767).astype(np.int16) if piece.integers else samples

    def _refuse_a_rate(self) -> None:
        rate: Any = NO_RATES[self.random.integers(len(NO_RATES))]
        try:
            self.streams.join(rate)
        except LangidError:
            self.tally.refused += 1
        else:
            raise AssertionError(f"a stream at {rate} Hz joined")

    def _chance(self, share: float) -> bool:
        return bool(self.random.random() < share)


def run(soak: Soak, seconds: float, fast: bool) -> Tally:
    """Let so many seconds pass, in real time unless ``fast``, and end all streams."""
    steps = round(seconds / TICK_S)
    began = time.perf_counter()
    for number in range(steps):
        if not fast:
            wait = began + number * TICK_S - time.perf_counter()
            soak.tally.late += wait < -TICK_S
            time.sleep(max(0.0, wait))
        soak.step()
        if number % max(1, steps // 60) == 0:
            soak.tally.resident_mb.append(resident_mb())
    for life in list(soak.lives):
        soak.end(life)
    soak.tally.resident_mb.append(resident_mb())
    return soak.tally


def report(tally: Tally, seconds: float, fast: bool, quick: bool = False) -> int:
    """Print what happened and the verdict, and return the exit code."""
    rows = [["", ""]]
    rows += [[name, str(value)] for name, value in vars(tally).items() if isinstance(value, int)]
    marks = tally.resident_mb[:: max(1, len(tally.resident_mb) // 6)]
    rows.append(["resident MB", " ".join(f"{mark:.1f}" for mark in marks)])
    how = "as fast as it goes" if fast else "real time"
    print_table(f"{STREAMS} streams, {seconds:g} s, {how}; {machine()}", rows)
    return verdict(figures(tally.difference, tally.growth_mb), quick)


def figures(difference: float, growth_mb: float) -> list[Figure]:
    """Return the figures of a largest difference of posteriors and a growth of memory."""
    return [
        Figure("largest difference from lone runs", difference, DIFFERENCE_LIMIT, of_result=True),
        Figure("growth of memory", growth_mb, GROWTH_LIMIT_MB, " MB"),
    ]


def main() -> int:
    """Soak and return 0 where all figures hold, 1 where not, and 2 where the model is none."""
    parser = CommandLine(__doc__, seconds=20.0, fast=True)
    parser.add_argument("--seconds", type=float, default=600.0, help="of every stream (600)")
    parser.add_argument("--fast", action="store_true", help="do not wait for real time")
    parser.add_argument("--model", type=Path, help="an exported file, by default a random GRU 200")
    parser.add_argument("--seed", type=int, default=0, help="of what happens to the streams (0)")
    options = parser.options()
    try:
        model: StreamingModel = load_model(options.model) if options.model else random_model()
    except LangidError as error:
        print(f"soak.py: {error}", file=sys.stderr)
        return 2
    soak = Soak(model, synthetic_sound(60.0), options.seed)
    tally = run(soak, options.seconds, options.fast)
    return report(tally, options.seconds, options.fast, options.quick)


if __name__ == "__main__":
    sys.exit(main())
