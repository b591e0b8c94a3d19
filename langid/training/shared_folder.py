"""A folder of ``langid share`` as a checkpoint: weights as safetensors, all else as plain JSON."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch

from langid.errors import LangidError
from langid.training.logit_scaling import KEY

if TYPE_CHECKING:
    from langid.training.identifier import LanguageIdentifier

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SCHEMA = "langid-shared-1"
AGAIN = "fetch it again, or run langid share"


def contents(identifier: "LanguageIdentifier") -> dict[str, bytes]:
    """Return the files of a checkpoint by their names, from which ``read_folder`` has it again.

    Weights of a frozen encoder are not among them, as in the checkpoint, and no folder is told.
    """
    weights = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in identifier.state_dict().items()
    }
    content = safetensors.torch.save(weights, {"format": "pt"})
    scaling = identifier.calibration
    config = {
        "schema": SCHEMA,
        "weights_file_sha256": hashlib.sha256(content).hexdigest(),
        "calibration": scaling.to_plain() if scaling else None,
        "description": identifier.described.without_folders().to_plain(),
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    return {WEIGHTS: content, CONFIG: f"{text}\n".encode()}


def read_folder(path: Path, key: str) -> dict[str, Any]:
    """Return what a checkpoint of a folder would hold; nothing in it is executed.

    ``key`` is what the user gave the path as. Raises LangidError for another folder, and where a
    file is absent, damaged or was changed.
    """
    place = f"{key}={path}"
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise LangidError(
                f"{place}: is a folder without {name}; expected a checkpoint, BEST.ckpt, or a"
                " folder of langid share"
            )
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise LangidError(f"{place}: its {CONFIG} is damaged ({error}); {AGAIN}") from error
    schema = config.get("schema") if isinstance(config, dict) else None
    if schema != SCHEMA:
        raise LangidError(
            f"{place}: its {CONFIG} is not of langid share (schema {schema}, accepted is {SCHEMA})"
        )
    content = (path / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != config.get("weights_file_sha256"):
        raise LangidError(
            f"{place}: its {WEIGHTS} is changed, damaged or another's (its SHA-256 is not the one"
            f" in {CONFIG}); {AGAIN}"
        )
    try:
        weights = safetensors.torch.load(content)
    except Exception as error:  # of what only says that it is such a file
        raise LangidError(f"{place}: its {WEIGHTS} is no such file ({error}); {AGAIN}") from error
    calibration = config.get("calibration")
    calibrated = {} if calibration is None else {KEY: calibration}
    return {"langid": config.get("description"), "state_dict": weights, **calibrated}
