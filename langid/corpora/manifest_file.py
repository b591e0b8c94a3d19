"""Tables of utterances that ``prepare``, a person or another program made."""

import math
import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from langid.corpora.json_manifests import lhotse_rows, nemo_rows
from langid.corpora.kaldi import kaldi_rows
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import COLUMNS, SPLITS, Manifest, Reader
from langid.corpora.tables import Row, table_rows
from langid.errors import LangidError


class Format(NamedTuple):
    """What reads a form of tables, and where that form keeps the language."""

    rows: Callable[[Path, str], Iterator[Row]]
    label: str


FORMATS = {
    "table": Format(table_rows, "language"),
    "kaldi": Format(kaldi_rows, "utt2lang"),
    "lhotse": Format(lhotse_rows, "language"),
    "nemo": Format(nemo_rows, "label"),
}
KNOWN = frozenset(COLUMNS)
PARTS = {"dev": "validation", "val": "validation", "valid": "validation"}


class ManifestFile(Reader):
    """Reads a table with a row for each utterance: its file, its language, and what else is known.

    ``format`` is ``table``, a TSV, a CSV or JSON lines by its ending, with columns of the
    manifest's names (``path`` and the label are needed, others are not looked at); ``kaldi``, a
    folder; ``lhotse`` or ``nemo``, files of JSON lines. ``label`` is the column of the language, of
    Kaldi the file: see FORMATS. A row with ``start_s`` or ``end_s`` is that part of a longer file,
    which is its ``recording`` unless that is told. Relative paths are taken from the folder in
    which the table lies.
    """

    def __init__(self, path: str | Path, format: str = "table", label: str | None = None):
        self.path = Path(os.path.abspath(Path(path).expanduser()))
        if format not in FORMATS:
            raise LangidError(f"corpus.format={format}: accepted are {', '.join(FORMATS)}")
        self.format = format
        self.label = FORMATS[format].label if label is None else label

    def read(self) -> Manifest:
        """Return the utterances; rows that cannot be used stand in ``skipped`` with the reason.

        Raises LangidError for a table that is not there or lacks a column, and where no row at all
        can be used.
        """
        manifest, count = Manifest(), 0
        places, lines = dict[str, int](), array("q")  # of each utterance_id, and of each place
        folder = self.path if self.path.is_dir() else self.path.parent
        for source, cells, reason in FORMATS[self.format].rows(self.path, self.label):
            count += 1
            row = self._columns(cells, folder)
            reason = reason or self._reason(row, cells.get("path", ""))
            if not reason and (place := places.get(row["utterance_id"])) is not None:
                language = manifest.utterances.columns["language"][place]
                reason = _repeated(cells, row["language"], lines[place], language)
            if reason:
                manifest.skip(source, cells.get("path", ""), row["language"], reason)
                continue
            place = len(manifest.utterances)
            manifest.add(source, **row)
            if len(manifest.utterances) > place:
                places[row["utterance_id"]] = place
                lines.append(int(source.rpartition(":")[2]))
        languages = set(manifest.utterances.columns["language"])
        manifest.notes += unknown_note(self.path, languages)
        return manifest.or_refused(f"{self.path}: no usable row among {count}")

    def _columns(self, cells: dict[str, str], folder: Path) -> dict[str, str]:
        """Return cells as the manifest has them, with what follows from others."""
        row = cells  # of the manifest's columns as a rule, and then not to be picked out
        if not cells.keys() <= KNOWN:
            row = {name: cells[name] for name in COLUMNS if name in cells}
        path, start_s, end_s = (row.get(name, "") for name in ("path", "start_s", "end_s"))
        part = f":{start_s}-{end_s}" if start_s or end_s else ""
        return row | {
            "utterance_id": row.get("utterance_id") or f"{path}{part}",
            "path": _joined(folder, path) if path else "",
            "language": language_of(row["language"]) if row.get("language") else "",
            "split": PARTS.get(split := row.get("split", "").lower(), split),
            "corpus": row.get("corpus") or self.path.name.partition(".")[0],
            "recording": row.get("recording") or (path if part else ""),
        }

    def _reason(self, row: dict[str, str], path: str) -> str:
        """Return why a row cannot be used, or nothing."""
        needed = {"path": row["path"], self.label: row["language"]}
        if empty := [name for name, cell in needed.items() if not cell]:
            return f"{', '.join(empty)} is empty"
        if "://" in path or ".ark:" in path:
            return f"path is {path}; nothing is fetched or unpacked: give an audio file"
        if row["split"] not in SPLITS:
            return (
                f"split is {row['split']!r}; accepted are train, validation (dev), test or nothing"
            )
        if not (row.get("start_s") or row.get("end_s")):
            return ""
        places = {"start_s": 0.0, "end_s": math.inf}
        for name in places:
            if cell := row.get(name, ""):
                try:
                    places[name] = float(cell)
                except ValueError:
                    places[name] = math.nan
                if not 0 <= places[name] < math.inf:
                    return f"{name} is {cell!r}; expected seconds"
        if places["end_s"] <= places["start_s"]:
            return f"end_s={row['end_s']} is not after start_s={row.get('start_s') or 0}"
        return ""


def _repeated(cells: dict[str, str], language: str, line: int, earlier: str) -> str:
    """Return that a row is that of a line before it, and where their labels differ."""
    same = "utterance_id" if cells.get("utterance_id") else "path"
    if same == "path" and (cells.get("start_s") or cells.get("end_s")):
        same = "part of the path"
    differ = f", which says {earlier} and not {language}" if earlier != language else ""
    return f"the same {same} as line {line}{differ}"


def _joined(folder: Path, path: str) -> str:
    """Return a path in a folder or a home; only where need be by way of Path, which is slow."""
    joined = os.path.join(folder, os.path.expanduser(path) if path[0] == "~" else path)
    plain = os.sep == "/" and not ("//" in joined or "/." in joined or joined.endswith("/"))
    return joined if plain else str(Path(joined))
