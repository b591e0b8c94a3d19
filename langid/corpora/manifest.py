"""The table of utterances that every corpus reader returns, and its TSV form."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from langid.atomic_file import write_text
from langid.errors import LangidError

COLUMNS = (
    "utterance_id", "path", "start_s", "end_s", "language", "speaker", "split", "age", "gender",
    "accent", "duration_s", "corpus", "recording",
)  # fmt: skip
ADDED = ("start_s", "end_s", "recording")  # which earlier tables and stores do without
SKIPPED_COLUMNS = ("source", "path", "language", "reason")
SPLITS = ("train", "validation", "test", "")
# Control characters and what else some programs take for the end of a line.
ODD = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
NO_TEXT = "[\ud800-\udfff]"  # what Python makes of bytes in a file's name that are no UTF-8
QUOTED = re.compile(r"\$'((?:[^\\']|\\[ntr\\']|\\u[0-9a-f]{4})*)'")
ESCAPES = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\\": r"\\", "'": r"\'"}
PLAIN = {escape: character for character, escape in ESCAPES.items()}


class EmptyTableError(LangidError):
    """A table without a line in it."""


@dataclass
class Manifest:
    """One row per utterance (``COLUMNS``, text; an empty cell is unknown) and what was left out.

    ``speaker`` of Common Voice is its ``client_id``, which is only approximately one person.
    ``start_s`` and ``end_s`` say which part of the file is meant where it is not all of it, and
    ``recording`` what was recorded in one go, where other rows are parts of that too.
    ``notes`` are lines for people on how the corpus was read.
    """

    utterances: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, source: str | Path = "", **columns: str) -> None:
        """Append an utterance; columns not given are empty. What a store cannot hold is skipped.

        ``source`` tells where it comes from, should it be skipped: ``table.tsv:7``, say.
        """
        row = dict.fromkeys(COLUMNS, "") | columns
        odd = re.search(f"\0|{NO_TEXT}", "\t".join(row.values()))
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
        text = "\n".join(line_of(row) for row in self.utterances)
        return hashlib.sha256(text.encode()).hexdigest()


def line_of(row: dict[str, str], without: str = "") -> str:
    """Return what is hashed of a row; of ADDED what is known, so that earlier hashes stay."""
    cells = [row[name] for name in COLUMNS if name not in ADDED and name != without]
    return "\t".join([*cells, *(f"{name}={row[name]}" for name in ADDED if row[name])])


def write_table(rows: list[dict[str, str]], columns: tuple[str, ...], path: Path) -> None:
    """Write rows as TSV in UTF-8, which ``read_table`` reads back whatever they hold.

    Cells with control characters or line ends are written as ``$'two\\nlines'``, the way shells
    do; all others as they are. The file appears under its name only when it is whole.
    """
    lines = ["\t".join(columns)]
    lines += ["\t".join(_written(row[name]) for name in columns) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


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
    header, rows = read_rows(path)
    return header, [[_read(cell) for cell in row] for row in rows]


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a TSV, all characters but tabs and line ends as they are.

    Raises LangidError for a file that is absent, empty (EmptyTableError), or not UTF-8.
    """
    if not path.is_file():
        raise LangidError(f"{path}: no such file")
    return rows_of(path.read_bytes(), path)


def rows_of(content: bytes, path: Path) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the content of a TSV, as ``read_rows`` does."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LangidError(f"{path}: not a UTF-8 text file ({error.reason})") from error
    lines = [line.rstrip("\r").split("\t") for line in text.split("\n") if line.rstrip("\r")]
    if not lines:
        raise EmptyTableError(f"{path}: the file is empty; expected a header line and rows")
    return lines[0], lines[1:]


def require_columns(path: Path, header: list[str], required: tuple[str, ...]) -> None:
    """Raise LangidError where a column that is needed is not in a table's header."""
    if missing := [name for name in required if name not in header]:
        raise LangidError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(header)};"
            f" needed are {', '.join(required)}, separated by tabs"
        )


class Reader:
    """Reads a corpus into a manifest."""

    def read(self) -> Manifest:
        """Return the utterances, and the rows that cannot be used with the reason."""
        raise TypeError(f"{type(self).__name__} does not say how it reads")
