"""Frames that are skipped: cut out in front of a network, filled in behind it.

What is kept of a chunk moves to its front; without look-ahead the frames behind change nothing
before them. Memory is read off after the last frame kept, and logits are dealt back to all frames.
"""

import torch
from torch import Tensor


def compact(features: Tensor, advance: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Move the frames that are kept to the front; also return ``counts``, how many up to each.

    Behind them come the others. Without ``advance (batch, time) bool`` all are kept, and None says
    so.
    """
    if advance is None:
        return features, None
    heard = advance.long()
    order = torch.sort(heard, dim=1, descending=True, stable=True).indices
    return _take(features, order), heard.cumsum(1)


def hold(before: Tensor, frames: Tensor, counts: Tensor | None) -> Tensor:
    """Deal compact frames back: ``before (batch, units), frames, counts (batch, time)``.

    A frame that was skipped gets what the last one kept has, of an earlier chunk if need be.
    """
    if counts is None:
        return frames
    return _take(torch.cat([before.unsqueeze(1), frames], dim=1), counts)


def window(frames: Tensor, size: int, counts: Tensor | None) -> Tensor:
    """Return the ``size`` frames up to the last one kept, ``(batch, size, units)``.

    ``frames (batch, size + time, units)`` are the memory of so many frames and the chunk behind it.
    """
    if counts is None:
        return frames[:, frames.shape[1] - size :]
    return _take(frames, counts[:, -1].unsqueeze(1) + torch.arange(size, device=frames.device))


def _take(frames: Tensor, index: Tensor) -> Tensor:
    """Pick frames: ``(batch, frames, units), index (batch, time) -> (batch, time, units)``."""
    return frames.gather(1, index.unsqueeze(-1).expand(-1, -1, frames.shape[2]))
