"""Files and folders that are whole under their name, or not there: nothing is left half-written."""

import contextlib
import os
import re
import shutil
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
def new_folder(path: Path, key: str) -> Iterator[Path]:
    """Let a folder be filled under another name; it gets its own where that succeeds.

    Raises LangidError where something of that name is there already, and as ``writing`` does.
    """
    if path.exists():
        raise LangidError(f"{key}={path}: is there already; choose another {key}=DIR, or remove it")
    with writing(path, key):
        partial = _partial(path)
        partial.mkdir(parents=True)
        try:
            yield partial
            for file in partial.iterdir():
                _on_disk(file)
            os.rename(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield another name in the folder of a file, which the file there exchanges for its own.

    Its bytes are on the disk by then. Folders that are missing are made, and what killed processes
    have left of the same file is removed. Raises OSError.
    """
    partial = _partial(path)
    try:
        yield partial
        _on_disk(partial)
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


def _partial(path: Path) -> Path:
    """Return the name under which a file or folder is made, where nothing lies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    return path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")


def _on_disk(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed have left of a file or folder of this name."""
    name = re.compile(rf"{re.escape(path.stem)}\.(\d{{1,9}})\.partial{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):  # leftovers of another user stay
        for other in os.listdir(path.parent):
            match = name.fullmatch(other)
            if match and not _exists(int(match[1])):
                left = path.with_name(other)
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
