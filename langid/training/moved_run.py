"""A resumed run keeps its best checkpoint, wherever its folder lies now."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from langid.training.checkpoint import read_checkpoint


class MovedRun(Callback):
    """Tells callbacks that keep the best checkpoints what lies in the folder that is resumed.

    Lightning remembers absolute paths, and forgets the best score where they are others now.
    """

    def on_load_checkpoint(
        self, trainer: Trainer, _: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        states = checkpoint["callbacks"]
        for callback in trainer.checkpoint_callbacks:
            key = callback.state_key
            if isinstance(callback, ModelCheckpoint) and callback.monitor and key in states:
                states[key] = _of_today(callback, states[key], trainer.is_global_zero)


def _of_today(callback: ModelCheckpoint, state: dict[str, Any], tell: bool) -> dict[str, Any]:
    """Return a callback's state with the best files that are there, by their own scores.

    The state of a last.ckpt that was copied can be older than the files. Empty where there is none.
    """
    folder, best = str(callback.dirpath), state["best_k_models"]
    held = {
        os.path.join(folder, os.path.relpath(path, state["dirpath"])): best[path] for path in best
    }
    scores = {}
    for path, score in (held or {callback.format_checkpoint_name({}): None}).items():
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
        "dirpath": folder,
        "best_k_models": scores,
        "best_model_path": ranked[0],
        "best_model_score": scores[ranked[0]],
        "kth_best_model_path": ranked[-1],
        "kth_value": scores[ranked[-1]],
    }
