"""Schedules of the learning rate that torch does not have."""

import math
from typing import Any

import torch
from torch import Tensor

from langid.errors import LangidError


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


class Cosine(torch.optim.lr_scheduler.LRScheduler):
    """Half a cosine from ``lr`` to ``final * lr`` (Loshchilov and Hutter 2017), behind a warm-up.

    In the first ``warmup`` of all steps of the run ``lr`` is reached in even steps. How many there
    are says ``end_at``; before, ``lr`` stays. Raises ValueError for shares outside 0 to 1.
    """

    every_step = True

    def __init__(self, optimizer: torch.optim.Optimizer, warmup: float = 0.05, final: float = 0.0):
        for name, share in (("warmup", warmup), ("final", final)):
            if not 0 <= share <= 1:
                raise ValueError(f"scheduler.{name}={share:g}: accepted are numbers from 0 to 1")
        self.warmup, self.final = warmup, final
        self.steps: int | None = None
        super().__init__(optimizer)

    def end_at(self, steps: float) -> None:
        """Let the run have so many steps in all; raises LangidError where it has no end."""
        if not math.isfinite(steps):
            raise LangidError(
                "scheduler=cosine: the run has no end; take trainer.max_epochs=30, say, or"
                " scheduler=plateau"
            )
        self.steps = int(steps)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate
        self._last_lr = self.get_lr()

    def get_lr(self) -> list[float | Tensor]:
        """Return the learning rate of each group of parameters."""
        return [base * self._share() for base in self.base_lrs]

    def _share(self) -> float:
        if self.steps is None:
            return 1.0
        warm = round(self.warmup * self.steps)
        if self.last_epoch < warm:
            return (self.last_epoch + 1) / warm
        gone = min(1.0, (self.last_epoch - warm) / max(1, self.steps - warm))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * gone)) / 2

    def state_dict(self) -> dict[str, Any]:
        """Return all but the number of steps, which the run that goes on knows."""
        return {name: value for name, value in super().state_dict().items() if name != "steps"}
