"""The table of utterances that every corpus reader returns, and its TSV form."""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from langid.errors import LangidError

COLUMNS = (
    "utterance_id", "path", "language", "speaker", "split", "age", "gender", "accent",
    "duration_s", "corpus",
)  # fmt: skip
REQUIRED = ("utterance_id", "path", "language")
SKIPPED_COLUMNS = ("source", "path", "language", "reason")
SPLITS = ("train", "validation", "test", "")


@dataclass
class Manifest:
    """One row per utterance (``COLUMNS``, text; an empty cell is unknown) and what was left out.

    ``speaker`` of Common Voice is its ``client_id``, which is only approximately one person.
    """

    utterances: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)

    def add(self, **columns: str) -> None:
        """Append an utterance; columns not given are empty."""
        self.utterances.append(dict.fromkeys(COLUMNS, "") | columns)

    def skip(self, source: str | Path, path: str, language: str, reason: str) -> None:
        """Record a row that is left out, and why."""
        row = (str(source), path, language, reason)
        self.skipped.append(dict(zip(SKIPPED_COLUMNS, row, strict=True)))

    def sha256(self) -> str:
        """Return the hash of the utterances, in order."""
        text = "\n".join("\t".join(row[name] for name in COLUMNS) for row in self.utterances)
        return hashlib.sha256(text.encode()).hexdigest()


def write_table(rows: list[dict[str, str]], columns: tuple[str, ...], path: Path) -> None:
    """Write rows as TSV (UTF-8, no quoting; tabs and line ends in a cell become spaces).

    The file appears under its name only when it is whole.
    """
    lines = ["\t".join(columns)]
    lines += ["\t".join(re.sub(r"[\t\r\n]", " ", row[name]) for name in columns) for row in rows]
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a TSV, quotes being ordinary characters.

    Raises LangidError for a file that is absent, empty, or not UTF-8.
    """
    if not path.is_file():
        raise LangidError(f"{path}: no such file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LangidError(f"{path}: not a UTF-8 text file ({error.reason})") from error
    lines = [line.rstrip("\r").split("\t") for line in text.split("\n") if line.rstrip("\r")]
    if not lines:
        raise LangidError(f"{path}: the file is empty; expected a header line and rows")
    return lines[0], lines[1:]


def require_columns(path: Path, header: list[str], required: tuple[str, ...]) -> None:
    """Raise LangidError where a column that is needed is not in a table's header."""
    missing = [name for name in required if name not in header]
    if missing:
        raise LangidError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(header)};"
            f" needed are {', '.join(required)}, separated by tabs"
        )


class ManifestFile:
    """Reads a manifest as ``prepare`` writes it, edited by hand or made by another program."""

    def __init__(self, path: str | Path):
        self.path = Path(os.path.abspath(Path(path).expanduser()))

    def read(self) -> Manifest:
        """Return the rows; relative paths are taken from the manifest's folder."""
        header, rows = read_rows(self.path)
        require_columns(self.path, header, REQUIRED)
        manifest = Manifest()
        seen: set[str] = set()
        for number, row in enumerate(rows, start=2):
            source = f"{self.path}:{number}"
            if len(row) != len(header):
                reason = f"{len(row)} fields, the header has {len(header)}"
                manifest.skip(source, "\t".join(row), "", reason)
                continue
            cells = {name: cell for name, cell in zip(header, row, strict=True) if name in COLUMNS}
            reason = self._reject(cells, seen)
            if reason:
                manifest.skip(source, cells["path"], cells["language"], reason)
                continue
            seen.add(cells["utterance_id"])
            cells["path"] = str(self.path.parent / cells["path"])
            manifest.add(**cells | {"duration_s": ""})
        if not manifest.utterances:
            raise LangidError(f"{self.path}: no usable row among {len(rows)}")
        return manifest

    def _reject(self, cells: dict[str, str], seen: set[str]) -> str:
        empty = [name for name in REQUIRED if not cells[name]]
        if empty:
            return f"{', '.join(empty)} is empty"
        if cells["utterance_id"] in seen:
            return "the same utterance_id as an earlier row"
        if cells.get("split", "") not in SPLITS:
            return f"split is {cells['split']!r}; accepted are train, validation, test or nothing"
        return ""
