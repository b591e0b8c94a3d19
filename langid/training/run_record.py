"""What stands beside every result: seed, versions, configuration, data."""

import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langid import __version__

if TYPE_CHECKING:  # Lightning takes seconds to import, and langid prepare does without it
    from langid.data.datamodule import LanguageDataModule

SCHEMA = "langid-checkpoint-3"
# How a run is carried out and shown, which decides nothing that is learnt.
RUNTIME = (
    "callbacks.confusion", "callbacks.epoch_line", "callbacks.learning_rate", "data.workers",
    "logger", "trainer.accelerator", "trainer.default_root_dir", "trainer.devices",
    "trainer.enable_model_summary", "trainer.enable_progress_bar", "trainer.log_every_n_steps",
    "trainer.num_nodes", "trainer.profiler", "trainer.strategy",
)  # fmt: skip
# Line breaks of the layout: those of text are escaped.
NUMBERS = re.compile(r"\[\n\s*([-+.\deE]+(?:,\n\s*[-+.\deE]+)*)\n\s*\]")
LIBRARIES = ("torch", "pytorch-lightning", "numpy", "h5py", "soundfile", "soxr")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    own = {"python": platform.python_version(), "langid-speech": __version__}
    return own | {name: version(name) for name in LIBRARIES}


def describe(config: dict[str, Any], data: "LanguageDataModule") -> dict[str, Any]:
    """Return the plain data that makes a checkpoint complete, from resolved configuration."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "versions": versions(),
        "seed": config["seed"],
        "task": config["task"],
        "classes": data.classes,
        "left_out": data.left_out,
        "model": config["model"],
        "silence": data.silence,
        "split": config["split"],
        "split_summary": data.summary(),
        "data": config["data"],
        "balance": config["balance"],
        "augment": config["augment"],
        "loss": config["loss"],
        "optimizer": config["optimizer"],
        "scheduler": config.get("scheduler"),
        "features": data.store.description["features"],
        "detector": data.store.description["detector"],
        "fingerprint": data.store.fingerprint,
        "store": str(data.store.path),
    }


def without_runtime(flat: dict[str, Any]) -> dict[str, Any]:
    """Return flat configuration without ``RUNTIME``: what must be equal in runs that are alike."""
    below = tuple(f"{key}." for key in RUNTIME)
    return {
        key: value
        for key, value in flat.items()
        if key not in RUNTIME and not key.startswith(below)
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write plain data as JSON so that a reader never sees half of it.

    A list of numbers, such as a row of a confusion matrix, is one line.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_text(path, NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader never sees half of it."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
