"""Keeping other processes out of what one process writes."""

import contextlib
import errno
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from langid.errors import LangidError

# What file systems without locks say; work goes on there, with nothing to keep others out by.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_held: dict[Path, int] = {}  # the open lock files of this process


class Busy(LangidError):
    """Another process is at work where this one would write; ``holder`` says which."""

    def __init__(self, message: str, holder: str):
        super().__init__(message)
        self.holder = holder


@contextlib.contextmanager
def alone(path: Path, what: str, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of ``what`` (KEY=VALUE) by a lock on the file ``path``.

    A process may take again what it holds. The system frees the lock when the process ends, however
    that comes about, so that a file left behind stands for nothing. Where another process holds it,
    this one says so and waits, or raises Busy.
    """
    path = path.absolute()
    if path in _held:
        yield
        return
    file = _take(path, what, wait)
    _held[path] = file
    try:
        yield
    finally:
        if _held.pop(path, None) is not None:  # not in a child that has forgotten it
            path.unlink(missing_ok=True)
            os.close(file)


def _take(path: Path, what: str, wait: bool) -> int:
    """Return the open file of a lock that this process has taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if told:
                fcntl.flock(file, fcntl.LOCK_EX)
            elif not _free(file):
                _say_busy(_holder(file), what, wait)
                told = True
                fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(file, path):  # and was not removed by the process that held it before
                os.truncate(file, 0)
                os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _free(file: int) -> bool:
    """Return whether the lock was free and is this process's now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    return True


def _say_busy(holder: str, what: str, wait: bool) -> None:
    told = f"{what}: {holder} is writing there"
    if not wait:
        raise Busy(f"{told}; wait for its end, or choose another place", holder)
    print(f"{told}; waiting for its end", file=sys.stderr, flush=True)


def _holder(file: int) -> str:
    return os.pread(file, 500, 0).decode(errors="replace") or "another process"


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _forget() -> None:
    """Let go of what the parent holds: a child that outlives it must not hold it longer."""
    for file in _held.values():
        os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
