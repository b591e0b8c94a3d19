"""Files that a command will write: refused before any work where they cannot be."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import ListConfig

from langid.atomic_file import writing
from langid.errors import LangidError
from langid.typed import override


def destination(key: str, value: Any, suffix: str, **others: Any) -> Path:
    """Return the path of a file to be written, whose name ends in ``suffix``; make its folder.

    ``others`` are the command's other files by their keys: a path each, a list of paths, or None.
    Raises LangidError where the path is one of them or a folder, the name another's, and where
    nothing can be written beside it.
    """
    path = _path(value)
    _refuse_others(key, value, others)
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


def _refuse_others(key: str, value: Any, others: Mapping[str, Any]) -> None:
    """Raise LangidError where writing a file would destroy another of the same command."""
    for other, given in others.items():
        paths: Iterable[Any] = given if isinstance(given, ListConfig) else [given]
        for path in paths:
            if path is not None and _path(path).resolve() == _path(value).resolve():
                raise LangidError(
                    f"{key}={value}: is the file of {other}={path}, which would be lost; choose"
                    f" another {key}=PATH"
                )


def _path(value: Any) -> Path:
    return Path(str(value)).expanduser()
