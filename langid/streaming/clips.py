"""What is decided about recordings as a whole, in one process or in several."""

import functools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from langid.audio.decode import read_blocks
from langid.audio.full_scale import in_16_bits
from langid.errors import LangidError
from langid.streaming.decision import Decision, DecisionSettings
from langid.streaming.decision_rule import DecisionRule
from langid.streaming.samples import NOTHING, whole_hops
from langid.streaming.sources import recording
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import WindowedModel
from langid.workers import end_workers, ended_from_outside, keep_memory, settle

PIECE_S = 30.0  # longer recordings are heard in pieces, to bound memory, as langid evaluate does


def decide(stream: StreamingIdentifier, path: Path) -> Decision:
    """Return what the model of a stream decides about a recording.

    One that streams hears it from its beginning. One that needs whole utterances hears all of it at
    once, and of more than 30 s pieces of so much, each alone: windows would overlap, and each costs
    as much as its length. Clips of like length in one call would save nothing on one thread: per
    clip of 5 s, 4 or 16 in a call take 0.98 and 1.5 x the time of one (cnn), 1.1 x (ecapa_tdnn),
    0.7 and 0.9 x (bigru), and only clips of as many samples could go together. Raises LangidError
    for a file that cannot be used.
    """
    blocks = read_blocks(recording(path), stream.sample_rate)
    if isinstance(stream.model, WindowedModel):
        return _decide_at_once(stream.model, blocks, stream.settings)
    stream.reset()
    for block in blocks:
        stream.feed(block)
    stream.flush()
    return stream.decision


def _decide_at_once(
    model: WindowedModel, blocks: Iterable[np.ndarray], settings: DecisionSettings
) -> Decision:
    frame, rate = (int(model.metadata[name]) for name in ("frame_samples", "sample_rate"))
    rule = DecisionRule(model.metadata["classes"], frame / rate, settings)
    for piece in _pieces(blocks, round(PIECE_S * rate / frame) * frame):
        posteriors, speech = model.process(whole_hops(in_16_bits(piece), frame)[None])
        # What is said of a piece is said of each of its frames, and its speech frames count.
        rule.update(np.repeat(posteriors[:, None], speech.shape[1], axis=1), speech)
    decision = rule.decision
    if decision.decided_after_s is None:
        return decision
    return replace(decision, decided_after_s=decision.speech_s)  # nothing is known before the end


def _pieces(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Yield the samples of blocks in pieces of so many, the last with what is left."""
    waiting = NOTHING
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) > size:
            yield waiting[:size]
            waiting = waiting[size:]
    yield waiting


def decide_all(
    stream: StreamingIdentifier, model: str, paths: Sequence[Path], workers: int
) -> Iterator[Decision | LangidError]:
    """Yield what is decided about each recording, or why nothing can be, in their order.

    Each of ``workers`` processes runs the file ``model`` of the stream on one thread of its own;
    with one all is done by this stream in this process.
    """
    if workers == 1:
        yield from (_decided(stream, path) for path in paths)
        return
    settings = replace(stream.settings, languages=tuple(stream.settings.languages or ()) or None)
    keep_memory()
    jobs: Any = joblib.Parallel(n_jobs=workers, return_as="generator")(
        joblib.delayed(_decide_there)(model, settings, path) for path in paths
    )
    try:
        with ended_from_outside("take fewer"):
            for decision in jobs:  # noqa: UP028  # yield from would close them too soon
                yield decision
    finally:
        with warnings.catch_warnings(action="ignore"):  # that some results were of no use
            jobs.close()
        end_workers()


def _decided(stream: StreamingIdentifier, path: Path) -> Decision | LangidError:
    try:
        return decide(stream, path)
    except LangidError as error:
        return error


def _decide_there(model: str, settings: DecisionSettings, path: Path) -> Decision | LangidError:
    return _decided(_opened(model, settings), path)


@functools.cache
def _opened(model: str, settings: DecisionSettings) -> StreamingIdentifier:
    """Return the stream of a process, opened by its first clip."""
    settle()
    return StreamingIdentifier.load(model, **vars(settings))
