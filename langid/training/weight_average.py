"""The mean of the weights of many steps, which is what is validated and kept."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

LEARNING = "learning_weights"  # in a checkpoint, beside the average


class WeightAverage(Callback):
    """Keeps an exponential moving average of the weights (Polyak and Juditsky 1992).

    It is what is validated, and what checkpoints hold; the weights that learn lie beside it there,
    for a run that goes on. With each step of the optimiser the average keeps ``decay`` of what it
    is, at first less, ``(1 + steps) / (10 + steps)``, to forget the beginning. Running means of
    normalisations stay those of the training. Raises ValueError for a ``decay`` outside 0 to 1.
    """

    def __init__(self, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"decay={decay}: accepted are numbers from 0 to below 1")
        self.decay = decay
        self.average: dict[str, Tensor] = {}
        self.steps = 0  # of the optimiser, of which the average is

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        before = self.average
        self.average = {
            name: before.get(name, weight).detach().clone().to(weight.device)
            for name, weight in module.named_parameters()
            if weight.requires_grad
        }

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        if trainer.global_step == self.steps:  # gradients of several batches make a step
            return
        self.steps = trainer.global_step
        weights = dict(module.named_parameters())
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        own: list[Tensor] = [weights[name] for name in self.average]
        torch._foreach_lerp_([*self.average.values()], own, share)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._exchange(module)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._exchange(module)

    def _exchange(self, module: LightningModule) -> None:
        """Let the module have the average, or have its own weights again."""
        weights = dict(module.named_parameters())
        for name, other in self.average.items():
            self.average[name], weights[name].data = weights[name].data, other

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average, self.steps = state["average"], state["steps"]

    def on_save_checkpoint(
        self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        weights = checkpoint["state_dict"]
        checkpoint[LEARNING] = {name: weights[name] for name in self.average}
        checkpoint["state_dict"] = weights | self.average
