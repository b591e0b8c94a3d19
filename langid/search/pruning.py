"""Ends a training early where a search has seen better ones."""

from typing import Any

import optuna
from pytorch_lightning import Callback, LightningModule, Trainer

METRIC = "val/balanced_accuracy"


class Pruning(Callback):
    """Tells a trial of Optuna after each epoch what it would score if it ended there.

    That is the balanced accuracy of the epoch that best.ckpt holds, be it this one or an earlier
    one. Raises optuna.TrialPruned where the study's pruner has seen enough. It belongs to the
    callbacks of checkpoints: they decide which epoch is the best, and keep what this one knows.
    """

    def __init__(self, trial: optuna.Trial):
        self.trial = trial
        self.score = float("nan")

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        checkpoint: Any = trainer.checkpoint_callback
        values = trainer.callback_metrics
        if METRIC not in values:  # not every epoch need be validated
            return
        watched = values.get(checkpoint.monitor)
        if watched is None or checkpoint.check_monitor_top_k(trainer, watched):
            self.score = float(values[METRIC])
        self.trial.report(self.score, trainer.current_epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned(
                f"after epoch {trainer.current_epoch} at balanced accuracy {self.score:.3f}"
            )

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.score = state["score"]
