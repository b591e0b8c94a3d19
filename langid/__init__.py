"""langid: a research framework for spoken-language identification."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langid.commands.python_api import evaluate, prepare, train
    from langid.data.store import Store
    from langid.training.identifier import LanguageIdentifier

__all__ = ["Store", "evaluate", "load", "prepare", "train"]
__version__ = "0.1.0"
# Imported on demand: the package itself is light.
PLACES = {"Store": "data.store"} | dict.fromkeys(
    ("evaluate", "prepare", "train"), "commands.python_api"
)


def load(path: str | Path, trusted: Sequence[str] = ()) -> "LanguageIdentifier":
    """Return the trained identifier of a checkpoint, in evaluation mode on the CPU.

    The checkpoint is a file, or a folder of ``langid share``. It is read as plain data: nothing in
    it is executed, and it can name classes of langid and of the packages ``trusted`` alone. Raises
    LangidError where it is no checkpoint of langid.
    """
    from langid.build import trusting
    from langid.training.checkpoint import load_identifier  # torch is imported only on demand

    with trusting(trusted):
        return load_identifier(Path(path))


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"langid.{PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *PLACES]
