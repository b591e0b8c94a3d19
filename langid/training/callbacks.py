"""What happens around training: seeds, pictures, lines on the terminal, resumed runs."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from langid.plots import draw_confusion
from langid.training.checkpoint import read_checkpoint
from langid.training.identifier import LanguageIdentifier


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
        torch.manual_seed(seed + (trainer.global_rank << 52))  # each process has masks of its own


class ConfusionPicture(Callback):
    """Adds the confusion matrix of the validation part to TensorBoard after each epoch."""

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageIdentifier)
        if trainer.sanity_checking or trainer.logger is None or not trainer.is_global_zero:
            return
        title = f"validation, epoch {trainer.current_epoch}"
        figure = draw_confusion(module.confusion, module.classes, title)
        experiment: Any = trainer.logger.experiment  # type: ignore[attr-defined]
        experiment.add_figure("val/confusion", figure, trainer.global_step)


class EpochLine(Callback):
    """Prints one line per epoch, also where there is no terminal for a progress bar."""

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        values = trainer.callback_metrics
        if not trainer.is_global_zero or "val/loss" not in values:
            return
        names = ("train/loss", "val/loss", "val/accuracy", "val/balanced_accuracy")
        text = "  ".join(f"{name} {float(values[name]):.3f}" for name in names if name in values)
        print(f"epoch {trainer.current_epoch:3d}  {text}", flush=True)


class MovedRun(Callback):
    """Tells callbacks of checkpoints what lies in the folder that is resumed.

    Lightning remembers absolute paths, and forgets the best score where they are others now.
    """

    def on_load_checkpoint(
        self, trainer: Trainer, _: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        states = checkpoint["callbacks"]
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.state_key in states:
                state = _moved(callback, states[callback.state_key])
                if callback.monitor is not None:
                    state = _with_scores(callback, state, trainer.is_global_zero)
                states[callback.state_key] = state


def _moved(callback: ModelCheckpoint, state: dict[str, Any]) -> dict[str, Any]:
    """Return a callback's state with the paths of its folder of today."""
    folder, before = str(callback.dirpath), state["dirpath"]

    def here(path: str) -> str:
        return os.path.join(folder, os.path.relpath(path, before)) if path else ""

    return state | {
        "dirpath": folder,
        "best_model_path": here(state["best_model_path"]),
        "last_model_path": here(state["last_model_path"]),
        "best_k_models": {here(path): score for path, score in state["best_k_models"].items()},
    }


def _with_scores(callback: ModelCheckpoint, state: dict[str, Any], tell: bool) -> dict[str, Any]:
    """Return a callback's state with the best files that are there, by their own scores.

    The state of a last.ckpt that was copied can be older than the files. Empty where there is none.
    """
    remembered = state["best_k_models"] or {callback.format_checkpoint_name({}): None}
    scores = {}
    for path, score in remembered.items():
        if Path(path).is_file():
            own = read_checkpoint(Path(path))["callbacks"].get(callback.state_key, {})
            scores[path] = own.get("current_score", score)
        elif score is not None and tell:
            print(f"warning: {path} is not there; the best is sought from this epoch on")
    scores = {path: score for path, score in scores.items() if score is not None}
    if not scores:
        return {}
    ranked = sorted(scores, key=lambda path: float(scores[path]), reverse=callback.mode == "max")
    return state | {
        "best_k_models": scores,
        "best_model_path": ranked[0],
        "best_model_score": scores[ranked[0]],
        "kth_best_model_path": ranked[-1],
        "kth_value": scores[ranked[-1]],
    }
