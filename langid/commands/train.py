"""Train an identifier on a store.

Writes checkpoints/best.ckpt (lowest validation loss), checkpoints/last.ckpt, TensorBoard logs and
run.json into the folder of the run. A run that was killed goes on with resume=PATH/last.ckpt and
ends with the same weights.

examples:
  langid train experiment=gru store=trio.h5 optimizer.lr=0.0005
  langid train -m experiment=gru store=trio.h5 silence=mask,remove,label seed=0,1
"""

import datetime
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from langid import __version__
from langid.errors import LangidError

# What must be the same when a run goes on from a checkpoint.
RESUMED_ALIKE = ("classes", "model", "silence", "split", "data", "features", "fingerprint", "seed")


def run_folder(resume: str | None, name: str) -> str:
    """Return the folder of a run: that of the checkpoint it resumes, or a new one by name and time."""
    if resume:
        return str(Path(resume).expanduser().resolve().parents[1])
    return str(Path("runs") / name / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))


def run(config: DictConfig) -> int:
    """Train as configured and print where the results lie."""
    import torch  # the heavy libraries come after Hydra has checked the configuration
    from hydra.core.hydra_config import HydraConfig
    from pytorch_lightning import seed_everything

    from langid.data.datamodule import LanguageDataModule
    from langid.training.checkpoint import build, build_identifier
    from langid.training.run_record import write_record

    started = time.monotonic()
    output = Path(HydraConfig.get().runtime.output_dir)
    config.output = str(output)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    resume = _resumable(plain["resume"], output)
    seed_everything(plain["seed"], workers=True, verbose=False)
    data = LanguageDataModule(
        os.path.abspath(Path(plain["store"]).expanduser()),
        build(plain["split"]),
        plain["silence"]["policy"],
        **plain["data"],
        seed=plain["seed"],
    )
    description = _describe(plain, data)
    if resume is not None:
        _check_same(resume, description)
    scheduler = plain.get("scheduler")
    identifier = build_identifier(
        description,
        loss=build(plain["loss"], class_frames=data.class_frames()),
        optimizer=build(plain["optimizer"] | {"_partial_": True}),
        scheduler=build(scheduler | {"_partial_": True}) if scheduler else None,
    )
    mean, deviation = (torch.from_numpy(values) for values in data.normaliser_statistics())
    identifier.normaliser.fit(mean.float(), deviation.float())
    record = description | {
        "config": plain,
        "class_frames": data.class_frames(),
        "class_weights": [round(float(weight), 6) for weight in identifier.loss.weight],  # type: ignore[union-attr]
        "parameters": sum(parameter.numel() for parameter in identifier.parameters()),
    }
    write_record(output / "run.json", record | {"status": "started"})
    _quieten()
    trainer = build(
        {"enable_progress_bar": sys.stdout.isatty()} | plain["trainer"],
        callbacks=[build(callback) for callback in plain["callbacks"].values()],
        logger=build(plain["logger"]),
    )
    _print_start(record, output)
    trainer.fit(identifier, data, ckpt_path=resume, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    result = _result(trainer, time.monotonic() - started)
    finals = {f"best/{name}": value for name, value in result["best"].items()}
    trainer.logger.log_hyperparams(_flat(plain), finals)
    trainer.logger.save()
    write_record(output / "run.json", record | {"status": "finished"} | result)
    _print_end(result, output, plain["store"])
    return 0


def _resumable(resume: str | None, output: Path) -> Path | None:
    """Return the checkpoint to go on from; refuse to write over a run that is already there."""
    if resume is not None:
        return Path(resume).expanduser().resolve()
    if (output / "checkpoints").exists():
        last = output / "checkpoints" / "last.ckpt"
        raise LangidError(
            f"output={output}: a run is already there; go on with resume={last}, or choose another"
            " output=DIR"
        )
    return None


def _describe(plain: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return the plain data that makes a checkpoint complete."""
    from langid.training.checkpoint import SCHEMA
    from langid.training.run_record import versions

    return {
        "schema": SCHEMA,
        "version": __version__,
        "versions": versions(),
        "seed": plain["seed"],
        "classes": data.classes,
        "model": plain["model"],
        "silence": data.silence,
        "split": plain["split"],
        "split_summary": data.summary(),
        "data": plain["data"],
        "features": data.store.description["features"],
        "detector": data.store.description["detector"],
        "fingerprint": data.store.fingerprint,
        "store": str(data.store.path),
    }


def _check_same(resume: Path, description: dict[str, Any]) -> None:
    from langid.training.checkpoint import read_checkpoint

    held = read_checkpoint(resume)["langid"]
    for key in RESUMED_ALIKE:
        if held[key] != description[key]:
            raise LangidError(
                f"resume={resume}: it was trained with {key} {held[key]}, asked is"
                f" {description[key]}; give the same overrides and store as before"
            )


def _quieten() -> None:
    """Keep advice that does not apply to the user off the terminal."""
    import logging

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*exists and is not empty.*",
                    ".*number of training batches.*", ".*isn't compatible.*", ".*treespec.*",
                    ".*Checkpoint directory.*"):  # fmt: skip
        warnings.filterwarnings("ignore", message=message)


def _result(trainer: Any, seconds: float) -> dict[str, Any]:
    """Return the validation figures of the best epoch and how long it all took."""
    import torch

    path = trainer.checkpoint_callback.best_model_path  # of the first: best.ckpt
    best = torch.load(path, map_location="cpu", weights_only=True)
    return {
        "best": best["langid_validation"] | {"epoch": best["epoch"]},
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": round(seconds, 1),
    }


def _flat(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration as hyperparameters for TensorBoard: dotted keys, simple values."""
    from langid.data.prepare import flatten

    keys = ("model", "silence", "split", "data", "loss", "optimizer", "scheduler", "seed")
    flat = flatten({key: plain.get(key) for key in keys})
    return {key: value if isinstance(value, int | float | bool) else str(value)
            for key, value in flat.items()}  # fmt: skip


def _print_start(record: dict[str, Any], output: Path) -> None:
    console = Console()
    table = Table("language", *record["split_summary"]["parts"], "loss weight", title="clips / speakers")
    weights = [f"{weight:.3f}" for weight in record["class_weights"]]
    for language, weight in zip(record["classes"], weights, strict=False):
        cells = [
            "{clips} / {speakers}".format(**part.get(language, {"clips": 0, "speakers": 0}))
            for part in record["split_summary"]["parts"].values()
        ]
        table.add_row(language, *cells, weight)
    console.print(table)
    shared = record["split_summary"]["shared"]
    console.print(
        f"shared by training and the other parts: {shared['speakers']} speakers,"
        f" {shared['utterances']} utterances"
    )
    if shared["unknown_speakers"]:
        console.print(
            f"warning: {shared['unknown_speakers']} clips of validation and test have no known"
            " speaker; each counts as one of its own, so speakers may be shared unseen"
        )
    console.print(f"parameters: {record['parameters']:,}   seed: {record['seed']}   folder: {output}",
                  soft_wrap=True)  # fmt: skip


def _print_end(result: dict[str, Any], output: Path, store: str) -> None:
    console = Console()
    best = result["best"]
    console.print(
        f"best epoch {best['epoch']}: validation loss {best['loss']:.3f}, accuracy"
        f" {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
        f"   ({result['seconds']:.0f} s)"
    )
    checkpoint = output / "checkpoints" / "best.ckpt"
    for line in (
        f"best      {checkpoint}",
        f"last      {checkpoint.with_name('last.ckpt')}",
        f"record    {output / 'run.json'}",
        f"curves    tensorboard --logdir {output}",
        f"next      langid evaluate checkpoint={checkpoint} store={store} output={output / 'test'}",
    ):
        console.print(line, soft_wrap=True, highlight=False)
