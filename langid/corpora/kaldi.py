"""Data folders of Kaldi: ``wav.scp``, ``utt2lang``, and where they are there utt2spk, segments."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from langid.corpora.opening import not_utf8
from langid.corpora.tables import Row
from langid.errors import LangidError

TO_THE_END = "-1"  # of a recording, as segments say it
IN_ARCHIVE = re.compile(r"\.ark:\d+$")


class Entry(NamedTuple):
    """What a table says of a key, and in which line."""

    line: int
    text: str


def kaldi_rows(folder: Path, label: str) -> Iterator[Row]:
    """Yield the utterances of a data folder; ``label`` is the name of its table of languages.

    Raises LangidError where ``wav.scp`` or that table is missing, and for a key that is given
    twice.
    """
    _require_folder(folder, label)
    files, languages = _table(folder / "wav.scp"), _table(folder / label)
    speakers = _table(folder / "utt2spk") if (folder / "utt2spk").exists() else {}
    cut = (folder / "segments").exists()
    source = folder / ("segments" if cut else "wav.scp")
    parts = _table(source) if cut else files
    for utterance, (line, text) in parts.items():
        fields = text.split() if cut else [utterance]
        recording = fields[0] if fields else ""
        cells = {
            "utterance_id": f"{folder.name}/{utterance}",
            "path": _text(files, recording),
            "language": _text(languages, utterance),
            "speaker": _text(speakers, utterance),
        }
        if cut and len(fields) != 3:
            reason = f"{len(fields) + 1} fields; expected utterance, recording, start and end"
        else:
            reason = _obstacle(recording, cells["path"])
        if not reason and utterance not in languages:
            reason = f"the utterance {utterance} is not in {label}"
        if cut and not reason:
            end_s = "" if fields[2] == TO_THE_END else fields[2]
            cells |= {"start_s": fields[1], "end_s": end_s, "recording": recording}
        yield Row(f"{source}:{line}", cells, reason)
    for utterance, (line, language) in languages.items():
        if utterance not in parts:
            reason = f"the utterance {utterance} is not in {source.name}"
            yield Row(f"{folder / label}:{line}", {"language": language}, reason)


def _require_folder(folder: Path, label: str) -> None:
    if folder.is_file():
        raise LangidError(
            f"{folder}: is a file; corpus.format=kaldi expects the folder with wav.scp and"
            f" {label}: corpus.path={folder.parent}"
        )
    if not folder.is_dir():
        raise LangidError(f"{folder}: no such folder; expected one with wav.scp and {label}")


def _obstacle(recording: str, file: str) -> str:
    """Return why what ``wav.scp`` says of a recording cannot be read, or nothing."""
    if not file:
        return f"the recording {recording} is not in wav.scp"
    if file.endswith("|"):
        return f"wav.scp has a command, which is never run ({file}); give it a file"
    if IN_ARCHIVE.search(file):
        return f"an archive of Kaldi, which is not read ({file}); convert it to WAV or FLAC files"
    return ""


def _text(table: dict[str, Entry], key: str) -> str:
    return table[key].text if key in table else ""


def _table(path: Path) -> dict[str, Entry]:
    """Return what a table of Kaldi says of its first words, in the order of its lines."""
    if not path.is_file():
        raise LangidError(f"{path}: no such file; a folder of Kaldi needs it")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error
    table: dict[str, Entry] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        if key in table:
            raise LangidError(
                f"{path}: {key} is in lines {table[key].line} and {number}; Kaldi's tables have"
                " each key once: take one line out, or rename it in every table"
            )
        table[key] = Entry(number, rest[0].strip() if rest else "")
    return table
