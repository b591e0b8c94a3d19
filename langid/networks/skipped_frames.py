"""Frames that are not heard: cut out in front of a network, filled in behind it.

What is heard of a chunk moves to its front; without look-ahead the frames behind change nothing
before them. Memory is read off after the last frame heard, and logits are dealt back to all frames.
"""

import torch
from torch import Tensor


def compact(features: Tensor, advance: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Move the frames that are heard to the front; also return how many were, up to each frame.

    Without ``advance (batch, time) bool`` all are heard, and None says so.
    """
    if advance is None:
        return features, None
    heard = advance.long().cumsum(1)
    place = torch.where(advance, heard - 1, features.shape[1])  # the others go behind the end
    place = place.unsqueeze(-1).expand(-1, -1, features.shape[2])
    room = torch.cat([torch.zeros_like(features), torch.zeros_like(features[:, :1])], dim=1)
    return room.scatter(1, place, features)[:, :-1], heard


def hold(before: Tensor, frames: Tensor, heard: Tensor | None) -> Tensor:
    """Deal compact frames back: ``before (batch, units), frames, heard (batch, time)``.

    A frame that is not heard gets the one of the last that was, of an earlier chunk if need be.
    """
    if heard is None:
        return frames
    return _take(torch.cat([before.unsqueeze(1), frames], dim=1), heard)


def window(frames: Tensor, size: int, heard: Tensor | None) -> Tensor:
    """Return the ``size`` frames up to the last one heard, ``(batch, size, units)``.

    ``frames (batch, size + time, units)`` are the memory of so many frames and the chunk behind it.
    """
    if heard is None:
        return frames[:, frames.shape[1] - size :]
    return _take(frames, heard[:, -1:] + torch.arange(size, device=frames.device))


def _take(frames: Tensor, index: Tensor) -> Tensor:
    """Pick frames: ``(batch, frames, units), index (batch, time) -> (batch, time, units)``."""
    return frames.gather(1, index.unsqueeze(-1).expand(-1, -1, frames.shape[2]))
