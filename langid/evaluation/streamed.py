"""Clips as streams: each from a reset, or one after the other without any."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from langid.audio.decode import AudioError, read_audio
from langid.audio.excerpt import Excerpt
from langid.audio.full_scale import in_16_bits
from langid.errors import LangidError
from langid.evaluation.scoring import Figure, frame_accuracy
from langid.streaming.decision_rule import running_posteriors
from langid.streaming.listening import Listening
from langid.streaming.streamer import StreamingIdentifier
from langid.utterance import counted_frames

CHUNK_S = 0.1
STREAM_S = 300.0
ROUNDS = 3
SEED = 0
DEALT = {"chunk_s": CHUNK_S, "stream_s": STREAM_S, "rounds": ROUNDS, "seed": SEED}


@dataclass(frozen=True)
class StreamedClip:
    """What a stream says of one clip.

    ``since_s`` is when it began, in seconds after the reset. ``posteriors (frames, classes)`` are
    those of its speech frames, ``after_s (frames,)`` the seconds of the clip that had passed at
    their ends. Where a stream marks no speech in a clip, all its frames count, and it is not
    ``spoken``.
    """

    since_s: float
    posteriors: np.ndarray
    after_s: np.ndarray
    spoken: bool = True


@dataclass(frozen=True)
class Streamed:
    """What a stream says of clips, and ``table``, a row of each: its ``target`` and ``speaker``.

    ``unknown`` is the number of a class of other languages, on which no stream decides.
    """

    clips: Sequence[StreamedClip]
    table: pd.DataFrame
    hop_s: float
    unknown: int | None = None
    cumulative: bool = False  # a frame tells of all before it

    @property
    def targets(self) -> np.ndarray:
        return np.asarray(self.table["target"])

    @property
    def means(self) -> np.ndarray:
        """The posterior of each clip, ``(clips, classes)``: the mean over frames, or the last."""
        if self.cumulative:
            return np.array([clip.posteriors[-1] for clip in self.clips])
        return np.array([clip.posteriors.mean(0) for clip in self.clips])

    def running(self, clip: StreamedClip) -> np.ndarray:
        """Return what is said of a clip after each of its frames, ``(frames, classes)``."""
        return clip.posteriors if self.cumulative else running_posteriors(clip.posteriors)

    def share(self, right: np.ndarray, among: np.ndarray | slice = slice(None)) -> Figure:
        """Return the share of ``right (clips,) bool``, with its interval, among some or all."""
        of, counted = self.table[among], right[among].astype(float)
        speakers = of["speaker"].tolist()
        return frame_accuracy(of["target"].to_numpy(), speakers, np.ones(len(of)), counted)


def stream_clips(
    stream: StreamingIdentifier, clips: Sequence[str | Excerpt], streams: Iterable[Sequence[int]]
) -> Iterator[StreamedClip]:
    """Yield what a stream says of clips, reset at the beginning of each list of their numbers.

    Clips are decoded as they come, filled up to whole hops, and fed in chunks of 100 ms. Raises
    LangidError for a clip that cannot be read.
    """
    for numbers in streams:
        stream.reset()
        before = 0
        for number in numbers:
            posteriors, speech = _feed(stream, _read(clips[number], stream.sample_rate))
            frames = np.flatnonzero(counted_frames(speech))
            since_s, after_s = before * stream.hop_s, (frames + 1) * stream.hop_s
            yield StreamedClip(since_s, posteriors[frames], after_s, bool(speech.any()))
            before += len(speech)


def _read(clip: str | Excerpt, sample_rate: int) -> np.ndarray:
    try:
        return in_16_bits(read_audio(clip, sample_rate))  # as prepare did
    except AudioError as error:
        raise LangidError(
            f"streaming=true hears the clips again that the store was made of, and one cannot be"
            f" read ({error}); put it back, or leave streaming out"
        ) from error


def _feed(stream: StreamingIdentifier, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = max(1, round(CHUNK_S / stream.hop_s)) * stream.hop_samples
    chunks = Listening(stream).chunks([samples], itertools.repeat(size))
    _, posteriors, speech = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    return posteriors, speech


def deal(seconds: np.ndarray, groups: np.ndarray) -> list[list[int]]:
    """Return streams of about five minutes, as lists of clip numbers in a random order.

    ``seconds (clips,)`` are the clips' lengths. A stream holds clips of one of ``groups (clips,)``
    alone. Every clip is dealt three times, each time in another order; the last stream of an order
    is shorter.
    """
    generator = np.random.default_rng(SEED)
    streams = []
    for _ in range(ROUNDS):
        order = generator.permutation(len(seconds))
        for group in np.unique(groups):
            members = order[groups[order] == group]
            begins = np.cumsum(seconds[members]) - seconds[members]
            place = begins // STREAM_S
            streams += [members[place == number].tolist() for number in np.unique(place)]
    return streams


def join(streamed: Streamed, streams: Sequence[Sequence[int]]) -> Streamed:
    """Return what a stream says of the clips of each stream, one after the other, as of one clip.

    ``streamed`` are all clips of ``streams``, in order; the row is that of a stream's first clip.
    """
    bounds = np.cumsum([0, *map(len, streams)])
    whole = []
    for begin, end in itertools.pairwise(bounds):
        parts = streamed.clips[begin:end]
        posteriors = np.concatenate([part.posteriors for part in parts])
        after_s = np.concatenate([part.since_s + part.after_s for part in parts])
        whole.append(StreamedClip(0.0, posteriors, after_s, any(part.spoken for part in parts)))
    return replace(streamed, clips=whole, table=streamed.table.iloc[bounds[:-1]])
