"""Where tables and lines for people are printed."""

from typing import Any

from rich.console import Console


def console(**options: Any) -> Console:
    """Return a console that prints texts as they are, for names and paths are the user's.

    Brackets are no markup, ``:names:`` no pictures, and numbers have no colour.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)
