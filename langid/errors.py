"""What is said of mistakes that users can mend: the one exception without a traceback."""

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

# What torch says, on a device, on the CPU and in a process that loads batches.
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory|Cannot allocate")


class LangidError(Exception):
    """A mistake in the input that its user can mend.

    The message names the file, row or key, what was found, what is accepted and what to do.
    """

    def __init__(self, message: str):
        # Of an error in a process that loads batches torch tells the traceback, in the message.
        super().__init__(message.rpartition(f"{__name__}.LangidError: ")[2].rstrip("\n"))


@contextmanager
def named(key: str, usual: str) -> Iterator[None]:
    """Let what is said of a file that the key ``usual`` mostly names begin with ``key`` instead."""
    try:
        yield
    except LangidError as error:
        if not str(error).startswith(f"{usual}="):
            raise
        raise LangidError(f"{key}{str(error).removeprefix(usual)}") from error


def is_of_memory(error: Exception) -> bool:
    """Return whether an error of torch or numpy says that memory is full."""
    return isinstance(error, MemoryError) or bool(NO_MEMORY.search(str(error)))


def show_traceback() -> None:
    """Print the traceback of the error that is being handled where LANGID_DEBUG=1 asks for it."""
    if os.environ.get("LANGID_DEBUG") == "1":
        traceback.print_exc()


def check_least(least: int, prefix: str = "", /, **values: int) -> None:
    """Raise ValueError for no whole number from ``least`` on, by its key behind a prefix."""
    for name, value in values.items():
        if type(value) is not int or value < least:
            accepted = f"{least} and more, in whole numbers"
            raise ValueError(f"{prefix}{name}={value}: accepted are {accepted}")
