"""Posteriors of utterances that come in pieces and batches."""

import torch
from torch import Tensor

from langid.data.dataset import Batch
from langid.training.processes import gathered
from langid.utterance import last_only


def right_frames(posteriors: Tensor, speech: Tensor, target: Tensor) -> Tensor:
    """Return which speech frames are said to be of their class, ``(batch, time) bool``.

    ``posteriors (batch, time, classes)``, or logits; one frame stands for all. ``speech (batch,
    time) bool``, ``target (batch,)``.
    """
    return (posteriors.argmax(-1) == target[:, None]) & speech


class UtteranceScores:
    """Posteriors of utterances (or sequences that are scored): the means over their speech frames.

    Of one without speech the mean is over all its frames, as in langid.utterance. An utterance may
    arrive in several pieces, also in several processes. Of a ``cumulative`` network what counts is
    the last of these frames; pieces of an utterance then arrive in order, in one process. Sums are
    in float64 on the CPU, which not every device knows; a piece is summed where it comes from.
    """

    def __init__(self, units: int, classes: int, cumulative: bool = False):
        self.cumulative = cumulative
        # Over speech frames, and over all frames.
        self.total = torch.zeros(units, 2, classes, dtype=torch.float64)
        self.frames = torch.zeros(units, 2, dtype=torch.float64)
        self.right = torch.zeros(units, dtype=torch.float64)

    def update(self, posteriors: Tensor, batch: Batch) -> None:
        """Add ``posteriors (batch, time, classes)`` of a batch of pieces.

        One frame of posteriors, ``(batch, 1, classes)``, stands for all frames of its piece.
        """
        counted = torch.stack([batch.speech, batch.there], dim=1)
        scored = last_only(counted) if self.cumulative else counted
        total = scored.to(posteriors.dtype) @ posteriors.expand(-1, batch.speech.shape[1], -1)
        right = right_frames(posteriors, batch.speech, batch.target).sum(1)
        sums = (total, counted.sum(2), right)
        self._add(batch.unit.cpu(), *(tensor.cpu().double() for tensor in sums))

    def compute(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return ``units (seen,), posteriors (seen, classes), frames (seen,), right (seen,)``.

        They are of the units seen in all processes of the run. ``frames`` counts speech frames,
        ``right`` those whose most likely class is right. All but ``units`` are in float64.
        """
        own = torch.nonzero(self.frames[:, 1]).squeeze(1)
        of_all = UtteranceScores(len(self.total), self.total.shape[2], self.cumulative)
        for sums in gathered([(own, self.total[own], self.frames[own], self.right[own])]):
            of_all._add(*sums)
        seen = torch.nonzero(of_all.frames[:, 1]).squeeze(1)
        speech = of_all.frames[seen, 0]
        counted = (speech == 0).long()  # all frames where none is speech
        summed = 1 if self.cumulative else of_all.frames[seen, counted, None]
        means = of_all.total[seen, counted] / summed
        return seen, means, speech, of_all.right[seen]

    def _add(self, unit: Tensor, total: Tensor, frames: Tensor, right: Tensor) -> None:
        if self.cumulative:
            later = frames[..., None] > 0
            self.total[unit] = total.where(later, self.total[unit])
        else:
            self.total.index_add_(0, unit, total)
        for own, added in ((self.frames, frames), (self.right, right)):
            own.index_add_(0, unit, added)
