"""Data folders of Kaldi: ``wav.scp``, ``utt2lang``, and where they are there utt2spk, segments."""

from collections.abc import Iterator
from pathlib import Path

from langid.corpora.tables import Row
from langid.errors import LangidError

TO_THE_END = "-1"  # of a recording, as segments say it


def kaldi_rows(folder: Path, label: str) -> Iterator[Row]:
    """Yield the utterances of a data folder; ``label`` is the name of its table of languages.

    Raises LangidError where ``wav.scp`` or that table is missing.
    """
    if not folder.is_dir():
        raise LangidError(f"{folder}: no such folder; expected one with wav.scp and {label}")
    files, languages = _table(folder / "wav.scp"), _table(folder / label)
    speakers = _table(folder / "utt2spk") if (folder / "utt2spk").exists() else {}
    cut = (folder / "segments").exists()
    parts = _table(folder / "segments") if cut else {name: name for name in files}
    source = folder / ("segments" if cut else "wav.scp")
    for number, (utterance, part) in enumerate(parts.items(), 1):
        recording, *times = part.split() if cut else [part]
        file = files.get(recording, "")
        cells = {
            "utterance_id": f"{folder.name}/{utterance}",
            "path": file,
            "language": languages.get(utterance, ""),
            "speaker": speakers.get(utterance, ""),
        }
        reason = ""
        if cut and len(times) != 2:
            reason = f"{len(times) + 2} fields; expected utterance, recording, start and end"
        elif not file:
            reason = f"the recording {recording} is not in wav.scp"
        elif file.endswith("|"):
            reason = f"wav.scp has a command, which is never run ({file}); give it a file"
        elif utterance not in languages:
            reason = f"the utterance {utterance} is not in {label}"
        elif cut:
            end_s = "" if times[1] == TO_THE_END else times[1]
            cells |= {"start_s": times[0], "end_s": end_s, "recording": recording}
        yield Row(f"{source}:{number}", cells, reason)
    for utterance in languages.keys() - parts.keys():
        reason = f"the utterance {utterance} is not in {source.name}"
        yield Row(f"{folder / label}", {"language": languages[utterance]}, reason)


def _table(path: Path) -> dict[str, str]:
    """Return what a table of Kaldi says of its first words."""
    if not path.is_file():
        raise LangidError(f"{path}: no such file; a folder of Kaldi needs it")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise LangidError(f"{path}: not a UTF-8 text file ({error.reason})") from error
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {name: rest[0].strip() if rest else "" for name, *rest in pairs}
