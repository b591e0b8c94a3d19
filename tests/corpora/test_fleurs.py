from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from langid.audio.decode import read_audio
from langid.corpora.fleurs import Fleurs
from langid.errors import LangidError

Copy = Callable[[Path], Path]


def test_parts_languages_and_genders_of_folders_and_archives(fleurs: Path) -> None:
    manifest = Fleurs(str(fleurs)).read()
    assert manifest.skipped == manifest.notes == []
    rows = manifest.utterances
    counted = Counter((row["language"], row["split"]) for row in rows)
    languages, parts = ("English", "Hindi", "Mandarin"), ("train", "validation", "test")
    assert counted == {(language, part): 2 for language in languages for part in parts}
    assert {(row["corpus"], row["speaker"], row["recording"]) for row in rows} == {
        ("fleurs", "", "")
    }
    assert {row["gender"] for row in rows} == {"male", "female"}
    assert {row["utterance_id"] for row in rows} >= {"fleurs/cmn_hans_cn/test/10002"}
    for row in rows:
        seconds = len(read_audio(row["path"], 16000)) / 16000
        assert seconds == pytest.approx(float(row["duration_s"]), abs=1e-3)
    packed = [row["path"] for row in rows if "hi_in/audio/train.tar.gz/train/" in row["path"]]
    assert len(packed) == 2


def test_some_locales_and_parts_from_the_inner_folder_too(fleurs: Path) -> None:
    reader = Fleurs(str(fleurs / "data"), "hi_in", ["test"])
    assert [row["split"] for row in reader.read().utterances] == ["test", "test"]
    with pytest.raises(
        LangidError, match=r"no tables of xx in .*; found cmn_hans_cn, en_us, hi_in"
    ):
        Fleurs(str(fleurs), ["hi_in", "xx"]).read()
    with pytest.raises(LangidError, match=r"corpus.parts: no validation; accepted are train, dev"):
        Fleurs(str(fleurs), parts=["validation"])
    with pytest.raises(LangidError, match="must not be empty lists"):
        Fleurs(str(fleurs), locales=[])


def test_rows_and_parts_that_cannot_be_used_are_told(fleurs: Path, copied: Copy) -> None:
    english = copied(fleurs) / "data" / "en_us"
    whole = (english / "train.tsv").read_text()
    row = whole.splitlines()[0]
    lines = ["\t".join(("id", "file_name", *"abcde")), row, row, row.replace("10000.wav", "x.wav")]
    (english / "train.tsv").write_text("\n".join([*lines, "7\t10000.wav"]))
    (english / "dev.tsv").unlink()
    (english / "audio" / "test").rename(english / "audio" / "elsewhere")
    manifest = Fleurs(str(english.parents[1]), "en_us").read()
    assert len(manifest.utterances) == 1
    reasons = [(row["source"].rpartition("/")[2], row["reason"]) for row in manifest.skipped]
    assert [source for source, _ in reasons] == [
        "train.tsv:1", "train.tsv:3", "train.tsv:4", "train.tsv:5", "dev.tsv", "test.tsv",
    ]  # fmt: skip
    header, same, gone, short, table, sound = (reason for _, reason in reasons)
    assert header.startswith("7 fields; expected id, file_name,") and "without a header" in header
    assert same == f"the same clip as in {english}/train.tsv:2"
    assert gone == f"the clip is not in {english}/audio/train"
    assert short.startswith("2 fields; expected id, file_name")
    assert table == "no such table"
    assert sound == "no sound: expected audio/test.tar.gz or a folder"


def test_tables_without_a_row_and_parts_that_were_not_fetched(fleurs: Path, copied: Copy) -> None:
    hindi = copied(fleurs) / "data" / "hi_in"
    (hindi / "train.tsv").write_text("")
    (hindi / "dev.tsv").unlink()
    (hindi / "audio" / "dev.tar.gz").unlink()
    manifest = Fleurs(str(hindi.parents[1])).read()
    assert len(manifest.utterances) == 6 + 2 + 6
    assert [(row["source"], row["reason"]) for row in manifest.skipped] == [
        (f"{hindi}/train.tsv", "the table is empty"),
        (f"{hindi}/dev.tsv", "no such table and no sound: expected audio/dev.tar.gz or a folder"),
    ]


def test_roots_that_are_none_are_named(tmp_path: Path, fleurs: Path, copied: Copy) -> None:
    with pytest.raises(LangidError, match=r"corpus.root=.*nowhere: no such folder"):
        Fleurs(str(tmp_path / "nowhere")).read()
    with pytest.raises(LangidError, match=r"no train.tsv or dev.tsv or .* and data/en_us/audio/$"):
        Fleurs(str(tmp_path)).read()
    data = fleurs / "data"
    with pytest.raises(LangidError, match=rf"corpus.root={data} 'corpus.locales=.en_us.'$"):
        Fleurs(str(data / "en_us")).read()
    hindi = copied(fleurs) / "data" / "hi_in"
    (hindi / "audio" / "train.tar.gz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(LangidError, match=r"hi_in/audio/train.tar.gz: not a whole archive"):
        Fleurs(str(hindi.parents[1])).read()
