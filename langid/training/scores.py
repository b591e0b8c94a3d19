"""Posteriors of utterances: the mean over their speech frames."""

import torch
from torch import Tensor

from langid.training.processes import gathered


class UtteranceScores:
    """Averages posteriors over the speech frames of each utterance (or sequence that is scored).

    This is the official score of the EE599 course. An utterance may arrive in several pieces, also
    in several processes. Sums are in float64 on the CPU, which not every device knows; a piece is
    summed where it comes from.
    """

    def __init__(self, units: int, num_languages: int):
        self.total = torch.zeros(units, num_languages, dtype=torch.float64)
        self.frames = torch.zeros(units, dtype=torch.float64)

    def update(self, posteriors: Tensor, speech: Tensor, unit: Tensor) -> None:
        """Add ``posteriors (batch, time, languages)`` where ``speech (batch, time)`` is true.

        One frame of posteriors, ``(batch, 1, languages)``, stands for all frames of its piece: it
        counts as often as there are speech frames.
        """
        total, frames = (posteriors * speech.unsqueeze(-1)).sum(1), speech.sum(1)
        self._add(unit.cpu(), total.cpu().double(), frames.cpu().double())

    def compute(self) -> tuple[Tensor, Tensor]:
        """Return numbers ``(seen,)`` and posteriors ``(seen, languages)`` of the units seen.

        They are those of all processes of the run, on the CPU.
        """
        own = torch.nonzero(self.frames).squeeze(1)
        of_all = UtteranceScores(*self.total.shape)
        for sums in gathered([(own, self.total[own], self.frames[own])]):
            of_all._add(*sums)
        seen = torch.nonzero(of_all.frames).squeeze(1)
        return seen, of_all.total[seen] / of_all.frames[seen, None]

    def _add(self, unit: Tensor, total: Tensor, frames: Tensor) -> None:
        self.total.index_add_(0, unit, total)
        self.frames.index_add_(0, unit, frames)
