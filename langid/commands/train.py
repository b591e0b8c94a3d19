"""Train an identifier on a store.

Writes checkpoints/best.ckpt, checkpoints/last.ckpt, TensorBoard logs and run.json into the folder
of the run. The best epoch is that of the lowest validation loss, or of the best of what select=
names; early stopping goes by the same. A run that was killed goes on with resume=PATH/last.ckpt and
ends with the same weights. A sweep (-m) goes on when its line is typed again.

Examples:
  langid train experiment=gru store=trio.h5 optimizer.lr=0.0005 select=val/balanced_accuracy
  langid train -m experiment=gru store=trio.h5 silence=mask,remove,label seed=0,1
"""

import contextlib
import datetime
import itertools
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from langid.commands.train_start import print_start
from langid.errors import LangidError
from langid.exclusive import exclusively
from langid.metrics import check_selection
from langid.typed import override, quoted

if TYPE_CHECKING:  # the heavy libraries come after Hydra has checked the configuration
    from pytorch_lightning import Callback

    from langid.data.datamodule import LanguageDataModule
    from langid.training.identifier import LanguageIdentifier
    from langid.training.run_description import RunDescription
    from langid.training.run_record import RunRecord


def run_folder(resume: str | None, name: str) -> str:
    """Return the folder of a run: that of the checkpoint resumed, or a new one by name and time.

    The new one is made. Raises LangidError for a checkpoint that lies in no folder of a run, and
    for a new folder where torchrun or srun has started several processes, whose clocks differ.
    """
    if resume:
        checkpoints = Path(resume).expanduser().resolve().parent
        if checkpoints.name != "checkpoints":
            raise LangidError(
                f"resume={resume}: it does not lie in RUN/checkpoints, so the folder to go on in"
                " is not known; add output=DIR"
            )
        return str(checkpoints.parent)
    if int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1"))) > 1:
        raise LangidError("several processes were started for one run: add output=DIR")
    return str(_new_folder(Path("runs") / name))


def _new_folder(parent: Path) -> Path:
    """Make a folder named by the time; of runs that begin in one second each has its own."""
    stem = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in itertools.count(1):
        folder = parent / (stem if number == 1 else f"{stem}_{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    return folder


def run(config: DictConfig) -> int:
    """Train as configured and print where the results lie."""
    from hydra.core.hydra_config import HydraConfig

    output = Path(HydraConfig.get().runtime.output_dir)
    record = train(config, output)
    if record:
        fractions = config.split.get("fractions", [1, 1, 1])
        _print_end(record, output, str(config.store), "test" if fractions[2] else "validation")
    return 0


def train(
    config: DictConfig, output: Path, callbacks: Sequence["Callback"] = ()
) -> "RunRecord | None":
    """Train as configured, in the folder ``output``, and return the record of the finished run.

    It is None in all processes but the first of a run on several devices. ``callbacks`` follow
    those of the configuration. Raises LangidError where the folder holds another run or another
    process trains in it, and for data and values that cannot be trained with.
    """
    if not _is_first_process():  # of a run on several devices, which the first one holds
        return _train(config, output, callbacks)
    output.mkdir(parents=True, exist_ok=True)
    with exclusively("output", output):
        return _train(config, output, callbacks)


def _is_first_process() -> bool:
    ranks = (os.environ.get(name, "0") for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return all(rank == "0" for rank in ranks)


def _train(config: DictConfig, output: Path, callbacks: Sequence["Callback"]) -> "RunRecord | None":
    from langid.training.fitting import fit, log_hyperparameters, make_trainer, result_of
    from langid.training.processes import check_processes
    from langid.training.resume import check_folder, check_resumable
    from langid.training.run_description import describe
    from langid.training.run_record import RunRecord

    started = time.monotonic()
    config.output = str(output)
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    resume = Path(str(plain["resume"])).expanduser().resolve() if plain["resume"] else None
    check_folder(output, resume)
    check_selection(plain["select"])
    _seed(plain["seed"])
    data = _data(plain)
    description = describe(plain, data)
    if resume is not None:
        check_resumable(resume, description)
    identifier = _identifier(plain, description, data)
    record = RunRecord(
        **description.to_plain(),
        config=plain,
        class_frames=data.class_frames(),
        sequences=data.sequence_counts(),
        class_weights=[round(float(weight), 6) for weight in identifier.loss.weight],  # type: ignore[union-attr]
        parameters=sum(parameter.numel() for parameter in identifier.parameters()),
    )
    trainer = make_trainer(plain, callbacks)
    check_processes(trainer)
    data.check_processes(trainer.world_size)
    if not trainer.is_global_zero:
        fit(trainer, identifier, data, resume, output, _same_command)
        return None
    record.write(output)
    print_start(record, output)
    fit(trainer, identifier, data, resume, output, _same_command)
    result = result_of(trainer, time.monotonic() - started)
    log_hyperparameters(trainer, plain, result)
    record = replace(record, status="finished", **result)
    record.write(output)
    return record


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
    from langid.differences import differing, flatten

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
    plain: dict[str, Any], description: "RunDescription", data: "LanguageDataModule"
) -> "LanguageIdentifier":
    """Return the untrained identifier, its normaliser fitted to the training part."""
    import torch

    from langid.build import build
    from langid.networks.network import StreamingNetwork
    from langid.training.checkpoint import build_identifier

    scheduler = plain.get("scheduler")
    identifier = build_identifier(
        description,
        loss=build(plain["loss"], class_frames=data.class_frames()),
        optimizer=build(plain["optimizer"] | {"_partial_": True}),
        scheduler=build(scheduler | {"_partial_": True}) if scheduler else None,
        augment=build(plain["augment"]),
    )
    if data.carry_state and not isinstance(identifier.network, StreamingNetwork):
        name = type(identifier.network).__name__
        raise LangidError(
            f"data.carry_state=true: the network {name} hears whole utterances and carries nothing"
            " over; take a streaming one, model=gru say"
        )
    mean, deviation = (torch.from_numpy(values) for values in data.normaliser_statistics())
    identifier.normaliser.fit(mean.float(), deviation.float())
    return identifier


def _same_command(output: Path) -> list[str]:
    """Return the command line of this run, for the processes of its other devices."""
    from hydra.core.hydra_config import HydraConfig

    settings = HydraConfig.get()
    if settings.job.config_name != "train":
        raise LangidError(
            f"langid {settings.job.config_name} trains on one device; take trainer.devices=1"
        )
    given = [item for item in settings.overrides.task if item.partition("=")[0] != "output"]
    own = [f"output={quoted(str(output))}", "hydra.output_subdir=null"]
    return [sys.executable, "-m", "langid", "train", *given, *own]


def _print_end(record: "RunRecord", output: Path, store: str, part: str) -> None:
    best, checkpoint = record.best, output / "checkpoints" / "best.ckpt"
    overrides = {"checkpoint": checkpoint, "store": store, "output": output / part}
    if part != "test":  # evaluate's own default
        overrides["part"] = part
    print(
        f"best epoch {best['epoch']} by {record.select}: validation loss {best['loss']:.3f},"
        f" accuracy {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
        f"   ({record.seconds:.0f} s)",
        f"best      {checkpoint}",
        f"last      {checkpoint.with_name('last.ckpt')}",
        f"record    {output / 'run.json'}",
        f"curves    tensorboard --logdir {shlex.quote(str(output))}",
        "next      langid evaluate "
        + " ".join(override(key, value) for key, value in overrides.items()),
        sep="\n",
        flush=True,
    )
