"""Files inside archives, in order and out of it, and archives that are none."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from langid.audio import archives
from langid.audio.archives import (
    ArchiveError,
    archive_and_name,
    contents,
    is_archive,
    read_file,
    stem_of,
)
from langid.audio.decode import AudioError, read_audio

FILES = {"./en/b.txt": b"bb", "en/a.txt": b"a", "en/empty": b"", "hi/c.tsv": b"c\td"}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as made:
            made.mkdir("en")
            for name, content in files.items():
                made.writestr(name, content)
        return path
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz", ".tar": "w"}[path.suffix]
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("en")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("suffix", [".zip", *archives.TARS])
def test_files_are_listed_and_read_in_any_order(tmp_path: Path, suffix: str) -> None:
    archive = packed(tmp_path / f"speech.v1{suffix}", FILES)
    assert is_archive(archive) and stem_of(archive) == "speech.v1"
    listed = contents(archive, {"c.tsv"})
    assert list(listed) == ["en/b.txt", "en/a.txt", "en/empty", "hi/c.tsv"]
    assert listed["hi/c.tsv"] == b"c\td" and listed["en/a.txt"] == b""
    for name in ("en/b.txt", "en/empty", "hi/c.tsv", "en/a.txt", "en/a.txt"):
        assert read_file(archive, name) == FILES.get(name, b"bb")
    with pytest.raises(ArchiveError, match=r"speech.v1.*: holds no en/d.txt"):
        read_file(archive, "en/d.txt")


def test_a_path_leads_into_an_archive_unless_that_is_a_folder(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.tar.gz", FILES)
    assert archive_and_name(archive / "en" / "a.txt") == (archive, "en/a.txt")
    (tmp_path / "b.zip").mkdir()
    assert archive_and_name(tmp_path / "b.zip" / "en" / "a.txt") is None


def test_a_clip_in_an_archive_is_the_clip(real_clips: list[Path], tmp_path: Path) -> None:
    files = {f"cv/{clip.name}": clip.read_bytes() for clip in real_clips[::12]}
    for suffix in (".zip", ".tar.gz"):
        archive = packed(tmp_path / f"clips{suffix}", files)
        for clip in real_clips[::12]:
            inside = read_audio(archive / "cv" / clip.name, 16000)
            assert np.array_equal(inside, read_audio(clip, 16000))
        with pytest.raises(AudioError, match=rf"clips{suffix}/cv/x.mp3: .*: holds no cv/x.mp3"):
            read_audio(archive / "cv" / "x.mp3", 16000)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar"])
def test_what_is_no_whole_archive_is_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).bytes(300_000)
    whole = packed(tmp_path / f"whole{suffix}", {"a.wav": noise, "b.wav": noise})
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:400_000])
    (tmp_path / f"page{suffix}").write_text("<html>404 not found</html>" * 100)
    for name in ("cut", "page"):
        with pytest.raises(ArchiveError, match=f"{name}{suffix}: not a whole archive that can be"):
            contents(tmp_path / f"{name}{suffix}")


def test_a_tar_that_is_read_in_any_order_for_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_ROUNDS", 3)
    archive = packed(tmp_path / "a.tar", {f"{number}.wav": b"x" for number in range(5)})
    for _ in range(3):
        for number in range(5):  # in their order, each round is one
            assert read_file(archive, f"{number}.wav") == b"x"
    with pytest.raises(ArchiveError, match=r"asked for in another order .* unpack it and prepare"):
        read_file(archive, "0.wav")
