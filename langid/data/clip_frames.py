"""A file to its frames: in blocks where possible, and of several files together on a GPU."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from langid.audio.decode import AudioError, read_blocks
from langid.audio.excerpt import Excerpt
from langid.audio.full_scale import in_16_bits
from langid.errors import LangidError, is_of_memory

if TYPE_CHECKING:
    from torch import Tensor

    from langid.signal.front_end import FrontEnd

OVERSHOOT = 2.0  # 6 dB, as far as decoders and mixes go beyond full scale, to be clipped there
WHOLE_CLIP_LIMIT_S = 1800.0
TOGETHER_S = 1280.0  # of clips that are filled up to the longest: 64 of 20 s
Frames = Iterator[tuple[np.ndarray, "Tensor", "Tensor"]]


@dataclass(frozen=True)
class Clip:
    """What is stored of a file, as ``decoded (samples,)``, and which frames are speech.

    Features are made of ``samples (samples,)``, which are those decoded unless the features choose
    (see ``Features.clip``); ``speech (time,)`` is bool.
    """

    path: Path
    decoded: np.ndarray
    samples: "Tensor"
    speech: "Tensor"


def frames_of(excerpt: Excerpt, front_end: "FrontEnd", max_duration_s: float | None) -> Frames:
    """Yield a file in blocks where possible: what was decoded, and its whole frames.

    That is ``block (samples,), features (time, bins), speech (time,)``. Of a file that is longer
    than ``max_duration_s`` only so many seconds are yielded, from its first frame of speech on, as
    if it held no others; yet the detector has heard what is before.
    """
    if max_duration_s is not None or front_end.obstacles:
        clip = _clip(excerpt, front_end, max_duration_s)
        with _memory(_features_of([clip], front_end)):
            features = front_end.features.frames(clip.samples[None])[0]
        yield _paired(clip, features, front_end)
        return
    state = front_end.initial_state(1)
    with _memory(f"{excerpt.path}: no memory to decode it"):
        for block, hops in _hops(excerpt, front_end):
            features, speech, state = front_end.step(hops[None], state)
            yield block, _stored(features[0], front_end), speech[0]


def stored_samples(
    excerpt: Excerpt, front_end: "FrontEnd", max_duration_s: float | None
) -> "Tensor":
    """Return the samples ``(samples,)`` of a file that what ``frames_of`` yields is made of."""
    return _clip(excerpt, front_end, max_duration_s).samples


def frames_of_samples(
    samples: np.ndarray, front_end: "FrontEnd", device: str
) -> tuple["Tensor", "Tensor"]:
    """Return ``features (time, bins), speech (time,)`` of ``samples (samples,)``, as stored."""
    import torch

    heard = torch.from_numpy(samples)
    if device == "cpu":
        features, speech = front_end(heard[None])
        return _stored(features[0], front_end), speech[0]
    chosen = front_end.features.clip(heard[None])[0]
    clip = Clip(Path(), samples, chosen, front_end.speech(chosen[None])[0])
    for made in _made_together([clip], front_end, device):
        assert not isinstance(made, AudioError)
        _, features, speech = next(made)
    return features, speech


def frames_together(
    excerpts: Sequence[Excerpt], front_end: "FrontEnd", max_duration_s: float | None, device: str
) -> Iterator[Frames | AudioError]:
    """Yield the frames of every file, as ``frames_of`` does, or its error.

    Features of many are made at once on a device; speech is detected file by file.
    """
    most = TOGETHER_S * front_end.sample_rate
    waiting: list[Clip | AudioError] = []
    longest = 0
    for excerpt in excerpts:
        clip: Clip | AudioError
        try:
            clip = _clip(excerpt, front_end, max_duration_s)
        except AudioError as error:
            clip = error
        length = len(clip.samples) if isinstance(clip, Clip) else 0
        if max(longest, length) * (len(waiting) + 1) > most:
            yield from _made_together(waiting, front_end, device)
            waiting, longest = [], 0
        waiting.append(clip)
        longest = max(longest, length)
    yield from _made_together(waiting, front_end, device)


def _made_together(
    found: Sequence[Clip | AudioError], front_end: "FrontEnd", device: str
) -> Iterator[Frames | AudioError]:
    import torch

    clips = [clip for clip in found if isinstance(clip, Clip)]
    if clips:
        lengths = torch.tensor([len(clip.samples) for clip in clips])
        padded = torch.nn.utils.rnn.pad_sequence([clip.samples for clip in clips], True)
        with _memory(_features_of(clips, front_end), device):
            made = iter(front_end.features(padded.to(device), lengths))
    for one in found:
        if isinstance(one, AudioError):
            yield one
        else:
            features = next(made)[: math.ceil(len(one.samples) / front_end.hop_samples)]
            yield iter([_paired(one, features, front_end)])


def _paired(
    clip: Clip, features: "Tensor", front_end: "FrontEnd"
) -> tuple[np.ndarray, "Tensor", "Tensor"]:
    """Return what is yielded of a clip that was processed as a whole."""
    time = min(len(features), len(clip.speech))  # centred frames may be one more
    return clip.decoded, _stored(features[:time], front_end).cpu(), clip.speech[:time]


def _stored(features: "Tensor", front_end: "FrontEnd") -> "Tensor":
    import torch

    return features.to(getattr(torch, front_end.features.stored_as))


@contextlib.contextmanager
def _memory(lacking: str, device: str = "cpu") -> Iterator[None]:
    """Raise LangidError, which says what it is ``lacking`` for, where memory is full."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_of_memory(error):
            raise
        words = str(error).partition("\n")[0] or type(error).__name__
        raise LangidError(
            f"{lacking} ({words}); take fewer workers, max_duration_s=SECONDS"
            f"{'' if device == 'cpu' else ' or accelerator=cpu'}. What is done is kept, and the"
            " same command goes on"
        ) from error


def _features_of(clips: Sequence[Clip], front_end: "FrontEnd") -> str:
    """Return for what memory is lacking where features of clips are made, by the longest."""
    longest = max(clips, key=lambda clip: len(clip.decoded))
    seconds = len(longest.decoded) / front_end.sample_rate
    many = f" and {len(clips) - 1} shorter clips" if len(clips) > 1 else ""
    return f"{longest.path}: no memory for features of its {seconds:.1f} s{many}"


def _clip(excerpt: Excerpt, front_end: "FrontEnd", max_duration_s: float | None) -> Clip:
    """Return all of a file, or its first seconds from the first frame of speech on."""
    with _memory(f"{excerpt.path}: no memory to decode it"):
        return _decoded(excerpt, front_end, max_duration_s)


def _decoded(excerpt: Excerpt, front_end: "FrontEnd", max_duration_s: float | None) -> Clip:
    import torch

    rate, hop = front_end.sample_rate, front_end.hop_samples
    frames = 0
    if max_duration_s is not None:
        frames = math.ceil(round(max_duration_s * rate / hop, 6))  # 0.29 s * 100 is above 29
        if not front_end.window_obstacles:
            return _first_frames(excerpt, front_end, frames)
    decoded = _whole_clip(excerpt, rate)
    samples = front_end.features.clip(torch.from_numpy(decoded)[None])[0]
    speech = front_end.speech(samples[None])[0]
    if max_duration_s is None:
        return Clip(excerpt.path, decoded, samples, speech)
    start = _start(speech, frames)
    samples = samples[start * hop : (start + frames) * hop]
    return Clip(excerpt.path, samples.numpy(), samples, speech[start : start + frames])


def _first_frames(excerpt: Excerpt, front_end: "FrontEnd", frames: int) -> Clip:
    """Return the first frames of a file from the first speech on, and decode no further."""
    import torch

    hop = front_end.hop_samples
    samples, speech = torch.zeros(0), torch.zeros(0, dtype=torch.bool)
    state, length = front_end.detector.initial_state(1), 0
    for block, hops in _hops(excerpt, front_end):
        marks, state = front_end.speech_step(hops[None], state)
        samples, speech = torch.cat([samples, hops]), torch.cat([speech, marks[0]])
        start = _start(speech, frames)
        samples, speech = samples[start * hop :], speech[start:]
        length += len(block) - start * hop
        if len(speech) >= frames and speech[0]:
            break
    samples = samples[: min(length, frames * hop)]  # without what fills the last hop
    return Clip(excerpt.path, samples.numpy(), samples, speech[:frames])


def _start(speech: "Tensor", frames: int) -> int:
    """Return which frame is the first to be stored: of a longer clip the first of speech.

    Where there is none, the last ones are stored, which are silent too.
    """
    if len(speech) <= frames:
        return 0
    return int(speech.int().argmax()) if speech.any() else len(speech) - frames


def _hops(excerpt: Excerpt, front_end: "FrontEnd") -> Iterator[tuple[np.ndarray, "Tensor"]]:
    """Yield what was decoded, and the samples that are whole hops by now, the last one filled."""
    import torch

    rest = np.zeros(0, np.float32)
    blocks = _blocks(excerpt, front_end.sample_rate)
    block = next(blocks, rest)
    while len(block):
        following = next(blocks, rest[:0])
        missing = -(len(rest) + len(block)) % front_end.hop_samples  # of the last hop
        filling = np.repeat(block[-1:], 0 if len(following) else missing)
        samples = np.concatenate([rest, block, filling])
        whole = len(samples) // front_end.hop_samples * front_end.hop_samples
        samples, rest = samples[:whole], samples[whole:]
        yield block, torch.from_numpy(samples)
        block = following


def _blocks(excerpt: Excerpt, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the samples of a file as 16 bits have them, of which both kinds of store are made."""
    for block in read_blocks(excerpt, sample_rate):
        peak = float(np.abs(block).max(initial=0.0))
        if peak > OVERSHOOT:
            raise AudioError(
                f"{excerpt.path}: samples reach {peak:.3g}: scale it to a full scale of 1"
            )
        yield in_16_bits(block)


def _whole_clip(excerpt: Excerpt, sample_rate: int) -> np.ndarray:
    """Return all samples of a file, or refuse it before a long one fills the memory."""
    blocks = [np.zeros(0, np.float32)]
    length = 0
    for block in _blocks(excerpt, sample_rate):
        blocks.append(block)
        length += len(block)
        if length > WHOLE_CLIP_LIMIT_S * sample_rate:
            raise AudioError(
                f"{excerpt.path}: longer than {WHOLE_CLIP_LIMIT_S:g} s; these features and this"
                " detector need the whole clip in memory"
            )
    return np.concatenate(blocks)
