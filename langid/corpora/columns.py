"""The columns of a table: which it has, and which it needs."""

import re
from pathlib import Path

from langid.corpora.manifest import ODD
from langid.errors import LangidError

LONGEST = 500  # characters of names in an error


def names_of(header: list[str]) -> str:
    """Return the names of columns for an error: on one line, and not too long."""
    names = re.sub(ODD, "\ufffd", ", ".join(header))
    return names if len(names) <= LONGEST else f"{names[:LONGEST]} ..."


def require_columns(path: Path, header: list[str], required: tuple[str, ...]) -> None:
    """Raise LangidError where a column that is needed is not in a table's header."""
    if missing := [name for name in required if name not in header]:
        raise LangidError(
            f"{path}: no column {', '.join(missing)}; found {names_of(header)};"
            f" needed are {', '.join(required)}, separated by tabs"
        )
