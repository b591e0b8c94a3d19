"""Checkpoints as plain data, and the only place where configuration becomes objects."""

import importlib
import inspect
import pickle
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from langid.errors import LangidError
from langid.signal.front_end import FrontEnd
from langid.training.run_record import SCHEMA

if TYPE_CHECKING:  # Lightning takes seconds to import, and langid prepare builds without it
    from langid.training.identifier import LanguageIdentifier

# Classes that configuration may name, be it from the command line, a store or a checkpoint.
ALLOWED_TARGETS = re.compile(
    r"langid\.(corpora|signal|networks|training)\.[a-z_]+\.[A-Z]\w*"
    r"|torch\.optim\.(lr_scheduler\.)?[A-Z]\w*"
    r"|pytorch_lightning\.(callbacks|loggers)\.[A-Z]\w*"
    r"|pytorch_lightning\.Trainer"
)
NEEDED = ("classes", "data", "detector", "features", "fingerprint", "model", "seed", "silence",
          "split", "split_summary", "versions")  # fmt: skip
# What torch says of a pickle that would run code, not of one that is damaged.
CODE = re.compile(r"Unsupported (?:global|class).*|Trying to .*|Can only (?:build|create) .*")


def build(config: Any, **arguments: Any) -> Any:
    """Return the object that ``config`` describes by ``_target_`` and its arguments.

    Raises LangidError for a target outside the allow-list, an argument that the class does not
    take, and a value that it refuses.
    """
    plain = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise LangidError(f"configuration {plain}: expected a _target_ and its arguments")
    check_targets(plain)
    try:
        return instantiate(DictConfig(plain), **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, LangidError):
            raise cause from None
        raise LangidError(f"{plain.get('_target_')}: {cause or error}") from error


def check_targets(config: Any, key: str = "") -> None:
    """Raise LangidError where any ``_target_`` in nested plain configuration is not allowed.

    Interpolations are refused as well: they could become a target after this check.
    """
    if isinstance(config, dict):
        if "_target_" in config:
            _check_target(config, key)
        for name, value in config.items():
            check_targets(value, f"{key}.{name}".lstrip("."))
    elif isinstance(config, list | tuple):
        for number, value in enumerate(config):
            check_targets(value, f"{key}[{number}]")
    elif isinstance(config, str) and "${" in config:
        raise LangidError(f"{key}={config}: refused, expected a value without ${{}}")


def _check_target(config: dict[str, Any], key: str) -> None:
    target = config["_target_"]
    where = f"{key}._target_".lstrip(".")
    if not isinstance(target, str) or not ALLOWED_TARGETS.fullmatch(target):
        raise LangidError(
            f"{where}={target}: refused, it is not on the list of classes that configuration may"
            " name (langid's own features, networks, losses and readers; torch.optim; Lightning's"
            " callbacks, loggers and Trainer)"
        )
    module, _, name = target.rpartition(".")
    try:
        built = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise LangidError(f"{where}={target}: no such class") from None
    package = target.partition(".")[0]
    if not inspect.isclass(built) or built.__module__.partition(".")[0] != package:
        raise LangidError(f"{where}={target}: refused, it is not a class of {package}")
    accepted = inspect.signature(built).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    unknown = [name for name in config if name not in accepted and not name.startswith("_")]
    if unknown:
        raise LangidError(
            f"{target} takes no {', '.join(unknown)}; accepted are {', '.join(accepted)}"
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the plain content of a checkpoint; nothing in the file is executed.

    Raises LangidError for a file that is absent, damaged, holds anything but plain data, or was not
    written by langid.
    """
    path = path.expanduser()
    if not path.is_file():
        raise LangidError(f"checkpoint={path}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise about anything
        raise _unreadable(path, error) from None
    description = checkpoint.get("langid") if isinstance(checkpoint, dict) else None
    if not isinstance(description, dict) or description.get("schema") != SCHEMA:
        raise LangidError(
            f"checkpoint={path}: not a checkpoint of langid train (no description with schema"
            f" {SCHEMA})"
        )
    missing = [key for key in NEEDED if key not in description]
    if missing:
        raise LangidError(f"checkpoint={path}: its description has no {', '.join(missing)}")
    return checkpoint


def _unreadable(path: Path, error: Exception) -> LangidError:
    code = CODE.search(str(error))
    if isinstance(error, pickle.UnpicklingError) and code:
        return LangidError(
            f"checkpoint={path}: refused, it holds more than plain data and could run code"
            f" ({code.group().split('. ')[0]}); use a checkpoint of langid train"
        )
    reason = str(error).strip().partition("\n")[0].split(". ")[0] or type(error).__name__
    return LangidError(
        f"checkpoint={path}: damaged or not a checkpoint ({reason}); use one of langid train"
    )


def load_identifier(path: Path) -> "LanguageIdentifier":
    """Return the trained identifier of a checkpoint, in evaluation mode on the CPU."""
    checkpoint = read_checkpoint(path)
    description = checkpoint["langid"]
    try:
        identifier = build_identifier(description)
        identifier.load_state_dict(checkpoint["state_dict"])
    except LangidError as error:
        raise LangidError(f"checkpoint={path}: {error}") from error
    except Exception as error:  # a description that was changed by hand can be wrong anywhere
        raise LangidError(
            f"checkpoint={path}: its weights and its description do not fit ({error})"
        ) from error
    return identifier.eval()


def build_front_end(description: dict[str, Any]) -> FrontEnd:
    """Return the front end of the ``features`` and ``detector`` of a store or checkpoint."""
    features = build(description["features"])
    return FrontEnd(features, build(description["detector"], hop_samples=features.hop_samples))


def build_identifier(description: dict[str, Any], **training: Any) -> "LanguageIdentifier":
    """Return an untrained identifier; ``training`` is its loss, optimiser and scheduler."""
    front_end = build_front_end(description)
    outputs = len(description["classes"]) + (description["silence"] == "label")
    model = {key: value for key, value in description["model"].items() if key != "network"}
    network = build(description["model"]["network"], bins=front_end.bins, num_classes=outputs)
    identifier: LanguageIdentifier = build(model | {"_partial_": True})(
        network=network,
        front_end=front_end,
        classes=description["classes"],
        silence=description["silence"],
        description=description,
        **training,
    )
    return identifier
