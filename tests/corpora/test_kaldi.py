"""Data folders of Kaldi with what is wrong in them; sound ones are read in test_manifest_file."""

from pathlib import Path

import pytest

from langid.corpora.kaldi import kaldi_rows
from langid.errors import LangidError

TABLES = {
    "wav.scp": "r /a.wav\ns /b.wav\n",
    "utt2lang": "u1 en\nu2 hi\n",
    "utt2spk": "u1 ann\nu2 bob\n",
    "segments": "u1 r 0 1\nu2 s 1 1.5\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def reasons(folder: Path) -> list[tuple[str, str]]:
    """Return file and line, and the reason, of what is left out."""
    rows = kaldi_rows(folder, "utt2lang")
    return [(Path(row.source).name, row.reason) for row in rows if row.reason]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("wav.scp", "r /c.wav"),
        ("utt2lang", "u1 hi"),
        ("utt2spk", "u1 ann"),
        ("segments", "u1 s 2 3"),
    ],
)
def test_keys_that_are_given_twice_are_refused(folder: Path, name: str, line: str) -> None:
    with (folder / name).open("a") as table:
        table.write(f"\n{line}\n")
    with pytest.raises(
        LangidError, match=rf"{name}: {line.split()[0]} is in lines 1 and 4; .*once"
    ):
        list(kaldi_rows(folder, "utt2lang"))


@pytest.mark.parametrize("name", TABLES)
def test_a_byte_order_mark_is_no_part_of_a_key(folder: Path, name: str) -> None:
    (folder / name).write_text(TABLES[name], encoding="utf-8-sig")
    one, two = kaldi_rows(folder, "utt2lang")
    assert (one.reason, one.cells["language"], one.cells["speaker"]) == ("", "en", "ann")
    assert (two.reason, two.cells["start_s"], two.cells["end_s"]) == ("", "1", "1.5")


def test_what_is_left_out_stands_in_the_order_of_the_lines(folder: Path) -> None:
    (folder / "segments").write_text("u1 r 0 1\n\n  \nodd\n")
    names = [f"x{number}" for number in range(30, 0, -1)]
    (folder / "utt2lang").write_text("u1 en\r\n\r\n" + "".join(f"{x} hi\r\n" for x in names))
    assert reasons(folder) == [
        ("segments:4", "1 fields; expected utterance, recording, start and end"),
        *(
            (f"utt2lang:{line}", f"the utterance {name} is not in segments")
            for line, name in enumerate(names, 3)
        ),
    ]


def test_archives_and_files_in_the_place_of_the_folder_are_told(folder: Path) -> None:
    (folder / "wav.scp").write_text("r /feats/raw.ark:12\ns /b.ark.wav\n")
    archive = (
        "an archive of Kaldi, which is not read (/feats/raw.ark:12); convert it to WAV or FLAC"
    )
    assert reasons(folder) == [("segments:1", f"{archive} files")]
    with pytest.raises(
        LangidError, match=rf"is a file; .* the folder with wav.scp .*: corpus.path={folder}$"
    ):
        list(kaldi_rows(folder / "wav.scp", "utt2lang"))
