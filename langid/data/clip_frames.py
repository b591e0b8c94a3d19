"""A file to its frames: in blocks where possible, and of several files together on a GPU."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from langid.audio.decode import AudioError, read_blocks
from langid.audio.full_scale import in_16_bits

if TYPE_CHECKING:
    from torch import Tensor

    from langid.signal.front_end import FrontEnd

OVERSHOOT = 2.0  # 6 dB, as far as decoders and mixes go beyond full scale, to be clipped there
WHOLE_CLIP_LIMIT_S = 1800.0
Frames = Iterator[tuple[np.ndarray, "Tensor", "Tensor"]]


def frames_of(path: str, front_end: "FrontEnd") -> Frames:
    """Yield a file in blocks where possible: what was decoded, and its whole frames.

    That is ``block (samples,), features (time, bins), speech (time,)``.
    """
    import torch

    hop, number = front_end.hop_samples, getattr(torch, front_end.features.stored_as)
    if front_end.obstacles:
        block = _whole_clip(path, front_end.sample_rate)
        if len(block):
            features, speech = front_end(torch.from_numpy(block)[None])
            yield block, features[0].to(number), speech[0]
        return
    state = front_end.initial_state(1)
    rest = np.zeros(0, np.float32)
    blocks = _blocks(path, front_end.sample_rate)
    block = next(blocks, rest)
    while len(block):
        following = next(blocks, rest[:0])
        missing = -(len(rest) + len(block)) % hop  # of the last hop
        filling = np.repeat(block[-1:], 0 if len(following) else missing)
        samples = np.concatenate([rest, block, filling])
        whole = len(samples) // hop * hop
        samples, rest = samples[:whole], samples[whole:]
        features, speech, state = front_end.step(torch.from_numpy(samples[None]), state)
        yield block, features[0].to(number), speech[0]
        block = following


def frames_together(
    paths: Sequence[str], front_end: "FrontEnd", device: str
) -> list[Frames | AudioError]:
    """Return the frames of every file, as ``frames_of`` does, or its error.

    Features of all are made at once on a device; speech is detected file by file.
    """
    import torch

    clips: dict[int, Tensor] = {}
    found: list[Frames | AudioError] = [iter(()) for _ in paths]
    for number, path in enumerate(paths):
        try:
            clip = torch.from_numpy(_whole_clip(path, front_end.sample_rate))
        except AudioError as error:
            found[number] = error
        else:
            clips |= {number: clip} if len(clip) else {}
    if not clips:
        return found
    lengths = torch.tensor([len(clip) for clip in clips.values()])
    padded = torch.nn.utils.rnn.pad_sequence(list(clips.values()), batch_first=True)
    made = front_end.features(padded.to(device), lengths)
    stored_as = getattr(torch, front_end.features.stored_as)
    for (number, clip), features in zip(clips.items(), made, strict=True):
        speech = front_end.speech(clip[None])[0]
        features = features[: len(speech)].to(stored_as).cpu()
        found[number] = iter([(clip.numpy(), features, speech)])
    return found


def _blocks(path: str, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the samples of a file as 16 bits have them, of which both kinds of store are made."""
    for block in read_blocks(path, sample_rate):
        peak = float(np.abs(block).max(initial=0.0))
        if peak > OVERSHOOT:
            raise AudioError(f"{path}: samples reach {peak:.3g}: scale it to a full scale of 1")
        yield in_16_bits(block)


def _whole_clip(path: str, sample_rate: int) -> np.ndarray:
    """Return all samples of a file, or refuse it before a long one fills the memory."""
    blocks = [np.zeros(0, np.float32)]
    length = 0
    for block in _blocks(path, sample_rate):
        blocks.append(block)
        length += len(block)
        if length > WHOLE_CLIP_LIMIT_S * sample_rate:
            raise AudioError(
                f"{path}: longer than {WHOLE_CLIP_LIMIT_S:g} s; these features and this detector"
                " need the whole clip in memory"
            )
    return np.concatenate(blocks)
