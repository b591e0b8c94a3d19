"""Posteriors of utterances: the mean over their speech frames."""

from typing import NamedTuple

import torch
from torch import Tensor

from langid.training.processes import gathered


class Scored(NamedTuple):
    """What was said of the units seen, on the CPU: all but ``units`` in float64.

    ``units (seen,)`` are their numbers, ``posteriors (seen, classes)``; ``frames (seen,)`` count
    speech frames, ``right_frames (seen,)`` those whose most likely class is right.
    """

    units: Tensor
    posteriors: Tensor
    frames: Tensor
    right_frames: Tensor


def right_frames(posteriors: Tensor, speech: Tensor, target: Tensor) -> Tensor:
    """Return which speech frames are said to be of their class, ``(batch, time) bool``.

    ``posteriors (batch, time, classes)``, or logits; one frame stands for all. ``speech (batch,
    time) bool``, ``target (batch,)``.
    """
    return (posteriors.argmax(-1) == target[:, None]) & speech


class UtteranceScores:
    """Averages posteriors over the speech frames of each utterance (or sequence that is scored).

    This is the official score of the EE599 course. An utterance may arrive in several pieces, also
    in several processes. Sums are in float64 on the CPU, which not every device knows; a piece is
    summed where it comes from.
    """

    def __init__(self, units: int, classes: int):
        self.total = torch.zeros(units, classes, dtype=torch.float64)
        self.frames, self.right = torch.zeros(2, units, dtype=torch.float64)

    def update(self, posteriors: Tensor, speech: Tensor, unit: Tensor, target: Tensor) -> None:
        """Add ``posteriors (batch, time, classes)`` where ``speech (batch, time)`` is true.

        ``unit (batch,)``, ``target (batch,)``. One frame of posteriors, ``(batch, 1, classes)``,
        stands for all frames of its piece: it counts as often as there are speech frames.
        """
        right = right_frames(posteriors, speech, target)
        sums = ((posteriors * speech.unsqueeze(-1)).sum(1), speech.sum(1), right.sum(1))
        self._add(unit.cpu(), *(tensor.cpu().double() for tensor in sums))

    def compute(self) -> Scored:
        """Return what was said of the units seen in all processes of the run."""
        own = torch.nonzero(self.frames).squeeze(1)
        of_all = UtteranceScores(*self.total.shape)
        for sums in gathered([(own, self.total[own], self.frames[own], self.right[own])]):
            of_all._add(*sums)
        seen = torch.nonzero(of_all.frames).squeeze(1)
        total, frames, right = (of[seen] for of in (of_all.total, of_all.frames, of_all.right))
        return Scored(seen, total / frames[:, None], frames, right)

    def _add(self, unit: Tensor, total: Tensor, frames: Tensor, right: Tensor) -> None:
        for own, added in ((self.total, total), (self.frames, frames), (self.right, right)):
            own.index_add_(0, unit, added)
