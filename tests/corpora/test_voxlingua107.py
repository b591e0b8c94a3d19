import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from langid.audio.decode import read_audio
from langid.corpora.part_counts import shared_between_parts
from langid.corpora.splits import RecordingSplit, SpeakerSplit
from langid.corpora.voxlingua107 import VoxLingua107
from langid.errors import LangidError

Copy = Callable[[Path], Path]


def test_folders_and_zips_by_video(voxlingua: Path) -> None:
    manifest = VoxLingua107(str(voxlingua)).read()
    assert manifest.skipped == manifest.notes == []
    rows = manifest.utterances
    assert [row["language"] for row in rows if row["split"] == "train"] == [
        *["English"] * 4, *["Hindi"] * 4, *["Mandarin"] * 4,
    ]  # fmt: skip
    assert sorted(row["language"] for row in rows if row["split"] == "validation") == [
        "English", "Hindi", "Mandarin",
    ]  # fmt: skip
    assert len({row["utterance_id"] for row in rows}) == 15
    assert {row["recording"] for row in rows if row["language"] == "Hindi"} == {
        "voxlingua107/-0__x_Abhi", "voxlingua107/Zq3-uU9khi", "voxlingua107/devhi",
    }  # fmt: skip
    assert {row["speaker"] for row in rows} == {""}
    assert all(len(read_audio(row["path"], 16000)) > 16000 for row in rows)
    assert any("/hi.zip/hi/" in row["path"] for row in rows)
    chosen = VoxLingua107(str(voxlingua), ["hi"]).read().utterances
    assert {row["language"] for row in chosen} == {"Hindi"} and len(chosen) == 5


def test_no_video_is_in_two_parts() -> None:
    cells = [
        (f"u{video}/{clip}", language, "", f"{language} {video}", "voxlingua107", "")
        for language in ("English", "Hindi")
        for video in range(30)
        for clip in range(1 + video % 7)
    ]
    names = ["utterance_id", "language", "speaker", "recording", "corpus", "split"]
    rows = pd.DataFrame(cells, columns=names)
    rows["utterance_id"] += rows["language"]
    for split in (SpeakerSplit(seed=1), RecordingSplit(seed=1)):
        parts = split(rows)
        assert set(parts) == {"train", "validation", "test"}
        shared = shared_between_parts(rows, parts)
        assert (shared["recordings"], shared["utterances"]) == (0, 0)
    odd = np.where(np.arange(len(rows)) % 2, "train", "test").astype(object)
    assert shared_between_parts(rows, odd)["recordings"] > 40


def test_what_cannot_be_used_is_told(voxlingua: Path, copied: Copy) -> None:
    root = copied(voxlingua)
    (root / "en" / "notes.txt").touch()
    (root / "zh.zip").rename(root / "fr.zip")
    (root / "hi").mkdir()
    (root / "hi" / "plain.wav").touch()
    manifest = VoxLingua107(str(root)).read()
    assert {row["reason"] for row in manifest.skipped} == {
        "not an audio format that libsndfile reads (.txt)",
        "lies in the folder zh; expected fr",
    }
    assert manifest.notes == [f"{root}/hi.zip: not read, hi is there too"]
    (plain,) = [row for row in manifest.utterances if row["path"].endswith("plain.wav")]
    assert plain["recording"] == "voxlingua107/plain"


def test_roots_that_are_none_are_named(voxlingua: Path, copied: Copy, tmp_path: Path) -> None:
    with pytest.raises(LangidError, match="nowhere: no such folder"):
        VoxLingua107(str(tmp_path / "nowhere")).read()
    expected = r"no folder and no zip of a language; expected ROOT/CODE/\*.wav or ROOT/CODE.zip"
    with pytest.raises(LangidError, match=rf"{expected}.*; found nothing$"):
        VoxLingua107(str(tmp_path)).read()
    for name in ("en.tar.gz", "a__U__x.wav"):
        (tmp_path / name).touch()
    with pytest.raises(LangidError, match=rf"{expected}.*; found a__U__x.wav, en.tar.gz$"):
        VoxLingua107(str(tmp_path)).read()
    root = copied(voxlingua)
    (root / "hi.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(LangidError, match=r"hi.zip: not a whole archive that can be read"):
        VoxLingua107(str(root)).read()


@pytest.mark.parametrize("dev", [True, False])
def test_codes_without_a_clip_are_refused(voxlingua: Path, copied: Copy, dev: bool) -> None:
    root = copied(voxlingua)
    (root / "zh.zip").rename(root / "fr.zip")
    if not dev:
        (root / "dev.zip").unlink()
    there = "en, fr, hi, zh" if dev else "en, fr, hi"
    with pytest.raises(LangidError, match=rf"corpus.locales: no clip of hii, sw in .*{there}$"):
        VoxLingua107(str(root), ["en", "hii", "sw"]).read()
    with pytest.raises(LangidError, match=r"no clip of fr in .*fr.zip/zh/.*lies in the folder zh;"):
        VoxLingua107(str(root), ["en", "fr"]).read()
    assert len(VoxLingua107(str(root), ["en"]).read().utterances) == 4 + dev


@pytest.mark.parametrize("packed", [True, False])
def test_clips_of_dev_without_a_language_are_left_out(
    voxlingua: Path, copied: Copy, packed: bool
) -> None:
    root = copied(voxlingua)
    if packed:
        with zipfile.ZipFile(root / "dev.zip", "a") as dev:
            dev.writestr("a__U__x.wav", b"")
            dev.writestr("dev/b__U__x.wav", b"")
        (root / "dev.zip").rename(root / "dev.ZIP")
    else:
        (root / "dev.zip").unlink()
        (root / "dev").mkdir()
        (root / "dev" / "a__U__x.wav").touch()
    manifest = VoxLingua107(str(root), ["en", "hi"]).read()
    assert len(manifest.utterances) == (10 if packed else 8)
    assert {row["language"] for row in manifest.utterances} == {"English", "Hindi"}
    assert [(row["language"], row["reason"]) for row in manifest.skipped] == [
        ("", "lies in no folder of a language; expected dev/CODE/FILE")
    ] * (1 + packed)
