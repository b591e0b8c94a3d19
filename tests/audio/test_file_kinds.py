"""What a file is by its first bytes: of kinds that libsndfile writes, and of others."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.file_kinds import HEAD, KINDS, Use, kind_of

HEADERLESS = {"RAW", "HTK", "IRCAM", "MAT4", "MPC2K", "SD2", "SDS", "WAVEX", "RF64", "SVX", "NIST"}


def test_kinds_that_libsndfile_writes_are_recognised() -> None:
    names = {"OGG": "Ogg", "SVX": "IFF"}
    rates = {"WVE": 8000, "XI": 44100}
    subtypes = {"WVE": "ALAW", "XI": "DPCM_16"}
    for name in sorted(set(soundfile.available_formats()) - HEADERLESS):
        file = io.BytesIO()
        options = {"format": name, "subtype": subtypes.get(name)}
        soundfile.write(file, np.zeros(4000), rates.get(name, 16000), **options)
        kind = kind_of(file.getvalue()[:HEAD])
        assert kind is not None and kind.use is Use.DECODE, name
        assert kind.name == names.get(name, name)


def test_clips_are_mp3_with_and_without_their_tag(real_clips: list[Path]) -> None:
    content = real_clips[0].read_bytes()
    assert content.startswith(b"ID3")
    for head in (content[:HEAD], content[content.index(b"\xff\xfb") :][:HEAD]):
        kind = kind_of(head)
        assert kind is not None and kind.name == "MP3"


@pytest.mark.parametrize("value", [0, 1, -1, -1025, 1025, -20000])
def test_samples_are_of_no_kind(value: int) -> None:
    """A quiet beginning of raw samples, also one whose first bytes are those of a frame of MP3."""
    assert kind_of(np.full(HEAD // 2, value, "<i2").tobytes()) is None
    noise = np.random.default_rng(abs(value)).normal(value, 300, HEAD // 2).astype("<i2")
    assert kind_of(noise.tobytes()) is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", None),
        (b"a", "text"),
        (b"\x81", None),
        ("日本語".encode()[:-1], "text"),
        (("日本語" * 999).encode("utf-16"), None),
        (b"caf\xe9 " * 9, None),
        (b" \n<HTML>", "text (HTML)"),
        (b'[{"a": 1}]', "text (JSON)"),
        (b"[bold] letters", "text"),
        (b"\x1f\x8b\x08" + bytes(9), "gzip"),
        (b"\xff\xf9\x50" + bytes(9), "AAC"),
        (bytes(257) + b"ustar", "a tar archive"),
        (b"\0\0\0\x18ftyp3gp4", "3GP"),
        (b"RIFF\0\0\0\0AVI ", "AVI"),
    ],
)
def test_other_kinds(head: bytes, name: str | None) -> None:
    kind = kind_of(head)
    assert (kind.name if kind else None) == name


def test_no_kind_hides_another() -> None:
    assert len({kind.name for _, kind in KINDS}) == len(KINDS)
