from pathlib import Path

import pytest

from langid.corpora.manifest import COLUMNS, Manifest, ManifestFile, read_rows, write_table
from langid.errors import LangidError


def test_what_is_written_is_read_back(real_rows: list[dict[str, str]], tmp_path: Path) -> None:
    odd = real_rows[0] | {
        "utterance_id": 'x/"quoted"',
        "path": "/speech/two  blanks\u3000.wav",
        "accent": "出生地：新北市\u2028 \tand\r\nmore",
    }
    path = tmp_path / "manifest.tsv"
    write_table([*real_rows, odd], COLUMNS, path)
    rows = ManifestFile(path).read().utterances
    assert rows[:-1] == real_rows
    assert rows[-1] == odd | {"accent": "出生地：新北市\u2028  and  more"}
    assert [child.name for child in tmp_path.iterdir()] == ["manifest.tsv"]


def test_a_table_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    text = "language\tnote\tutterance_id\tpath\r\nHindi\tgood\t1\tclips/1.wav\r\n\r\n"
    path.write_text(text, newline="")
    rows = ManifestFile(str(path)).read().utterances
    expected = {"utterance_id": "1", "path": str(tmp_path / "clips/1.wav"), "language": "Hindi"}
    assert rows == [dict.fromkeys(COLUMNS, "") | expected]


def test_rows_that_cannot_be_used_are_skipped_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    rows = [
        "1\ta.wav\tHindi\ttest",
        "1\tb.wav\tHindi\t",
        "2\t\tHindi\t",
        "3\tc.wav",
        "4\td\tHi\tdev",
    ]
    path.write_text("\n".join(["utterance_id\tpath\tlanguage\tsplit", *rows]))
    manifest = ManifestFile(path).read()
    assert [row["split"] for row in manifest.utterances] == ["test"]
    assert [(row["source"].rpartition(":")[2], row["reason"]) for row in manifest.skipped] == [
        ("3", "the same utterance_id as an earlier row"),
        ("4", "path is empty"),
        ("5", "2 fields, the header has 4"),
        ("6", "split is 'dev'; accepted are train, validation, test or nothing"),
    ]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    with pytest.raises(LangidError, match=r"hand.tsv: no such file"):
        ManifestFile(path).read()
    path.write_text("")
    with pytest.raises(LangidError, match=r"hand.tsv: the file is empty"):
        ManifestFile(path).read()
    path.write_text("utterance_id,path,language\n")
    with pytest.raises(LangidError, match="no column utterance_id, path, language; found"):
        ManifestFile(path).read()
    path.write_text("utterance_id\tpath\tlanguage\n")
    with pytest.raises(LangidError, match="no usable row among 0"):
        ManifestFile(path).read()


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    write_table([{"a": "1"}], ("a",), path)
    with pytest.raises(UnicodeEncodeError):
        write_table([{"a": "\udce9"}], ("a",), path)
    assert read_rows(path) == (["a"], [["1"]])
    assert [child.name for child in tmp_path.iterdir()] == ["table.tsv"]


def test_the_hash_depends_on_every_cell_and_the_order() -> None:
    def of(*rows: tuple[str, str]) -> str:
        manifest = Manifest()
        for utterance_id, speaker in rows:
            manifest.add(utterance_id=utterance_id, speaker=speaker)
        return manifest.sha256()

    hashes = [of(("1", "a"), ("2", "b")), of(("2", "b"), ("1", "a")), of(("1", "a"), ("2", "c"))]
    assert len({*hashes, of(("1", "a"))}) == 4
    assert of(("1", "a"), ("2", "b")) == hashes[0]
