import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.corpora.folders import Folders
from langid.errors import LangidError

FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "au", "caf", "w64", "opus", "sph", "aif")
LIBSNDFILE = {"opus": ("OGG", "OPUS"), "sph": ("NIST", "PCM_16"), "aif": ("AIFF", "PCM_16")}


def write(path: Path, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(np.arange(int(16000 * seconds)) * 0.1)
    form, subtype = LIBSNDFILE.get(path.suffix.lower()[1:], (None, None))
    soundfile.write(path, samples, 16000, format=form, subtype=subtype)
    return path


def test_any_format_of_libsndfile_is_found_and_can_be_decoded(tmp_path: Path) -> None:
    for suffix in FORMATS:
        write(tmp_path / "speech" / "hi" / "deep" / f"clip.{suffix}")
    write(tmp_path / "speech" / "Klingon" / "CLIP.WAV")
    rows = Folders(str(tmp_path / "speech")).read().utterances
    assert {Path(row["path"]).suffix[1:] for row in rows} == {*FORMATS, "WAV"}
    assert {row["language"] for row in rows} == {"Hindi", "Klingon"}
    assert rows[0]["utterance_id"] == "speech/Klingon/CLIP.WAV"
    assert {row["corpus"] for row in rows} == {"speech"}
    assert {row["speaker"] for row in rows} == {""}
    for row in rows:
        assert 0.4 < len(read_audio(row["path"], 16000)) / 16000 < 0.7


def test_other_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path / "speech" / "en" / "a.wav")
    for name in ("notes.txt", "raw.raw", "no-suffix"):
        (tmp_path / "speech" / "en" / name).write_text("text")
    manifest = Folders(str(tmp_path / "speech")).read()
    assert len(manifest.utterances) == 1
    assert {
        Path(row["path"]).name: row["reason"].rsplit(" ", 1)[-1] for row in manifest.skipped
    } == {
        "notes.txt": "(.txt)",
        "raw.raw": "(.raw)",
        "no-suffix": "suffix)",
    }


def test_a_name_that_is_not_utf8_is_skipped(tmp_path: Path) -> None:
    clip = write(tmp_path / "speech" / "en" / "a.wav")
    (clip.parent / os.fsdecode(b"caf\xe9.wav")).write_bytes(clip.read_bytes())
    manifest = Folders(str(tmp_path / "speech")).read()
    assert len(manifest.utterances) == 1
    assert "not UTF-8" in manifest.skipped[0]["reason"]
    manifest.sha256()
    assert manifest.skipped[0]["path"].encode().endswith("caf\ufffd.wav".encode())


def test_linked_folders_are_read_and_hidden_ones_are_no_class(tmp_path: Path) -> None:
    root = tmp_path / "speech"
    clip = write(root / "en" / "a.wav")
    for name in (".ipynb_checkpoints/a.wav", "__MACOSX/en/._a.wav", "en/._a.wav", "en/.git/b.wav"):
        write(root / name)
    disk = write(tmp_path / "disk" / "c.wav").parent
    write(tmp_path / "hindi" / "d.wav")
    (root / "en" / "session").symlink_to(disk)
    (root / "en" / "again").symlink_to(root / "en")
    (root / "en" / "gone").symlink_to(tmp_path / "gone")
    (root / "hi").symlink_to(tmp_path / "hindi")
    (root / "alias").symlink_to(root / "en")
    manifest = Folders(str(root)).read()
    assert {row["utterance_id"]: row["language"] for row in manifest.utterances} == {
        "speech/en/a.wav": "English",
        "speech/en/session/c.wav": "English",
        "speech/hi/d.wav": "Hindi",
    }
    assert manifest.utterances[0]["path"] == str(clip)
    reasons = {Path(row["path"]).name: row["reason"] for row in manifest.skipped}
    assert reasons == {
        "._a.wav": "hidden, or kept by the system",
        ".git": "hidden, or kept by the system",
        "again": f"the same folder as {root}/en",
        "alias": f"the same folder as {root}/en",
        "gone": "a link that leads nowhere",
    }


def test_names_with_line_ends_are_read_and_a_root_that_is_not_text_is_named(
    tmp_path: Path,
) -> None:
    write(tmp_path / "speech" / "en" / "two\nlines\t.wav")
    assert len(Folders(str(tmp_path / "speech")).read().utterances) == 1
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    (tmp_path / "speech").rename(odd)
    with pytest.raises(LangidError, match=r"no audio file .*caf\ufffd.*: path is not UTF-8"):
        Folders(str(odd)).read()


def test_speaker_pattern(tmp_path: Path) -> None:
    for name in ("ann/1.wav", "ann/2.wav", "bob/1.wav", "3.wav"):
        write(tmp_path / "speech" / "en" / name)
    rows = Folders(str(tmp_path / "speech"), "^([^/]+)/").read().utterances
    assert [row["speaker"] for row in rows] == ["", "ann", "ann", "bob"]
    with pytest.raises(LangidError, match=r"speaker_pattern=.*not a regular expression"):
        Folders(str(tmp_path), "([")
    with pytest.raises(LangidError, match="needs a group"):
        Folders(str(tmp_path), "^[^/]+/")


def test_several_roots_keep_their_corpus(tmp_path: Path) -> None:
    for name in ("studio", "street"):
        write(tmp_path / name / "en" / "a.wav")
    roots = [str(tmp_path / "studio"), str(tmp_path / "street")]
    rows = Folders(roots).read().utterances
    assert [row["corpus"] for row in rows] == ["studio", "street"]
    with pytest.raises(LangidError, match="more than one folder is named studio"):
        Folders([*roots, str(tmp_path / "elsewhere" / "studio")])


def test_real_folder(data_root: Path) -> None:
    rows = Folders(str(data_root / "folders")).read().utterances
    assert len(rows) == 500
    assert {(row["language"], row["corpus"]) for row in rows} == {("English", "folders")}


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(LangidError, match="nowhere: no such folder"):
        Folders(str(tmp_path / "nowhere")).read()
    with pytest.raises(LangidError, match="no folders; expected one per language"):
        Folders(str(tmp_path)).read()
    (tmp_path / "en").mkdir()
    with pytest.raises(LangidError, match=r"no audio file below a language's folder; .*flac"):
        Folders(str(tmp_path)).read()
    with pytest.raises(LangidError, match="must not be an empty list"):
        Folders([])


def test_the_way_of_speech_without_labels_is_told_and_works(tmp_path: Path) -> None:
    (tmp_path / "my clips").mkdir()
    soundfile.write(tmp_path / "my clips" / "a.wav", np.zeros(8000), 16000)
    with pytest.raises(LangidError, match="no folders; expected one per language") as refused:
        Folders(str(tmp_path / "my clips")).read()
    told = str(refused.value).partition("make one: ")[2].partition("; then corpus.root=NEW")[0]
    subprocess.run(told, shell=True, cwd=tmp_path, check=True)
    [row] = Folders(str(tmp_path / "NEW")).read().utterances
    assert (row["language"], row["corpus"]) == ("unlabelled", "NEW")


def test_folders_of_parts_are_no_languages(tmp_path: Path) -> None:
    root = tmp_path / "speech"
    write(root / "train" / "en" / "a.wav")
    with pytest.raises(LangidError, match=rf"train are no languages; .*root={root}/train$"):
        Folders(str(root)).read()
    write(root / "Test" / "hi" / "b.wav")
    with pytest.raises(LangidError, match=rf"'corpus.root=\[{root}/Test,{root}/train\]'$"):
        Folders(str(root)).read()
    write(root / "hi" / "c.wav")
    assert len(Folders(str(root)).read().utterances) == 3
    write(tmp_path / "flat" / "data" / "d.wav")
    assert "as 'data'" in Folders(str(tmp_path / "flat")).read().notes[0]
