"""Starting from a trained network: what a run takes over from another run's checkpoint."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langid.corpora.part_counts import shared_between_parts
from langid.corpora.splits import PARTS
from langid.data.datamodule import LanguageDataModule
from langid.data.silence_policy import SilencePolicy, silence_policy
from langid.differences import differing
from langid.errors import LangidError
from langid.networks.network import SampleNetwork
from langid.networks.running_statistics import StatisticsPooling
from langid.training.checkpoint import build_network, read_checkpoint, takes_samples
from langid.training.encoder_teacher import encoder_of
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import RunDescription, rows_heard
from langid.training.shared_folder import CONFIG

FRONT_END = ("features", "detector")
LEARNT = ("network.", "normaliser.")
CHOICES = {"head": (None, "keep", "new"), "normaliser": ("keep", "refit")}


@dataclass(frozen=True)
class TrainedStart:
    """A checkpoint to start from, and the settings of the group ``init``.

    ``head`` is decided there, and the file's ``sha256`` added, and what it has ``heard``; a run
    adds what is ``shared`` by that and its held-out parts.
    """

    settings: dict[str, Any]
    description: RunDescription
    weights: dict[str, Tensor]


def read_start(
    init: dict[str, Any], classes: Sequence[str], silence: SilencePolicy
) -> TrainedStart | None:
    """Return what ``init`` names, for a run of some classes; None where it names no checkpoint.

    Nothing in the file is executed or built. Raises LangidError for a file that is no checkpoint,
    for values that ``init`` does not take, and for a head that cannot be kept.
    """
    _check(init)
    if init["checkpoint"] is None:
        return None
    path = Path(str(init["checkpoint"])).expanduser()
    content = read_checkpoint(path, "init")
    held: RunDescription = content["langid"]
    weights = content.get("state_dict")
    if not isinstance(weights, dict):
        raise LangidError(f"init={path}: it holds no weights; use a checkpoint of langid train")
    held_silence = silence_policy(held.silence)
    more = held_silence.extra_outputs == silence.extra_outputs
    alike = held.classes == list(classes) and more
    head = init["head"] or ("keep" if alike else "new")
    if head == "keep" and not alike:
        raise LangidError(
            f"init.head=keep: {path} knows {_told(held.classes, held_silence)}; this run learns"
            f" {_told(classes, silence)}; take init.head=new"
        )
    settings = init | {
        "checkpoint": str(path.absolute()),
        "head": head,
        "sha256": digest_of("init", init),
        "heard": held.heard,
    }
    tensors = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    return TrainedStart(settings, held, tensors)


def shared_with(start: RunDescription, data: LanguageDataModule) -> dict[str, int] | None:
    """Count what a start has heard of the parts that a run holds out; None where nobody can tell.

    That is so of another store, and of a network that began from another one or had a teacher.
    """
    rows = None if start.init or start.teacher else rows_heard(start, data.store)
    if rows is None:
        return None
    held_out = data.parts["row"][data.parts["part"].isin(PARTS[1:])].unique()
    parts = np.repeat(["train", "test"], [len(rows), len(held_out)])
    utterances = data.store.utterances.iloc[[*rows, *held_out]]
    return shared_between_parts(utterances, parts)


def _check(init: dict[str, Any]) -> None:
    for key, accepted in CHOICES.items():
        if init[key] not in accepted:
            words = ", ".join(word or "null" for word in accepted)
            raise LangidError(f"init.{key}={init[key]}: accepted are {words}")
    if not isinstance(init["freeze"], list | tuple):
        raise LangidError(
            f"init.freeze={init['freeze']}: expected a list, as in init.freeze=[network.layers]"
        )
    if init["checkpoint"] is None and init["experiment"] is not None:
        raise LangidError(
            f"init.experiment={init['experiment']}: langid train trains it first, from the command"
            " line; here give init=CHECKPOINT, its last.ckpt, or init.experiment=null"
        )
    if init["checkpoint"] is None and (init["freeze"] or init["head"] is not None):
        raise LangidError(
            "init.freeze and init.head belong to init=CHECKPOINT, which is not given; give it, or"
            " init.freeze=[] init.head=null"
        )


def _told(classes: Sequence[str], silence: SilencePolicy) -> str:
    return f"{', '.join(classes)}{' and silence' if silence.extra_outputs else ''}"


def digest_of(key: str, settings: dict[str, Any]) -> str | None:
    """Return the SHA-256 of the checkpoint of ``init`` or ``teacher``; None where it names none.

    A teacher may be an encoder: then it is that of its weights.
    """
    if settings["checkpoint"] is None:
        return None
    if key == "teacher" and (encoder := encoder_of(settings)):
        return str(encoder["sha256"])
    path = Path(str(settings["checkpoint"])).expanduser()
    if path.is_dir():  # of langid share
        path /= CONFIG  # which holds the SHA-256 of the weights
    if not path.is_file():
        raise LangidError(f"{key}={path}: no such file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take_over(identifier: LanguageIdentifier, start: TrainedStart) -> dict[str, Any]:
    """Give an untrained identifier the weights that fit by name and shape, and freeze some.

    Returns how many tensors were ``taken``, are those of the ``pretrained`` encoder, are ``new``
    here, were ``left`` there and are ``frozen``, by groups of names; the ``classes`` there, and in
    what ``features`` and ``detector`` differ. Raises LangidError where nothing fits, the normaliser
    is of another size, or a name to freeze does not exist.
    """
    own, there = identifier.state_dict(), _named_as(identifier, start)
    described, settings = start.description, start.settings
    head = _head(identifier) if settings["head"] == "new" else set()
    names, normaliser = ([name for name in own if name.startswith(part)] for part in LEARNT)
    fitting = {name for name in own.keys() & there if there[name].shape == own[name].shape}
    taken = [name for name in names if name in fitting - head]
    if not any(own[name].ndim for name in taken):
        raise LangidError(
            f"init={settings['checkpoint']}: nothing of its network {_kind(described)} fits"
            f" {_kind(identifier.described)} by name and shape; take the same model and sizes"
        )
    if settings["normaliser"] == "keep" and not isinstance(identifier.network, SampleNetwork):
        if not fitting.issuperset(normaliser):
            raise LangidError(
                f"init.normaliser=keep: that of {settings['checkpoint']} is of other features, in"
                " size; take init.normaliser=refit"
            )
        taken += normaliser
    for name in taken:
        own[name].copy_(there[name])
    frozen = freeze(identifier, settings["freeze"])
    others = [name for name in names if name not in taken]
    pretrained = [name for name in others if _is_pretrained(identifier, name)]
    return {
        "taken": _grouped(taken),
        "pretrained": _grouped(pretrained),
        "new": _grouped(name for name in others if name not in pretrained),
        "left": _grouped(name for name in there if name.startswith(LEARNT) and name not in taken),
        "frozen": _grouped(frozen),
        "classes": described.classes,
        "differs": differing(
            described.flat(FRONT_END), identifier.described.flat(FRONT_END), "the checkpoint"
        ),
    }


def _named_as(identifier: LanguageIdentifier, start: TrainedStart) -> dict[str, Tensor]:
    """Return the weights of a start; a network of samples has those of one on features in it."""
    network = identifier.network
    if not isinstance(network, SampleNetwork) or takes_samples(start.description.model):
        return start.weights
    return {
        network.of_features[part] + name.removeprefix(part): value
        for name, value in start.weights.items()
        for part in network.of_features
        if name.startswith(part)
    }


def _is_pretrained(identifier: LanguageIdentifier, name: str) -> bool:
    network = identifier.network
    own = name.removeprefix("network.")
    return isinstance(network, SampleNetwork) and network.begins_with(own)


def _head(identifier: LanguageIdentifier) -> set[str]:
    """Return the names of the tensors whose sizes follow from the number of classes."""
    description, bins = identifier.described, identifier.front_end.bins
    with torch.random.fork_rng(devices=[]):  # the run draws what it would draw without this
        wider = build_network(description, bins, more=1).state_dict()
    own = identifier.network.state_dict()
    return {f"network.{name}" for name in own if own[name].shape != wider[name].shape}


def output_layer(identifier: LanguageIdentifier) -> nn.Linear | None:
    """Return the one linear layer that logits come from; None where there is another or more."""
    names = {name.rpartition(".")[0] for name in _head(identifier)}
    layer = identifier.get_submodule(names.pop()) if len(names) == 1 else None
    return layer if isinstance(layer, nn.Linear) else None


def hidden_layer(identifier: LanguageIdentifier) -> tuple[nn.Module, int] | None:
    """Return what gets hidden frames, and their width: pooling, or the layer of the logits."""
    for module in identifier.network.modules():
        if isinstance(module, StatisticsPooling):
            return module, module.statistics.units
    output = output_layer(identifier)
    return (output, output.in_features) if output else None


def _kind(description: RunDescription) -> str:
    return str(description.model["network"]["_target_"]).rpartition(".")[2]


def freeze(identifier: LanguageIdentifier, prefixes: Sequence[str]) -> list[str]:
    """Let parameters below some names stay as they are; return the names of all of them.

    Running means below them stay as well. Raises LangidError for a name that no parameter has or
    is below, and where nothing is left to learn.
    """
    parameters = dict(identifier.named_parameters())
    for prefix in prefixes:
        if not any(_is_below(name, [prefix]) for name in parameters):
            accepted = ", ".join(_grouped(parameters))
            raise LangidError(
                f"init.freeze: no parameter is named {prefix} or below it; accepted are {accepted},"
                " and names above and below them"
            )
    frozen = [name for name in parameters if _is_below(name, prefixes)]
    if len(frozen) == len(parameters):
        raise LangidError("init.freeze: all parameters are frozen, nothing is left to learn")
    for name in frozen:
        parameters[name].requires_grad_(False)
    for name, module in identifier.named_modules():
        if _is_below(name, prefixes) and any(True for _ in module.buffers(recurse=False)):
            module.eval()  # a normalisation; Lightning leaves such modes alone
    return frozen


def _is_below(name: str, prefixes: Sequence[str]) -> bool:
    return f"{name}.".startswith(tuple(f"{prefix}." for prefix in prefixes))


def _grouped(names: Iterable[str]) -> dict[str, int]:
    """Count tensors by the modules that they belong to, at most three names deep."""
    owners = ([part for part in name.split(".")[:-1] if not part.isdigit()] for name in names)
    return dict(Counter(".".join(owner[:3]) for owner in owners))
