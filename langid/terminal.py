"""Where tables and lines for people are printed."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table


def console(**options: Any) -> Console:
    """Return a console that prints texts as they are, for names and paths are the user's.

    Brackets are no markup, ``:names:`` no pictures, and numbers have no colour.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)


def print_table(table: Table, file_width: int | None = None) -> None:
    """Print a table, on a terminal as wide as that; what is too wide is folded and not cut."""
    for column in table.columns:
        column.overflow = "fold"
    console(width=None if sys.stdout.isatty() else file_width).print(table)
