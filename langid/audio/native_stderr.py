"""What C libraries print, kept off the terminal: libsndfile's mpg123 chats about damaged files."""

import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_inside = 0
_own: int | None = None


@contextlib.contextmanager
def native_stderr_off() -> Iterator[None]:
    """Send to nowhere what C code prints on its ``stderr``; Python's own is left as it is.

    glibc documents ``stderr`` as a variable that may be set; file descriptor 2, which others share,
    is not touched. Does nothing with another C library.
    """
    variable, nowhere = _variable()
    if variable is None:
        yield
        return
    global _inside, _own
    with _lock:
        if _inside == 0:
            _own, variable.value = variable.value, nowhere
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                variable.value = _own


@functools.cache
def _variable() -> tuple[ctypes.c_void_p | None, int | None]:
    """Return glibc's ``stderr`` and an open file that keeps nothing, or None for both."""
    try:
        os.confstr("CS_GNU_LIBC_VERSION")
        library = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(library, "stderr")
    except (AttributeError, ValueError, OSError, TypeError):  # another system, another C library
        return None, None
    library.fopen.restype = ctypes.c_void_p
    nowhere = library.fopen(os.devnull.encode(), b"w")
    return (variable, nowhere) if nowhere else (None, None)
