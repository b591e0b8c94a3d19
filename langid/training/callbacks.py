"""What happens around training: seeds, curves, lines on the terminal."""

import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from langid.data.dataset import Batch


class StepSeed(Callback):
    """Seeds torch anew for each batch, so that a resumed run draws the same masks.

    The seed depends on epoch and batch, not on the optimiser's steps: where gradients of several
    batches are accumulated, each batch has masks of its own.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, _: LightningModule, __: Any, batch_index: int
    ) -> None:
        batch = trainer.current_epoch * int(trainer.num_training_batches) + batch_index
        seed = self.seed * 1_000_003 + batch
        # Each process has masks of its own; a CPU takes the lower 32 bits alone.
        torch.manual_seed(seed + trainer.global_rank * 0x9E3779B1)


class Pace(Callback):
    """Adds to the curves, for each epoch, how training goes.

    Frames a second, the share of padding in batches, and the mean norm of the gradients before they
    are clipped: whether the loader or the network is slow, whether sequences of too different
    lengths share batches, and whether the learning rate can bear more.
    """

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.began, self.steps = time.perf_counter(), 0
        self.frames, self.places = torch.zeros(2, dtype=torch.int64, device=module.device)
        self.norms = torch.zeros((), device=module.device)

    def on_train_batch_start(self, _: Trainer, __: LightningModule, batch: Batch, ___: int) -> None:
        self.frames += batch.lengths.sum()
        self.places += len(batch.lengths) * batch.lengths.max()

    def on_before_optimizer_step(
        self, _: Trainer, module: LightningModule, __: torch.optim.Optimizer
    ) -> None:
        gradients = [of.grad for of in module.parameters() if of.grad is not None]
        self.norms += torch.nn.utils.get_total_norm(gradients)
        self.steps += 1

    def on_train_epoch_end(self, _: Trainer, module: LightningModule) -> None:
        took = time.perf_counter() - self.began
        module.log("train/frames_per_second", self.frames / took, sync_dist=True, reduce_fx="sum")
        shares: dict[str, Tensor] = {
            "train/padding": 1 - self.frames / self.places.clamp(min=1),
            "train/gradient_norm": self.norms / max(1, self.steps),
        }
        module.log_dict(shares, sync_dist=True)


class EpochLine(Callback):
    """Prints one line per epoch, also where there is no terminal for a progress bar."""

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        values = trainer.callback_metrics
        if not trainer.is_global_zero or "val/loss" not in values:
            return
        names = ("train/loss", "val/loss", "val/accuracy", "val/balanced_accuracy")
        text = "  ".join(f"{name} {float(values[name]):.3f}" for name in names if name in values)
        print(f"epoch {trainer.current_epoch:3d}  {text}", flush=True)
