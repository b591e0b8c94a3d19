"""Files and folders that one process at a time writes."""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from langid.errors import LangidError
from langid.typed import override

NAME = ".langid.lock"  # in a folder; .NAME.lock beside a file
_held: set[Path] = set()  # by this process


class InUse(LangidError):
    """Another process writes the file or folder that is asked for."""


@contextlib.contextmanager
def exclusively(key: str, path: Path) -> Iterator[None]:
    """Keep other processes from a file, or a folder that is there, for as long as the body runs.

    The lock is the operating system's: it goes when the process goes, however that ends, and what
    is left of it on the disk locks nothing. Who holds it may ask again. Where no file can be made,
    or the file system has no locks, nothing is locked. ``key`` is that by which the user gave the
    path. Raises InUse, which names the process that holds it.
    """
    from filelock import FileLock, Timeout  # here, to spare commands that only read

    lock = _place(path)
    if lock in _held:
        yield
        return
    guard = FileLock(lock, timeout=0)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        guard.acquire()
    except Timeout:
        raise InUse(
            f"{override(key, path)}: {_holder(lock)} is at work on it; wait for its end, or choose"
            f" another {key}"
        ) from None
    except OSError:  # what writes there will say why it cannot
        pass
    if not guard.is_locked:
        yield
        return
    _held.add(lock)
    try:
        with contextlib.suppress(OSError):  # of a full disk, as well
            lock.write_text(json.dumps(_words()), encoding="utf-8")
        yield
    finally:
        _held.discard(lock)
        with contextlib.suppress(OSError):
            lock.unlink()  # held until now: who waits for it sees that, and makes its own
        guard.release()


@contextlib.contextmanager
def exclusive_folder(path: Path, key: str = "output") -> Iterator[None]:
    """Make a folder unless it is there, and keep other processes from it while the body runs.

    Where the body fails and nothing lies in it, what was made is removed again.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with exclusively(key, path):
            yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first that is not empty
            for folder in made:
                folder.rmdir()
        raise


def _place(path: Path) -> Path:
    path = path.resolve()
    return path / NAME if path.is_dir() else path.with_name(f".{path.name}.lock")


def _holder(lock: Path) -> str:
    try:
        words = json.loads(lock.read_text(encoding="utf-8"))
        return f"{words['command']} (process {words['process']} on {words['host']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun, or just ended
        return "another process"


def _words() -> dict[str, object]:
    """Return what is told of this process to others."""
    name = Path(sys.argv[0]).name
    command = " ".join(["langid", *sys.argv[1:2]]) if name in ("langid", "__main__.py") else name
    return {"process": os.getpid(), "host": socket.gethostname(), "command": command}
