"""Where tables and lines for people are printed."""

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def console(**options: Any) -> Console:
    """Return a console that prints texts as they are, for names and paths are the user's.

    Brackets are no markup, ``:names:`` no pictures, and numbers have no colour.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)


def print_named(**values: object) -> None:
    """Print a line for each value, after its name."""
    print(*(f"{name:9} {value}" for name, value in values.items()), sep="\n", flush=True)


def interval(figure: Mapping[str, Any], form: str = ".3f") -> str:
    """Return the ends of a figure's interval as text, or why there is none."""
    low, high = figure["low"], figure["high"]
    between = " to " if "+" in form else "–"
    return f"– {figure['reason']}" if low is None else f"{low:{form}}{between}{high:{form}}"


def with_interval(figure: Mapping[str, Any] | None, form: str = ".3f") -> str:
    """Return a figure as text: its ``value``, its interval in brackets; a dash for none."""
    return f"{figure['value']:{form}} ({interval(figure, form)})" if figure else "-"


def print_table(table: Table, file_width: int | None = None) -> None:
    """Print a table, on a terminal as wide as that; what is too wide is folded and not cut."""
    for column in table.columns:
        column.overflow = "fold"
    console(width=None if sys.stdout.isatty() else file_width).print(table)
