"""Opens tables, which may be packed by gzip, and names files that are no table at all."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from langid.errors import LangidError

AS_UTF8 = "save it as UTF-8, from a spreadsheet as CSV UTF-8, or by iconv -t UTF-8"
NO_TABLES = {
    b"PK\x03\x04": "a spreadsheet or a zip; save the sheet as CSV in UTF-8 and give that",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of Excel; save the sheet as CSV in UTF-8 and give that",
    b"\xff\xfe": f"text in UTF-16; {AS_UTF8}",
    b"\xfe\xff": f"text in UTF-16; {AS_UTF8}",
}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a table for reading its bytes, unpacked where its name ends in ``.gz``.

    Raises LangidError for a file that is absent, not whole, a spreadsheet or in UTF-16.
    """
    if not path.is_file():
        raise LangidError(f"{path}: no such file")
    packed = path.suffix.lower() == ".gz"
    try:
        with io.BufferedReader(gzip.open(path)) if packed else path.open("rb") as file:  # type: ignore[type-var]
            start = file.peek(4)[:4]
            for mark, found in NO_TABLES.items():
                if start.startswith(mark):
                    raise LangidError(f"{path}: {found}")
            yield cast(BinaryIO, file)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LangidError(f"{path}: not a whole gzip file ({error})") from error


def not_utf8(path: Path, error: UnicodeDecodeError) -> LangidError:
    """Return the error of a table that is text of another encoding, or none."""
    return LangidError(f"{path}: not a UTF-8 text file ({error.reason}); {AS_UTF8}")
