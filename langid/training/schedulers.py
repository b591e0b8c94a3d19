"""Schedules of the learning rate that torch does not have."""

import torch
from torch import Tensor


class InverseTime(torch.optim.lr_scheduler.LRScheduler):
    """``lr / (1 + decay * steps)``: the ``decay`` of Keras's optimisers (Keras 2).

    Steps are those of the optimiser, not epochs. Raises ValueError for a negative ``decay``.
    """

    every_step = True

    def __init__(self, optimizer: torch.optim.Optimizer, decay: float):
        if decay < 0:
            raise ValueError(f"scheduler.decay={decay:g}: accepted are 0 and more")
        self.decay = decay
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of each group of parameters."""
        return [base / (1 + self.decay * self.last_epoch) for base in self.base_lrs]
