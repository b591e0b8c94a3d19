"""Small trees of real corpora, made of real clips in their genuine layout."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from langid.audio.decode import read_audio

CODES = ("en", "hi", "zh")  # of the languages of real_clips, twelve of each
CONFIGS = ("en_us", "hi_in", "cmn_hans_cn")


def as_wav(clip: Path, path: Path) -> int:
    """Write a clip as these corpora have it, and return its number of samples."""
    samples = read_audio(clip, 16000)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16000)
    return len(samples)


@pytest.fixture(scope="session")
def fleurs(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleurs_of(real_clips, tmp_path_factory.mktemp("fleurs"))


def fleurs_of(real_clips: list[Path], root: Path) -> Path:
    """Return a root of FLEURS with two clips a part: English unpacked, the others not."""
    for number, config in enumerate(CONFIGS):
        folder = root / "data" / config
        for place, part in enumerate(("train", "dev", "test")):
            lines = []
            for clip in range(2):
                name = f"{1000 - clip}{place}.wav"  # in the archive the other way round
                wav = folder / "audio" / part / name
                samples = as_wav(real_clips[12 * number + 2 * place + clip], wav)
                gender = ("MALE", "FEMALE")[clip]
                lines.append(
                    f'{clip}\t{name}\tA "word.\ta "word\ta | w o r d |\t{samples}\t{gender}'
                )
            (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
            if config != "en_us":
                with tarfile.open(folder / "audio" / f"{part}.tar.gz", "w:gz") as packed:
                    packed.add(folder / "audio" / part, part)
                shutil.rmtree(folder / "audio" / part)
    return root


def video_names(code: str) -> list[str]:
    """Return names of four clips of two videos of a language, one with ``__`` in its name."""
    return [
        f"{video}{code}__U__S{part}---000{part}.250-000{part + 5}.500.wav"
        for video in ("-0__x_Ab", "Zq3-uU9k")
        for part in range(2)
    ]


@pytest.fixture(scope="session")
def voxlingua(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root of VoxLingua107: English as a folder, the others and dev as zips."""
    root = tmp_path_factory.mktemp("voxlingua107")
    for number, code in enumerate(CODES):
        for clip, name in enumerate(video_names(code)):
            as_wav(real_clips[12 * number + clip + 6], root / code / name)
        as_wav(real_clips[12 * number + 11], root / "dev" / code / f"dev{code}__U__S0---0-1.wav")
    for name in ("hi", "zh", "dev"):
        zipped(root, name)
    return root


def zipped(root: Path, name: str) -> None:
    """Put a folder into a zip beside it."""
    with zipfile.ZipFile(root / f"{name}.zip", "w") as packed:
        for path in sorted((root / name).rglob("*.wav")):
            packed.write(path, path.relative_to(root))
    shutil.rmtree(root / name)


Copy = Callable[[Path], Path]


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    """Return a function that copies a tree, to be spoiled."""

    def copy(root: Path) -> Path:
        return Path(shutil.copytree(root, tmp_path / root.name))

    return copy
