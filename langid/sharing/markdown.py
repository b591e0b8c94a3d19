"""Markdown in which names stay as they are, whatever characters they are of."""

import re
from collections.abc import Sequence

SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")


def escaped(text: object) -> str:
    """Return a text that is shown as it is, on one line, inside a paragraph or a cell."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table of plain texts; a column of numbers is flush right."""
    numbers = [
        all(isinstance(row[place], int | float) for row in rows) for place in range(len(head))
    ]
    lines = [head, ["---:" if number else "---" for number in numbers]]
    lines += [[escaped(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(texts: Sequence[str]) -> str:
    """Return a list of texts in Markdown."""
    return "\n".join(f"- {text}" for text in texts)


def code(lines: Sequence[str]) -> str:
    """Return lines that are shown as they are, in the letters of a terminal."""
    return "\n".join(f"    {line}".rstrip() for line in lines)
