"""langid: a research framework for spoken-language identification."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langid.training.identifier import LanguageIdentifier

__version__ = "0.1.0"


def load(path: str | Path) -> "LanguageIdentifier":
    """Return the trained identifier of a checkpoint, in evaluation mode on the CPU.

    The file is read as plain data: nothing in it is executed. Raises LangidError where it is not a
    langid checkpoint.
    """
    from langid.training.checkpoint import load_identifier  # torch is imported only on demand

    return load_identifier(Path(path))
