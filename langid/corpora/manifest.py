"""The table of utterances that every corpus reader returns, and its TSV form."""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import overload

from langid.atomic_file import replaced
from langid.corpora.opening import not_utf8, opened
from langid.errors import LangidError

Row = dict[str, str]

COLUMNS = (
    "utterance_id", "path", "start_s", "end_s", "language", "speaker", "split", "age", "gender",
    "accent", "duration_s", "corpus", "recording",
)  # fmt: skip
ADDED = ("start_s", "end_s", "recording")  # which earlier tables and stores do without
ALONE = ("utterance_id", "path")  # cells of other columns repeat from row to row
REPEATED = tuple(name for name in COLUMNS if name not in ALONE)
SKIPPED_COLUMNS = ("source", "path", "language", "reason")
SPLITS = ("train", "validation", "test", "")
# Control characters and what else some programs take for the end of a line.
ODD = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
NO_TEXT = "[\ud800-\udfff]"  # what Python makes of bytes in a file's name that are no UTF-8
UNSTORABLE = re.compile(f"\0|{NO_TEXT}")
UNWRITABLE = re.compile(ODD.replace(r"\x00-\x1f", r"\x00-\x08\x0a-\x1f") + r"|\$'")
QUOTED = re.compile(r"\$'((?:[^\\']|\\[ntr\\']|\\u[0-9a-f]{4})*)'")
ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\", "'": r"\'"}
PLAIN = {escape: character for character, escape in ESCAPES.items()}
HASHED = tuple(name for name in COLUMNS if name not in ADDED)
EMPTY = dict.fromkeys(COLUMNS, "")
_hashed = itemgetter(*HASHED)


class EmptyTableError(LangidError):
    """A table without a line in it."""


class Rows(Sequence[Row]):
    """Rows of ``COLUMNS``, kept by column, and cells that repeat kept once.

    A row of Common Voice takes 350 bytes, where a dict with its cells takes 923.
    """

    def __init__(self, rows: Iterable[Row] = ()):
        self.columns: dict[str, list[str]] = {name: [] for name in COLUMNS}
        for row in rows:
            self.append(row)

    def append(self, row: Row) -> None:
        """Add a row, which has all columns."""
        columns = self.columns
        for name in ALONE:
            columns[name].append(row[name])
        for name in REPEATED:
            columns[name].append(sys.intern(row[name]))

    def reorder(self, first: int, order: Iterable[int]) -> None:
        """Put those rows in the place of all from ``first`` on, in the order given."""
        order = list(order)
        for column in self.columns.values():
            column[first:] = [column[index] for index in order]

    def __len__(self) -> int:
        return len(self.columns["path"])

    def __iter__(self) -> Iterator[Row]:
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(COLUMNS, cells, strict=True))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        cells = [column[index] for column in self.columns.values()]
        if isinstance(index, slice):
            return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*cells, strict=True)]
        return dict(zip(COLUMNS, cells, strict=True))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it may grow


@dataclass
class Manifest:
    """One row per utterance (``COLUMNS``, text; an empty cell is unknown) and what was left out.

    ``speaker`` of Common Voice is its ``client_id``, which is only approximately one person.
    ``start_s`` and ``end_s`` say which part of the file is meant where it is not all of it, and
    ``recording`` what was recorded in one go, where other rows are parts of that too.
    ``notes`` are lines for people on how the corpus was read.
    """

    utterances: Rows = field(default_factory=Rows)
    skipped: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, source: str | Path = "", **columns: str) -> None:
        """Append an utterance; columns not given are empty. What a store cannot hold is skipped.

        ``source`` tells where it comes from, should it be skipped: ``table.tsv:7``, say.
        """
        row = EMPTY | columns
        text = "\t".join(row.values())
        odd = None if text.isascii() and "\0" not in text else UNSTORABLE.search(text)
        if odd is None:
            self.utterances.append(row)
            return
        name = next(name for name in ("path", *row) if odd[0] in row[name])
        nul = odd[0] == "\0"
        reason = "holds a NUL character; take it out" if nul else "is not UTF-8; rename it"
        self.skip(source or row["corpus"], row["path"], row["language"], f"{name} {reason}")

    def skip(self, source: str | Path, path: str, language: str, reason: str) -> None:
        """Record a row that is left out, and why; bytes that are no text become U+FFFD."""
        cells = (str(source), path, language, reason)
        row = [re.sub(NO_TEXT, "\ufffd", cell) for cell in cells]
        self.skipped.append(dict(zip(SKIPPED_COLUMNS, row, strict=True)))

    def or_refused(self, problem: str) -> "Manifest":
        """Return itself; raise LangidError, of a problem and its first case, without utterances."""
        if not self.utterances:
            told = [f"{row['source']}: {row['reason']}" for row in self.skipped[:1]]
            raise LangidError("; the first was left out because: ".join([problem, *told]))
        return self

    def sha256(self) -> str:
        """Return the hash of the utterances, in order."""
        digest = hashlib.sha256()
        hash_rows(digest, self.utterances)
        return digest.hexdigest()


def hash_rows(digest: "hashlib._Hash", rows: Rows, without: str = "") -> None:
    """Take rows into a hash, in order, each without one column."""
    lines: Iterable[str] = (line_of(row, without) for row in rows)
    if not any(any(rows.columns[name]) for name in ADDED):  # by columns it is faster
        hashed = (rows.columns[name] for name in HASHED if name != without)
        lines = map("\t".join, zip(*hashed, strict=True))
    between = ""
    for line in lines:
        digest.update(f"{between}{line}".encode())
        between = "\n"


def line_of(row: Row, without: str = "") -> str:
    """Return what is hashed of a row; of ADDED what is known, so that earlier hashes stay."""
    cells = [row[name] for name in HASHED if name != without] if without else [*_hashed(row)]
    if row["start_s"] or row["end_s"] or row["recording"]:
        cells += (f"{name}={row[name]}" for name in ADDED if row[name])
    return "\t".join(cells)


def write_table(rows: Iterable[Row], columns: tuple[str, ...], path: Path) -> None:
    """Write rows as TSV in UTF-8, which ``read_table`` reads back whatever they hold.

    Cells with control characters or line ends are written as ``$'two\\nlines'``, the way shells
    do; all others as they are. The file appears under its name only when it is whole.
    """
    with replaced(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            line = "\t".join([row[name] for name in columns])
            if UNWRITABLE.search(line) or line.count("\t") >= len(columns):
                line = "\t".join(_written(row[name]) for name in columns)
            file.write(f"{line}\n")


def _written(cell: str) -> str:
    if not re.search(ODD, cell) and not QUOTED.fullmatch(cell):
        return cell
    escaped = re.sub(
        rf"{ODD}|[\\']", lambda odd: ESCAPES.get(odd[0]) or f"\\u{ord(odd[0]):04x}", cell
    )
    return f"$'{escaped}'"


def _read(cell: str) -> str:
    quoted = QUOTED.fullmatch(cell)
    if quoted is None:
        return cell
    return re.sub(
        r"\\u([0-9a-f]{4})|\\.",
        lambda escape: chr(int(escape[1], 16)) if escape[1] else PLAIN[escape[0]],
        quoted[1],
    )


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a TSV as ``write_table`` had them; errors as ``read_rows``."""
    header, rows = table_of(path)
    return header, list(rows)


def table_of(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Return header and rows as ``read_table`` does, the rows as they are read."""
    header, rows = rows_of(_lines(path), path)
    return header, ([_read(cell) if cell[:2] == "$'" else cell for cell in row] for row in rows)


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a TSV, all characters but tabs and line ends as they are.

    Raises LangidError for a file that is absent, empty (EmptyTableError), or not UTF-8.
    """
    header, rows = rows_of(_lines(path), path)
    return header, list(rows)


def _lines(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        yield from file


def rows_of(lines: Iterable[bytes], path: Path) -> tuple[list[str], Iterator[list[str]]]:
    """Return header and rows of the lines of a TSV, as they come; errors as ``read_rows``."""
    rows = _rows(lines, path)
    header = next(rows, None)
    if header is None:
        raise EmptyTableError(f"{path}: the file is empty; expected a header line and rows")
    return header, rows


def _rows(lines: Iterable[bytes], path: Path) -> Iterator[list[str]]:
    encoding = "utf-8-sig"
    for line in lines:
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from error
        encoding = "utf-8"
        if text := text.rstrip("\r\n"):
            yield text.split("\t")


class Reader:
    """Reads a corpus into a manifest."""

    def read(self) -> Manifest:
        """Return the utterances, and the rows that cannot be used with the reason."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")
