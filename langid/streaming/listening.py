"""Audio fed to a stream: chunks with their frames, and what was decided while they passed."""

import time
from collections.abc import Iterable, Iterator

import numpy as np

from langid.streaming.decision import UNDECIDED, Decision
from langid.streaming.segments import Stretch
from langid.streaming.streamer import StreamingIdentifier

Chunk = tuple[np.ndarray, np.ndarray, np.ndarray]


class Listening:
    """One pass of a stream over some audio.

    ``heard_s`` is how much audio was fed, without what fills a hop, ``busy_s`` the time
    spent in the model, ``timeline`` a stretch for each decision so far.
    """

    def __init__(self, stream: StreamingIdentifier):
        self.stream = stream
        self.heard_s = 0.0
        self.busy_s = 0.0
        self.timeline: list[Stretch] = []

    def chunks(self, blocks: Iterable[np.ndarray], sizes: Iterator[int]) -> Iterator[Chunk]:
        """Yield ``samples, posteriors (frames, classes), speech (frames,)`` of each chunk.

        Sizes are whole hops, in samples. The last chunk may be shorter; its last sample fills it.
        """
        for chunk in _rechunked(blocks, sizes):
            began = time.perf_counter()
            posteriors, speech = self.stream.feed(chunk), self.stream.speech
            if len(chunk) % self.stream.hop_samples:
                posteriors = np.concatenate([posteriors, self.stream.flush()])
                speech = np.concatenate([speech, self.stream.speech])
            self.busy_s += time.perf_counter() - began
            self.heard_s += len(chunk) / self.stream.sample_rate
            yield chunk, posteriors, speech

    def decide(self) -> Decision:
        """Return the decision by now, and remember it in the timeline."""
        decision = self.stream.decision
        label = decision.label or UNDECIDED
        start_s = self.timeline[-1].end_s if self.timeline else 0.0
        if self.timeline and self.timeline[-1].label == label:
            start_s = self.timeline.pop().start_s
        self.timeline.append(Stretch(start_s, decision.heard_s, label))
        return decision


def _rechunked(blocks: Iterable[np.ndarray], sizes: Iterator[int]) -> Iterator[np.ndarray]:
    waiting = np.zeros(0, np.float32)
    size = next(sizes)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
            size = next(sizes)
    if len(waiting):
        yield waiting
