"""A training from resolved configuration to the record of the finished run."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, seed_everything

from langid.build import build, factory
from langid.data.datamodule import LanguageDataModule
from langid.differences import differing, flatten
from langid.errors import LangidError
from langid.exclusive import exclusive_folder
from langid.metrics import check_selection
from langid.networks.network import SampleNetwork, StreamingNetwork, UtteranceNetwork
from langid.signal.encoder_files import pinned
from langid.signal.spectral_augment import Augment
from langid.training.checkpoint import build_identifier, pinned_model
from langid.training.fitting import fit, log_hyperparameters, make_trainer, result_of
from langid.training.identifier import LanguageIdentifier
from langid.training.init import read_start, shared_with, take_over
from langid.training.processes import check_processes
from langid.training.resume import check_folder, check_resumable
from langid.training.run_description import RunDescription, describe, stride_of
from langid.training.run_record import RunRecord
from langid.training.teacher import TeacherFile, read_teacher
from langid.training.teaching import teach


def train(
    config: dict[str, Any],
    callbacks: Sequence[Callback] = (),
    begun: Callable[[RunRecord], None] | None = None,
    command: Sequence[str] | None = None,
) -> RunRecord | None:
    """Train in the folder ``output`` of the configuration; return the record of the finished run.

    ``config`` is plain and resolved, with the keys of conf/train.yaml. ``callbacks`` follow those
    in it, ``begun`` is called before the first step, and ``command`` is the line that the processes
    of other devices run, all of which return None. Raises LangidError where the folder holds
    another run or a process trains in it, and for data and values that cannot be trained with.
    """
    started, output = time.monotonic(), Path(config["output"])
    resume = Path(str(config["resume"])).expanduser().resolve() if config["resume"] else None
    with _alone_in(output):
        check_folder(output, resume)
        check_selection(config["select"])
        _seed(config["seed"])
        data = training_data(config)
        teacher = read_teacher(config["teacher"], config["loss"], data)
        identifier, record = _beginning(config, data, resume, teacher)
        trainer = make_trainer(config, callbacks)
        check_processes(trainer)
        data.check_processes(trainer.world_size)
        if trainer.is_global_zero:
            record.write(output)
            if begun:
                begun(record)
        if teacher:
            teach(identifier, data, teacher)
        fit(trainer, identifier, data, resume, output, command)
        if not trainer.is_global_zero:
            return None
        result = result_of(trainer, time.monotonic() - started)
        log_hyperparameters(trainer, config, result)
        record = replace(record, status="finished", **result)
        record.write(output)
        return record


def _alone_in(output: Path) -> AbstractContextManager[None]:
    """Keep other runs out of a folder; the first process of a run does so for all of them."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    if any(rank != "0" for rank in ranks):
        return nullcontext()
    return exclusive_folder(output)


def _beginning(
    config: dict[str, Any],
    data: LanguageDataModule,
    resume: Path | None,
    teacher: TeacherFile | None,
) -> tuple[LanguageIdentifier, RunRecord]:
    """Return the identifier to train and the record of a run that begins."""
    start = read_start(config["init"], data.classes, data.silence)
    told = config | {"model": pinned_model(config["model"], data.store)}
    began = start.settings | {"shared": shared_with(start.description, data)} if start else None
    description = describe(told, data, began, teacher.settings if teacher else None)
    if resume is not None:
        check_resumable(resume, description)
    identifier = untrained(config, description, data)
    taken = take_over(identifier, start) if start else {}
    weights: torch.Tensor = identifier.loss.weight  # type: ignore[union-attr, assignment]
    return identifier, RunRecord(
        **description.to_plain(),
        config=config,
        class_frames=data.class_frames(),
        sequences=data.sequence_counts(),
        class_weights=[round(float(weight), 6) for weight in weights],
        start=taken,
        parameters=sum(parameter.numel() for parameter in identifier.parameters()),
    )


def _seed(seed: Any) -> None:
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise LangidError(f"seed={seed}: accepted are whole numbers from 0 to {2**32 - 1}")
    seed_everything(seed, workers=True, verbose=False)
    # With deterministic algorithms torch fills every new tensor before it is written: no need.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def training_data(config: dict[str, Any]) -> LanguageDataModule:
    """Return the data of a training; raises LangidError where the store holds other features."""
    store = os.path.abspath(Path(str(config["store"])).expanduser())
    waveform = config["waveform"]
    data = LanguageDataModule(
        store,
        build(config["split"], "split"),
        config["silence"]["policy"],
        **config["data"],
        seed=config["seed"],
        balance=build(config["balance"], "balance"),
        task=build(config["task"], "task"),
        waveform=build(waveform, "waveform") if waveform else None,
        stride=stride_of(config["model"]),
    )
    for group in ("features", "detector"):
        held, asked = data.store.description[group], pinned(config.get(group) or {})
        differences = differing(flatten(held), flatten(asked), "the store") if asked else []
        if differences:
            raise LangidError(
                f"store={data.store.path}: its {group} are not those that are asked for"
                f" ({'; '.join(differences)}); prepare another one with them, or let langid"
                " reproduce do it"
            )
    return data


def untrained(
    config: dict[str, Any], description: RunDescription, data: LanguageDataModule
) -> LanguageIdentifier:
    """Return the identifier to train, its normaliser fitted to the training part if not taken."""
    scheduler = config.get("scheduler")
    identifier = build_identifier(
        description,
        loss=build(config["loss"], "loss", class_frames=data.class_frames()),
        optimizer=factory(config["optimizer"], "optimizer"),
        scheduler=factory(scheduler, "scheduler") if scheduler else None,
        augment=build(config["augment"], "augment"),
    )
    if data.carry_state and not isinstance(identifier.network, StreamingNetwork):
        name = type(identifier.network).__name__
        raise LangidError(
            f"data.carry_state=true: the network {name} hears whole utterances and carries nothing"
            " over; take a streaming one, model=gru say"
        )
    _check_unit(identifier)
    _check_pauses(identifier, data)
    if isinstance(identifier.network, SampleNetwork):  # its normaliser is that of the states
        _check_of_samples(identifier)
        identifier.network.begin(description.features)
    elif not description.init or description.init["normaliser"] == "refit":
        mean, deviation = (torch.from_numpy(values) for values in data.normaliser_statistics())
        identifier.normaliser.fit(mean.float(), deviation.float())
    return identifier


def _check_unit(identifier: LanguageIdentifier) -> None:
    """Raise LangidError for a loss of utterances where frames of silence are asked for."""
    if isinstance(identifier.network, UtteranceNetwork) or not identifier.silence.extra_outputs:
        return
    if getattr(identifier.loss, "unit", "frame") != "frame":
        raise LangidError(
            f"loss.unit=utterance: of an utterance nobody is asked where its silence is, which"
            f" silence={identifier.silence.name} has as a class; take silence=mask"
        )


def _check_pauses(identifier: LanguageIdentifier, data: LanguageDataModule) -> None:
    """Raise LangidError where a network is to begin anew at pauses that are none to it."""
    if not (frames := getattr(identifier.network, "pause_frames", 0)):
        return
    told = f"model.network.pause_frames={frames}"
    if not identifier.silence.removes:
        raise LangidError(
            f"{told}: with silence={identifier.silence.name} the network hears pauses itself; take"
            " silence=remove, or model.network.pause_frames=0"
        )
    if data.carry_state:
        raise LangidError(
            f"{told}: data.carry_state=true lets one training sequence follow another without any"
            " pause; take model.network.pause_frames=0 to carry memory"
        )


def _check_of_samples(identifier: LanguageIdentifier) -> None:
    """Raise LangidError for what is there for features alone."""
    name = type(identifier.network).__name__
    augment, init = identifier.augment, identifier.described.init
    if isinstance(augment, Augment) and augment.changes:
        raise LangidError(
            f"augment._target_={identifier.described.augment['_target_']}: changes features, and"
            f" the network {name} takes samples; take augment=none, or waveform=light say"
        )
    if init and init["normaliser"] == "refit":
        raise LangidError(
            f"init.normaliser=refit: the network {name} takes samples, of which none is fitted;"
            " take init.normaliser=keep"
        )
