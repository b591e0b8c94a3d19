"""Paths that a command was given; what it cannot write is refused before any work."""

import tempfile
from pathlib import Path
from typing import Any

from omegaconf import ListConfig

from langid.atomic_file import writing
from langid.errors import LangidError
from langid.typed import override


def path_of(value: Any) -> Path:
    return Path(str(value)).expanduser()


def listed(value: Any) -> list[Any]:
    """Return the items of a key that takes one or a list."""
    return list(value) if isinstance(value, ListConfig) else [value]


def destination(key: str, value: Any, suffix: str, **others: Any) -> Path:
    """Return the path of a file to be written, whose name ends in ``suffix``; make its folder.

    ``others`` are the command's other files by their keys: a path each, a list of paths, or None.
    Raises LangidError where the path is one of them or a folder, the name another's, and where
    nothing can be written beside it.
    """
    path = path_of(value)
    for other, given in others.items():
        for each in listed(given):
            if each is not None and path_of(each).resolve() == path.resolve():
                raise LangidError(
                    f"{key}={value}: is the file of {other}={each}, which would be lost; choose"
                    f" another {key}=PATH"
                )
    if path.is_dir():
        raise LangidError(
            f"{key}={value}: is a folder; expected a file, {override(key, f'{path}/NAME{suffix}')}"
        )
    if path.suffix.lower() != suffix:
        fitting = path.with_suffix(suffix)
        raise LangidError(
            f"{key}={value}: expected a name that ends in {suffix}, {override(key, fitting)}"
        )
    with writing(value, key):
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    return path
