"""Posteriors of utterances: the mean over their speech frames."""

import torch
from torch import Tensor
from torchmetrics import Metric


class UtteranceScores(Metric):  # type: ignore[misc]
    """Averages posteriors over the speech frames of each utterance (or sequence that is scored).

    This is the official score of the EE599 course. An utterance may arrive in several pieces.
    """

    total: Tensor
    frames: Tensor

    def __init__(self, units: int, num_languages: int):
        super().__init__()
        zeros = torch.zeros(units, num_languages, dtype=torch.float64)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("frames", zeros[:, 0].clone(), dist_reduce_fx="sum")

    def update(self, posteriors: Tensor, speech: Tensor, unit: Tensor) -> None:
        """Add ``posteriors (batch, time, languages)`` where ``speech (batch, time)`` is true.

        One frame of posteriors, ``(batch, 1, languages)``, stands for all frames of its piece: it
        counts as often as there are speech frames.
        """
        spoken = speech.unsqueeze(-1)
        self.total.index_add_(0, unit, (posteriors * spoken).sum(1).to(self.total.dtype))
        self.frames.index_add_(0, unit, speech.sum(1).to(self.frames.dtype))

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return numbers ``(seen,)`` and posteriors ``(seen, languages)`` of the units seen."""
        seen = torch.nonzero(self.frames).squeeze(1)
        return seen, self.total[seen] / self.frames[seen, None]
