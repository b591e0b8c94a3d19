"""Checkpoints as plain data, and the identifiers in them."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from langid.build import build
from langid.corpora.tasks import LANGUAGE
from langid.errors import LangidError
from langid.signal.front_end import build_front_end
from langid.training.identifier import LanguageIdentifier
from langid.training.run_record import SCHEMA

NEEDED = ("classes", "data", "detector", "features", "fingerprint", "model", "seed", "silence",
          "split", "split_summary", "versions")  # fmt: skip
# What torch says of a pickle that would run code, not of one that is damaged.
CODE = re.compile(r"Unsupported (?:global|class).*|Trying to .*|Can only (?:build|create) .*")


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
    kind = SCHEMA.rstrip("0123456789")
    if not isinstance(description, dict) or not str(description.get("schema")).startswith(kind):
        raise LangidError(
            f"checkpoint={path}: not a checkpoint of langid train (no description with schema"
            f" {SCHEMA})"
        )
    if description["schema"] != SCHEMA:
        raise LangidError(
            f"checkpoint={path}: schema {description['schema']}, this version reads {SCHEMA};"
            " run langid prepare and langid train again"
        )
    missing = [key for key in NEEDED if key not in description]
    if missing:
        raise LangidError(f"checkpoint={path}: its description has no {', '.join(missing)}")
    description.setdefault("task", LANGUAGE)  # before there was a choice
    if isinstance(description["data"], dict):
        description["data"].setdefault("carry_state", False)
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


def load_identifier(path: Path) -> LanguageIdentifier:
    """Return the trained identifier of a checkpoint, in evaluation mode on the CPU."""
    checkpoint = read_checkpoint(path)
    description = checkpoint["langid"]
    try:
        identifier = build_identifier(description, augment=_augment(description))
        identifier.load_state_dict(checkpoint["state_dict"])
    except LangidError as error:
        raise LangidError(f"checkpoint={path}: {error}") from error
    except Exception as error:  # a description that was changed by hand can be wrong anywhere
        raise LangidError(
            f"checkpoint={path}: its weights and its description do not fit ({error})"
        ) from error
    return identifier.eval()


def _augment(description: dict[str, Any]) -> Any:
    """Return what changes features in evaluation as well, a flaw of some published protocols."""
    augment = description.get("augment") or {}
    return build(augment) if augment.get("in_evaluation") else None


def build_identifier(description: dict[str, Any], **training: Any) -> LanguageIdentifier:
    """Return an untrained identifier; ``training``: its loss, optimiser, scheduler and augment."""
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
