import hashlib
import random
from pathlib import Path

import pytest

from langid.corpora.manifest import (
    COLUMNS,
    SKIPPED_COLUMNS,
    Manifest,
    Rows,
    hash_rows,
    line_of,
    read_rows,
    read_table,
    write_table,
)
from langid.corpora.manifest_file import ManifestFile
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
    assert rows[-1] == odd
    assert [child.name for child in tmp_path.iterdir()] == ["manifest.tsv"]


@pytest.mark.parametrize("without", ["", "path"])
@pytest.mark.parametrize("more", [{}, {"start_s": "0.5"}, {"recording": "x"}])
def test_rows_are_hashed_as_their_lines(
    real_rows: list[dict[str, str]], more: dict[str, str], without: str
) -> None:
    rows, digest = Rows([*real_rows, real_rows[0] | more]), hashlib.sha256()
    hash_rows(digest, rows, without)
    lines = "\n".join(line_of(row, without) for row in rows)
    assert digest.hexdigest() == hashlib.sha256(lines.encode()).hexdigest()


def test_a_table_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    text = "language\tnote\tutterance_id\tpath\r\nHindi\tgood\t1\tclips/1.wav\r\n\r\n"
    path.write_text(text, newline="")
    rows = ManifestFile(str(path)).read().utterances
    expected = {"utterance_id": "1", "path": str(tmp_path / "clips/1.wav"), "language": "Hindi"}
    expected["corpus"] = "hand"
    assert rows == [dict.fromkeys(COLUMNS, "") | expected]


def test_rows_that_cannot_be_used_are_skipped_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    rows = [
        "1\ta.wav\tHindi\ttest",
        "1\tb.wav\tHindi\t",
        "2\t\tHindi\t",
        "3\tc.wav",
        "4\td\tHi\tother",
    ]
    path.write_text("\n".join(["utterance_id\tpath\tlanguage\tsplit", *rows]))
    manifest = ManifestFile(path).read()
    assert [row["split"] for row in manifest.utterances] == ["test"]
    assert [(row["source"].rpartition(":")[2], row["reason"]) for row in manifest.skipped] == [
        ("3", "the same utterance_id as line 2"),
        ("4", "path is empty"),
        ("5", "2 fields, the header has 4"),
        ("6", "split is 'other'; accepted are train, validation (dev), test or nothing"),
    ]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    with pytest.raises(LangidError, match=r"hand.tsv: no such file"):
        ManifestFile(path).read()
    path.write_text("")
    with pytest.raises(LangidError, match=r"hand.tsv: the file is empty"):
        ManifestFile(path).read()
    path.write_text("utterance_id,path,language\n")
    with pytest.raises(LangidError, match="no column path, language; found utterance_id,path,lang"):
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


ODD = "aé\n\t\r\x00\x0b\x1a\x1b\x7f\x85\u2028\u2029\ufeff\\'\"$ u0n"


def odd_text(generator: random.Random, without: str = "") -> str:
    letters = [letter for letter in ODD if letter not in without]
    text = "".join(generator.choices(letters, k=generator.randrange(9)))
    return f"$'{text}'" if generator.random() < 0.3 else text


def test_whatever_is_written_is_read_back(tmp_path: Path) -> None:
    generator = random.Random(0)
    path = tmp_path / "odd.tsv"
    rows = [{name: odd_text(generator) for name in COLUMNS} for _ in range(2000)]
    write_table(rows, COLUMNS, path)
    header, cells = read_table(path)
    assert [dict(zip(header, row, strict=True)) for row in cells] == rows
    text = path.read_text(encoding="utf-8")
    assert text.splitlines() == text[:-1].split("\n")  # one line a row for any program


def test_a_manifest_with_odd_names_is_read_back(tmp_path: Path) -> None:
    generator = random.Random(1)
    manifest = Manifest()
    for number in range(500):
        cells = {name: odd_text(generator, "\0") for name in ("language", "speaker", "accent")}
        cells |= {"utterance_id": f"{number}:{odd_text(generator)}", "split": "test", "corpus": "x"}
        cells |= {"path": f"/speech/{number}{odd_text(generator, chr(0))}.wav"}
        manifest.add(f"x.tsv:{number}", **cells | {"language": f"Lect {cells['language']}"})
    assert 300 < len(manifest.utterances) < 500
    assert len(manifest.utterances) + len(manifest.skipped) == 500
    assert {row["reason"] for row in manifest.skipped} == {
        "utterance_id holds a NUL character; take it out"
    }
    write_table(manifest.utterances, COLUMNS, tmp_path / "manifest.tsv")
    again = ManifestFile(tmp_path / "manifest.tsv").read()
    assert again.utterances == manifest.utterances
    assert again.sha256() == manifest.sha256()
    assert again.skipped == []
    write_table(manifest.skipped, SKIPPED_COLUMNS, tmp_path / "skipped.tsv")
    header, rows = read_table(tmp_path / "skipped.tsv")
    assert [dict(zip(header, row, strict=True)) for row in rows] == manifest.skipped


def test_rows_of_a_manifest_that_no_store_can_hold_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "hand.tsv"
    rows = ["1\ta.wav\tHindi", "2\tb\0.wav\tHindi", r"3\t$'c\u0000'\tHindi".replace(r"\t", "\t")]
    rows += [r"4\t$'d\udce9'\tHindi".replace(r"\t", "\t"), "5\tC:\\new\\'e'.wav\tHindi"]
    path.write_text("\n".join(["utterance_id\tpath\tlanguage", *rows]))
    manifest = ManifestFile(path).read()
    assert [row["path"] for row in manifest.utterances] == [
        str(tmp_path / "a.wav"), str(tmp_path / "C:\\new\\'e'.wav"),
    ]  # fmt: skip
    assert [(row["source"], row["reason"]) for row in manifest.skipped] == [
        (f"{path}:3", "path holds a NUL character; take it out"),
        (f"{path}:4", "path holds a NUL character; take it out"),
        (f"{path}:5", "path is not UTF-8; rename it"),
    ]
    path.write_text("utterance_id\tpath\tlanguage\n1\ta\0\tHindi")
    with pytest.raises(LangidError, match=r"no usable row among 1; .*hand.tsv:2: path holds a NUL"):
        ManifestFile(path).read()


def test_the_hash_depends_on_every_cell_and_the_order() -> None:
    def of(*rows: tuple[str, str]) -> str:
        manifest = Manifest()
        for utterance_id, speaker in rows:
            manifest.add(utterance_id=utterance_id, speaker=speaker)
        return manifest.sha256()

    hashes = [of(("1", "a"), ("2", "b")), of(("2", "b"), ("1", "a")), of(("1", "a"), ("2", "c"))]
    assert len({*hashes, of(("1", "a"))}) == 4
    assert of(("1", "a"), ("2", "b")) == hashes[0]


def test_the_hash_of_earlier_tables_stays_and_parts_count() -> None:
    row = {"utterance_id": "a", "path": "b.wav", "language": "Hindi", "corpus": "c"}
    manifest = Manifest()
    manifest.add(**row)
    before = "\t".join(["a", "b.wav", "Hindi", *[""] * 6, "c"])
    assert manifest.sha256() == hashlib.sha256(before.encode()).hexdigest()
    found = {manifest.sha256()}
    for part in ({"start_s": "1"}, {"end_s": "1"}, {"recording": "1"}):
        manifest = Manifest()
        manifest.add(**row, **part)
        found.add(manifest.sha256())
    assert len(found) == 4
