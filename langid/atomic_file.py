"""Files that are whole under their name, or not there: nothing half-written is left."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from langid.errors import LangidError


@contextlib.contextmanager
def replaced(key: str, path: Path) -> Iterator[Path]:
    """Let a file be written and checked under another name; it gets its own where that succeeds.

    Raises LangidError, which names the file by the key that asked for it, where it cannot be
    written.
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")
    _remove_leftovers(path)
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(key, path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def unwritable(key: str, value: object, error: OSError) -> LangidError:
    """Return the error to show where a file cannot be written, on a full disk for instance."""
    reason = error.strerror or error
    return LangidError(f"{key}={value}: cannot be written ({reason}); choose another {key}=PATH")


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed have left of a file of this name."""
    name = re.compile(rf"{re.escape(path.stem)}\.(\d{{1,9}})\.partial{re.escape(path.suffix)}")
    with contextlib.suppress(OSError):  # leftovers of another user stay
        for other in path.parent.iterdir():
            match = name.fullmatch(other.name)
            if match and not _exists(int(match[1])):
                other.unlink()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
