"""Rows of tables that are a file: TSV as ``prepare`` writes it, CSV, and JSON lines."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from langid.corpora.columns import names_of
from langid.corpora.manifest import COLUMNS, table_of
from langid.corpora.opening import AS_UTF8, not_utf8, opened
from langid.errors import LangidError

JSON = (".jsonl", ".json", ".ndjson")
MARKS = {"\t": "tabs", ";": "semicolons", ",": "commas"}


class Row(NamedTuple):
    """A row: where it stands, its cells under the manifest's names, and why it cannot be used."""

    source: str
    cells: dict[str, str]
    reason: str = ""


def table_rows(path: Path, label: str) -> Iterator[Row]:
    """Yield the rows of a TSV, a CSV or JSON lines, told by the ending; ``label`` as ``language``.

    Raises LangidError for what cannot be read, and a header without ``path`` and label.
    """
    if path.is_dir():
        kaldi = "; it has a wav.scp: corpus.format=kaldi" if (path / "wav.scp").exists() else ""
        raise LangidError(f"{path}: is a folder, expected a table (TSV, CSV or JSON lines){kaldi}")
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending in JSON:
        for source, found, reason in json_rows(path):
            cells = {name: text_of(value) for name, value in found.items()}
            reason = reason or lacking(found, "path", label)
            yield Row(source, _with_label(cells, label), reason)
        return
    mark = "," if ending == ".csv" else "\t"
    header, lines = _csv_lines(path) if mark == "," else _tsv_lines(path)
    header = [name.strip() for name in header]
    if missing := [name for name in ("path", label) if name not in header]:
        others = [MARKS[other] for other in MARKS if len(header) == 1 and other in header[0]]
        raise LangidError(
            f"{path}: no column {', '.join(missing)}; found {names_of(header)}; needed are path"
            f" and the label, {label} (corpus.label=COLUMN names another), separated by"
            f" {MARKS[mark]}{f', not by {others[0]}' if others else ''}"
        )
    name, prepared = str(path), header == [*COLUMNS]  # whose cells are exact, spaces too
    for number, line in lines:
        if not prepared:
            line = [cell.strip() for cell in line]
        cells = dict(zip(header, line, strict=False))
        reason = ""
        if len(line) != len(header):
            reason = f"{len(line)} fields, the header has {len(header)}"
        yield Row(f"{name}:{number}", _with_label(cells, label), reason)


def _with_label(cells: dict[str, str], label: str) -> dict[str, str]:
    # A duration that prepare wrote is that of what is stored of a clip, and not the file's.
    return cells | {"language": cells.get(label, ""), "duration_s": ""}


def json_rows(path: Path) -> Iterator["JsonRow"]:
    """Yield the objects of JSON lines, which may be packed by gzip; errors as ``read_rows``."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _object(f"{path}:{number}", line)


class JsonRow(NamedTuple):
    """An object of JSON lines: as Row, but that cells are as they were read."""

    source: str
    cells: dict[str, Any]
    reason: str = ""


def _object(source: str, line: bytes) -> JsonRow:
    try:
        found = json.loads(line)
    except UnicodeDecodeError as error:
        return JsonRow(source, {}, f"not in UTF-8 ({error.reason}); {AS_UTF8}")
    except (ValueError, RecursionError) as error:
        return JsonRow(source, {}, f"not JSON ({error})")
    if not isinstance(found, dict):
        return JsonRow(source, {}, f"expected an object of JSON, found {type(found).__name__}")
    return JsonRow(source, found)


def lacking(found: dict[str, Any], path: str, label: str) -> str:
    """Return what an object lacks, of the keys of the path and of the label, or nothing."""
    missing = [name for name in (path, label) if name not in found]
    if not missing:
        return ""
    return (
        f"no {', '.join(missing)}; found {names_of(list(found)) or 'nothing'}; needed are {path}"
        f" and the label, {label} (corpus.label=KEY names another)"
    )


def text_of(value: Any) -> str:
    """Return a value of JSON as a cell: nothing for null, numbers as they were written."""
    return "" if value is None else value.strip() if isinstance(value, str) else json.dumps(value)


def _tsv_lines(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    header, rows = table_of(path)
    return header, enumerate(rows, 2)


def _csv_lines(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    lines = _csv_rows(path)
    _, header = next(lines, (0, None))
    if header is None:
        raise LangidError(f"{path}: the file is empty; expected a header line and rows")
    return header, ((number, line) for number, line in lines if line)


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with opened(path) as file:
        try:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            lines = csv.reader(text, skipinitialspace=True)
            for line in lines:
                yield lines.line_num, line
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from error
        except csv.Error as error:
            raise LangidError(f"{path}: not a CSV ({error})") from error
