"""A resumed run keeps its best checkpoint, wherever its folder lies now."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from langid.training.checkpoint import read_checkpoint


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
