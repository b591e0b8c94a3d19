"""Lightning's trainer as configured, the training itself, and what is kept of it."""

import logging
import re
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, Trainer
from torch.utils.tensorboard.summary import hparams

from langid.build import build
from langid.data.datamodule import LanguageDataModule
from langid.differences import flatten
from langid.errors import LangidError, is_of_memory
from langid.training.checkpoint import read_checkpoint
from langid.training.checkpoint_file import WholeCheckpoint
from langid.training.diverged import Diverged
from langid.training.identifier import LanguageIdentifier
from langid.training.moved_run import MovedRun
from langid.training.processes import other_processes
from langid.training.run_record import write_record

HYPERPARAMETERS = (
    "task", "model", "silence", "split", "data", "balance", "augment", "waveform", "init",
    "teacher", "loss", "optimizer", "scheduler", "seed",
)  # fmt: skip
# Advice of Lightning that does not apply to the user.
SILENCED = (
    ".*does not have many workers.*", ".*exists and is not empty.*", ".*isn't compatible.*",
    ".*number of training batches.*", ".*treespec.*", ".*Checkpoint directory.*",
    ".*could not find the monitored key.*", ".*in eval mode at the start.*",
    ".*dirpath has changed.*",
)  # fmt: skip


def make_trainer(plain: dict[str, Any], callbacks: Sequence[Callback]) -> Trainer:
    """Return the trainer of a resolved configuration; ``callbacks`` follow those in it.

    Raises LangidError for what would end without checkpoints.
    """
    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)
    logger, chosen = plain.get("logger"), plain.get("callbacks") or {}
    _check_trainer(plain["trainer"], chosen)
    own = [
        build(callback, "callback")
        for callback in chosen.values()
        if logger or not callback["_target_"].endswith(".LearningRateMonitor")  # it needs one
    ]
    trainer: Trainer = build(
        {"enable_progress_bar": sys.stdout.isatty()} | plain["trainer"],
        "trainer",
        callbacks=[*own, MovedRun(), *callbacks],
        logger=build(logger, "logger") if logger else False,
        plugins=[WholeCheckpoint()],
    )
    return trainer


def _check_trainer(trainer: dict[str, Any], callbacks: dict[str, Any]) -> None:
    for name in ("best", "last"):
        if name not in callbacks:
            raise LangidError(
                f"callbacks.{name} is missing, which writes checkpoints/{name}.ckpt; other"
                " callbacks can be left out one by one, as in ~callbacks.pictures"
            )
    if trainer.get("fast_dev_run"):
        raise LangidError(
            f"trainer.fast_dev_run={trainer['fast_dev_run']}: it writes no checkpoint; for a short"
            " run take trainer.max_epochs=1 +trainer.limit_train_batches=1"
            " +trainer.limit_val_batches=1"
        )


def fit(
    trainer: Trainer,
    identifier: LanguageIdentifier,
    data: LanguageDataModule,
    resume: Path | None,
    output: Path,
    command: Sequence[str] | None,
) -> None:
    """Train to the end; ``command`` is the line that the processes of other devices run.

    Raises LangidError for a loss that is not finite, whose batch then stands in diverged.json in
    ``output``, and for a batch that memory has no room for; KeyboardInterrupt for Ctrl-C.
    """
    try:
        with other_processes(trainer, command):
            trainer.fit(identifier, data, ckpt_path=resume, weights_only=True)
    except (Diverged, MisconfigurationException) as error:  # in all processes; the first one tells
        if not trainer.is_global_zero:
            time.sleep(10)  # torchrun ends the first one as soon as this one has ended
            raise SystemExit(2) from error
        if isinstance(error, MisconfigurationException):
            raise LangidError(f"trainer or callbacks: {error}") from error
        path = output / "diverged.json"
        write_record(path, {"error": str(error), "utterances": error.utterances})
        raise LangidError(f"{error}; all utterances of the batch: {path}") from error
    except (RuntimeError, MemoryError) as error:
        if str(error).startswith("Early stopping conditioned on"):
            raise LangidError(
                f"callbacks: {str(error).splitlines()[0]}; where the first epoch is not validated,"
                " take more trainer.max_steps, or validate more often"
            ) from error
        if not is_of_memory(error):
            raise
        raise LangidError(_too_large(str(error), data)) from error
    except SystemExit:  # what Lightning makes of Ctrl-C
        if not trainer.is_global_zero:
            raise
        raise KeyboardInterrupt from None


def _too_large(reason: str, data: LanguageDataModule) -> str:
    """Say what a batch is made of that memory had no room for, and what to do."""
    asked = re.search(r"allocate ([\d.]+ \w+)", reason)
    return (
        f"a batch does not fit into memory{f' ({asked[1]} asked for)' if asked else ''}, with"
        f" data.batch_size={data.batch_size} sequences of up to data.sequence_frames="
        f"{data.sequence_frames} frames; make one of them, or the network (model.network), smaller."
        " Checkpoints of earlier epochs are kept"
    )


def result_of(trainer: Trainer, seconds: float) -> dict[str, Any]:
    """Return the validation figures of the best epoch and how long it all took."""
    path = trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
    if not path:
        raise LangidError(
            f"the run ended after {trainer.current_epoch} epochs and {trainer.global_step} steps"
            " without a validation, which best.ckpt needs; take more trainer.max_epochs or"
            " trainer.max_steps, or a smaller trainer.check_val_every_n_epoch"
        )
    best = read_checkpoint(Path(path))  # of the first callback: best.ckpt
    return {
        "best": best["langid_validation"] | {"epoch": best["epoch"]},
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": round(seconds, 1),
    }


def log_hyperparameters(trainer: Trainer, plain: dict[str, Any], result: dict[str, Any]) -> None:
    """Add what was chosen and what came out to TensorBoard: dotted keys, simple values."""
    logger: Any = trainer.logger
    if logger is None:
        return
    flat = {
        key: value if isinstance(value, int | float | bool) else str(value)
        for key, value in flatten({key: plain.get(key) for key in HYPERPARAMETERS}).items()
    }
    finals = {f"val_best/{name}": value for name, value in result["best"].items()}
    logger.log_metrics(finals)
    logger.log_hyperparams(flat)
    # Without the list of columns, the first of the three: TensorBoard would take that of one run
    # for all, and the keys that only other networks of a sweep have would not be shown.
    for summary in hparams(flat, finals)[1:]:  # type: ignore[no-untyped-call]
        logger.experiment.file_writer.add_summary(summary)
    logger.save()
