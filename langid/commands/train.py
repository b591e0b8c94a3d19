"""Train an identifier on a store.

Writes checkpoints/best.ckpt (lowest validation loss), checkpoints/last.ckpt, TensorBoard logs and
run.json into the folder of the run. A run that was killed goes on with resume=PATH/last.ckpt and
ends with the same weights. A sweep (-m) goes on when its line is typed again.

Examples:
  langid train experiment=gru store=trio.h5 optimizer.lr=0.0005
  langid train -m experiment=gru store=trio.h5 silence=mask,remove,label seed=0,1
"""

import datetime
import logging
import os
import re
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from langid.corpora.tasks import left_out_line
from langid.errors import LangidError

if TYPE_CHECKING:  # the heavy libraries come after Hydra has checked the configuration
    from pytorch_lightning import Callback, Trainer

    from langid.data.datamodule import LanguageDataModule
    from langid.training.identifier import LanguageIdentifier

HYPERPARAMETERS = (
    "task", "model", "silence", "split", "data", "balance", "augment", "loss", "optimizer",
    "scheduler", "seed",
)  # fmt: skip
# Advice of Lightning that does not apply to the user.
SILENCED = (
    ".*does not have many workers.*", ".*exists and is not empty.*", ".*isn't compatible.*",
    ".*number of training batches.*", ".*treespec.*", ".*Checkpoint directory.*",
    ".*could not find the monitored key.*",
)  # fmt: skip


# What torch says, on a device, on the CPU and in a process that loads batches.
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|Cannot allocate")


def run_folder(resume: str | None, name: str) -> str:
    """Return the folder of a run: that of the checkpoint resumed, or a new one by name and time.

    Raises LangidError for the new one where torchrun or srun has started several processes, whose
    clocks differ.
    """
    if resume:
        return str(Path(resume).expanduser().resolve().parents[1])
    if int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1"))) > 1:
        raise LangidError("several processes were started for one run: add output=DIR")
    return str(Path("runs") / name / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))


def run(config: DictConfig) -> int:
    """Train as configured and print where the results lie."""
    from hydra.core.hydra_config import HydraConfig

    output = Path(HydraConfig.get().runtime.output_dir)
    result = train(config, output)
    if result:
        _print_end(result, output, str(config.store))
    return 0


def train(config: DictConfig, output: Path, callbacks: Sequence["Callback"] = ()) -> dict[str, Any]:
    """Train as configured, in the folder ``output``, and return what came out.

    The result is a part of run.json: ``best`` (the validation figures of best.ckpt), ``epochs``,
    ``steps``, ``seconds``; empty in all processes but the first of a run on several devices.
    ``callbacks`` follow those of the configuration. Raises LangidError where the folder holds
    another run, and for data and values that cannot be trained with.
    """
    from langid.training.processes import check_processes
    from langid.training.resume import check_folder, check_resumable
    from langid.training.run_record import describe, write_record

    started = time.monotonic()
    config.output = str(output)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    resume = Path(str(plain["resume"])).expanduser().resolve() if plain["resume"] else None
    check_folder(output, resume)
    _seed(plain["seed"])
    data = _data(plain)
    description = describe(plain, data)
    if resume is not None:
        check_resumable(resume, description)
    identifier = _identifier(plain, description, data)
    record = description | {
        "config": plain,
        "class_frames": data.class_frames(),
        "sequences": data.sequence_counts(),
        "class_weights": [round(float(weight), 6) for weight in identifier.loss.weight],  # type: ignore[union-attr]
        "parameters": sum(parameter.numel() for parameter in identifier.parameters()),
    }
    trainer = _trainer(plain, callbacks)
    check_processes(trainer)
    data.check_processes(trainer.world_size)
    if not trainer.is_global_zero:
        _fit(trainer, identifier, data, resume, output)
        return {}
    output.mkdir(parents=True, exist_ok=True)
    write_record(output / "run.json", record | {"status": "started"})
    _print_start(record, output)
    _fit(trainer, identifier, data, resume, output)
    result = _result(trainer, time.monotonic() - started)
    _log_hyperparameters(trainer, plain, result)
    write_record(output / "run.json", record | {"status": "finished"} | result)
    return result


def _seed(seed: Any) -> None:
    import torch
    from pytorch_lightning import seed_everything

    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise LangidError(f"seed={seed}: accepted are whole numbers from 0 to {2**32 - 1}")
    seed_everything(seed, workers=True, verbose=False)
    # With deterministic algorithms torch fills every new tensor before it is written: no need.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _data(plain: dict[str, Any]) -> "LanguageDataModule":
    from langid.build import build
    from langid.data.datamodule import LanguageDataModule

    store = os.path.abspath(Path(str(plain["store"])).expanduser())
    split, silence = build(plain["split"]), plain["silence"]["policy"]
    data = LanguageDataModule(
        store,
        split,
        silence,
        **plain["data"],
        seed=plain["seed"],
        balance=build(plain["balance"]),
        task=build(plain["task"]),
    )
    _check_front_end(plain, data)
    return data


def _check_front_end(plain: dict[str, Any], data: "LanguageDataModule") -> None:
    """Raise LangidError where features or detector are asked for that the store does not hold."""
    from langid.data.prepare import differing, flatten

    for group in ("features", "detector"):
        held, asked = data.store.description[group], plain.get(group)
        differences = differing(flatten(held), flatten(asked), "the store") if asked else []
        if differences:
            raise LangidError(
                f"store={data.store.path}: its {group} are not those that are asked for"
                f" ({'; '.join(differences)}); prepare another one with them, or let langid"
                " reproduce do it"
            )


def _identifier(
    plain: dict[str, Any], description: dict[str, Any], data: "LanguageDataModule"
) -> "LanguageIdentifier":
    """Return the untrained identifier, its normaliser fitted to the training part."""
    import torch

    from langid.build import build
    from langid.training.checkpoint import build_identifier

    scheduler = plain.get("scheduler")
    identifier = build_identifier(
        description,
        loss=build(plain["loss"], class_frames=data.class_frames()),
        optimizer=build(plain["optimizer"] | {"_partial_": True}),
        scheduler=build(scheduler | {"_partial_": True}) if scheduler else None,
        augment=build(plain["augment"]),
    )
    mean, deviation = (torch.from_numpy(values) for values in data.normaliser_statistics())
    identifier.normaliser.fit(mean.float(), deviation.float())
    return identifier


def _trainer(plain: dict[str, Any], callbacks: Sequence["Callback"]) -> "Trainer":
    from langid.build import build
    from langid.training.checkpoint_file import WholeCheckpoint

    for library in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for message in SILENCED:
        warnings.filterwarnings("ignore", message=message)
    logger, chosen = plain.get("logger"), plain.get("callbacks") or {}
    _check_trainer(plain["trainer"], chosen)
    own = [
        build(callback)
        for callback in chosen.values()
        if logger or not callback["_target_"].endswith(".LearningRateMonitor")  # it needs one
    ]
    trainer: Trainer = build(
        {"enable_progress_bar": sys.stdout.isatty()} | plain["trainer"],
        callbacks=[*own, *callbacks],
        logger=build(logger) if logger else False,
        plugins=[WholeCheckpoint()],
    )
    return trainer


def _check_trainer(trainer: dict[str, Any], callbacks: dict[str, Any]) -> None:
    """Raise LangidError for what would end without checkpoints."""
    for name in ("best", "last"):
        if name not in callbacks:
            raise LangidError(
                f"callbacks.{name} is missing, which writes checkpoints/{name}.ckpt; other"
                " callbacks can be left out one by one, as in ~callbacks.confusion"
            )
    if trainer.get("fast_dev_run"):
        raise LangidError(
            f"trainer.fast_dev_run={trainer['fast_dev_run']}: it writes no checkpoint; for a short"
            " run take trainer.max_epochs=1 +trainer.limit_train_batches=1"
            " +trainer.limit_val_batches=1"
        )


def _fit(
    trainer: "Trainer",
    identifier: "LanguageIdentifier",
    data: "LanguageDataModule",
    resume: Path | None,
    output: Path,
) -> None:
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from langid.training.identifier import Diverged
    from langid.training.processes import other_processes
    from langid.training.run_record import write_record

    try:
        with other_processes(trainer, lambda: _same_command(output)):
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
        if not NO_MEMORY.search(str(error)) and not isinstance(error, MemoryError):
            raise
        raise LangidError(_too_large(str(error), data)) from error
    except SystemExit:  # what Lightning makes of Ctrl-C
        if not trainer.is_global_zero:
            raise
        raise KeyboardInterrupt from None


def _same_command(output: Path) -> list[str]:
    """Return the command line of this run, for the processes of its other devices."""
    from hydra.core.hydra_config import HydraConfig

    settings = HydraConfig.get()
    if settings.job.config_name != "train":
        raise LangidError(
            f"langid {settings.job.config_name} trains on one device; take trainer.devices=1"
        )
    given = [item for item in settings.overrides.task if item.partition("=")[0] != "output"]
    own = [f'output="{output}"', "hydra.output_subdir=null"]
    return [sys.executable, "-m", "langid", "train", *given, *own]


def _too_large(reason: str, data: "LanguageDataModule") -> str:
    """Say what a batch is made of that memory had no room for, and what to do."""
    asked = re.search(r"allocate ([\d.]+ \w+)", reason)
    return (
        f"a batch does not fit into memory{f' ({asked[1]} asked for)' if asked else ''}, with"
        f" data.batch_size={data.batch_size} sequences of up to data.sequence_frames="
        f"{data.sequence_frames} frames; make one of them, or the network (model.network), smaller."
        " Checkpoints of earlier epochs are kept"
    )


def _result(trainer: "Trainer", seconds: float) -> dict[str, Any]:
    """Return the validation figures of the best epoch and how long it all took."""
    from langid.training.checkpoint import read_checkpoint

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


def _log_hyperparameters(trainer: "Trainer", plain: dict[str, Any], result: dict[str, Any]) -> None:
    """Add what was chosen and what came out to TensorBoard: dotted keys, simple values."""
    from torch.utils.tensorboard.summary import hparams

    from langid.data.prepare import flatten

    logger: Any = trainer.logger
    if logger is None:
        return
    flat = {
        key: value if isinstance(value, int | float | bool) else str(value)
        for key, value in flatten({key: plain.get(key) for key in HYPERPARAMETERS}).items()
    }
    finals = {f"best/{name}": value for name, value in result["best"].items()}
    logger.log_metrics(finals)
    logger.log_hyperparams(flat)
    # Without the list of columns, the first of the three: TensorBoard would take that of one run
    # for all, and the keys that only other networks of a sweep have would not be shown.
    for summary in hparams(flat, finals)[1:]:  # type: ignore[no-untyped-call]
        logger.experiment.file_writer.add_summary(summary)
    logger.save()


def _print_start(record: dict[str, Any], output: Path) -> None:
    parts, shared = record["split_summary"]["parts"], record["split_summary"]["shared"]
    column = record["task"]["column"]
    table = Table(column, *parts, "loss weight", title="clips / speakers")
    for name, weight in zip(record["classes"], record["class_weights"], strict=False):
        counts = [part.get(name, {"clips": 0, "speakers": 0}) for part in parts.values()]
        cells = [f"{count['clips']} / {count['speakers']}" for count in counts]
        table.add_row(name, *cells, f"{weight:.3f}")
    Console(markup=False).print(table)
    if left_out := left_out_line(column, record["left_out"]):
        print(left_out)
    print(
        f"shared by training and the other parts: {shared['speakers']} speakers,"
        f" {shared['utterances']} utterances"
    )
    if shared["unknown_speakers"]:
        print(
            f"warning: {shared['unknown_speakers']} clips of validation and test have no known"
            " speaker; each counts as one of its own, so speakers may be shared unseen"
        )
    _print_balance(record)
    numbers = f"parameters: {record['parameters']:,}   seed: {record['seed']}"
    print(f"{numbers}   folder: {output}", flush=True)


def _print_balance(record: dict[str, Any]) -> None:
    """Say what an epoch draws, where that is not every training sequence once."""
    if record["balance"]["_target_"].endswith(".EverySequence"):
        return
    counts = zip(record["classes"], *record["sequences"].values(), strict=True)
    drawn = (f"{name} {per_epoch} (of {there})" for name, there, per_epoch in counts)
    print(f"sequences an epoch: {', '.join(drawn)}")
    if len(set(record["class_weights"])) > 1:
        print(
            "warning: balance and loss.class_weights correct the imbalance twice; add"
            " loss.class_weights=none, or take balance=none"
        )


def _print_end(result: dict[str, Any], output: Path, store: str) -> None:
    best, checkpoint = result["best"], output / "checkpoints" / "best.ckpt"
    overrides = {"checkpoint": checkpoint, "store": store, "output": output / "test"}
    print(
        f"best epoch {best['epoch']}: validation loss {best['loss']:.3f}, accuracy"
        f" {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
        f"   ({result['seconds']:.0f} s)",
        f"best      {checkpoint}",
        f"last      {checkpoint.with_name('last.ckpt')}",
        f"record    {output / 'run.json'}",
        f"curves    tensorboard --logdir {output}",
        "next      langid evaluate "
        + " ".join(override(key, value) for key, value in overrides.items()),
        sep="\n",
        flush=True,
    )


def override(key: str, value: object) -> str:
    """Return an override as it is typed, in quotes where the shell or Hydra needs them."""
    if value is None:
        return f"{key}=null"
    if isinstance(value, int | float) or re.fullmatch(r"[\w./-]+", str(value), re.ASCII):
        return f"{key}={value}"
    text = str(value).replace('"', '\\"')
    return shlex.quote(f'{key}="{text}"')
