"""Files that are whole under their name, or not there: nothing half-written is left."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from langid.errors import LangidError


@contextlib.contextmanager
def replaced(path: Path, key: str = "") -> Iterator[Path]:
    """Let a file be written and checked under another name; it gets its own where that succeeds.

    Raises LangidError as ``writing`` does.
    """
    with writing(path, key), whole(path) as partial:
        yield partial


def write_text(path: Path, text: str, key: str = "") -> None:
    """Write a text file in UTF-8, whole or not at all, with the line ends that it has."""
    with replaced(path, key) as partial:
        partial.write_bytes(text.encode())


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield another name in the folder of a file, which the file there exchanges for its own.

    Its bytes are on the disk by then. Folders that are missing are made, and what killed processes
    have left of the same file is removed. Raises OSError.
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    try:
        yield partial
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: object, key: str = "") -> Iterator[None]:
    """Turn an OSError into the error to show where a file cannot be written.

    A full disk, say, or a missing right. Raises LangidError, which names the file by the key that
    asked for it, if one did.
    """
    try:
        yield
    except OSError as error:
        code = error.errno
        if code is None and (found := re.search(r"errno = (\d+)", str(error))):  # of HDF5
            code = int(found[1])
        reason = error if code is None else os.strerror(code)
        remedy = (
            f"choose another {key}=PATH"
            if key
            else "free space or choose another place and run the same command again: finished work"
            " is kept"
        )
        name = f"{key}={path}" if key else path
        raise LangidError(f"{name}: cannot be written ({reason}); {remedy}") from error


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed have left of a file of this name."""
    name = re.compile(rf"{re.escape(path.stem)}\.(\d{{1,9}})\.partial{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):  # leftovers of another user stay
        for other in os.listdir(path.parent):
            match = name.fullmatch(other)
            if match and not _exists(int(match[1])):
                path.with_name(other).unlink()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
