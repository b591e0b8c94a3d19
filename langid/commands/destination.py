"""Files that a command will write: refused before any work where they cannot be."""

import tempfile
from pathlib import Path
from typing import Any

from langid.errors import LangidError


def destination(key: str, value: Any, suffix: str = "") -> Path:
    """Return the path of a file to be written, whose name ends in ``suffix``; make its folder.

    Raises LangidError where the path is a folder or the name another's, and where nothing can be
    written beside it.
    """
    path = Path(str(value)).expanduser()
    if path.is_dir():
        raise LangidError(f"{key}={value}: is a folder; expected a file, {key}={path}/NAME{suffix}")
    if suffix and path.suffix.lower() != suffix:
        fitting = path.with_suffix(suffix)
        raise LangidError(f"{key}={value}: expected a name that ends in {suffix}, {key}={fitting}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise LangidError(
            f"{key}={value}: cannot be written ({error.strerror}); choose another {key}=PATH"
        ) from error
    return path
