"""What a file is by its first bytes, and what to do about one that is no sound."""

import re
from enum import Enum
from typing import NamedTuple

from langid.audio.mpeg_frames import frame_of

HEAD = 2048  # bytes that are looked at: more than a frame of MP3


class Use(Enum):
    """What can be done with a kind of file."""

    DECODE = ""
    CONVERT = "which libsndfile does not decode"
    UNPACK = "not audio; unpack it"
    NONE = "not audio"


class Kind(NamedTuple):
    """A kind of file, in words, and what can be done with it."""

    name: str
    use: Use


# By what they begin with; the first that matches counts. Sources: the readers of libsndfile, and
# the formats' own descriptions.
BEGINNINGS = {
    Use.DECODE: {
        rb"(RIFF|RF64)....WAVE": "WAV", rb"RIFX....WAVE": "WAV (big-endian)", rb"fLaC": "FLAC",
        rb"FORM....AIF[FC]": "AIFF", rb"FORM....(8SVX|16SV)": "IFF", rb"\.snd|dns\.": "AU",
        rb"OggS": "Ogg", rb"caff": "CAF", rb"riff\x2e\x91\xcf\x11": "W64", rb" paf|fap ": "PAF",
        rb"NIST_1A\n": "NIST SPHERE", rb"PVF1\n": "PVF", rb"Creative Voice File": "VOC",
        rb"2BIT": "AVR", rb"Extended Instrument: ": "XI", rb"MATLAB 5\.0 MAT": "MAT5",
        rb"ALawSoundFile\*\*": "WVE",
    },
    Use.CONVERT: {
        rb"....ftypM4[AB]": "MP4 (M4A)", rb"....ftyp3g": "3GP", rb"....ftyp": "MP4",
        rb"\x1a\x45\xdf\xa3": "WebM or Matroska", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "WMA",
        rb"#!AMR": "AMR", rb"\xff[\xf0\xf1\xf8\xf9]|ADIF": "AAC", rb"\x02?#!SILK": "SILK",
        rb"RIFF....AVI ": "AVI", rb"FLV\x01": "FLV", rb"\.RMF": "RealMedia", rb"wvpk": "WavPack",
        rb"MAC ": "Monkey's Audio", rb"MPCK|MP\+": "Musepack", rb"TTA1": "TTA",
        rb"FRM8|DSD ": "DSD", rb"\x00\x00\x01\xba": "MPEG video",
    },
    Use.UNPACK: {
        rb"PK\x03\x04": "a zip archive", rb"\x1f\x8b\x08": "gzip", rb"BZh[1-9]1AY&SY": "bzip2",
        rb"\xfd7zXZ\x00": "xz", rb"\x28\xb5\x2f\xfd": "zstd", rb"Rar!\x1a": "a rar archive",
        rb"7z\xbc\xaf\x27\x1c": "a 7z archive", rb".{257}ustar": "a tar archive",
    },
    Use.NONE: {
        rb"\x93NUMPY": "a numpy array", rb"\x89HDF\r\n": "HDF5", rb"SQLite format 3": "SQLite",
        rb"%PDF": "PDF", rb"\x89PNG\r\n": "a PNG picture", rb"\xff\xd8\xff": "a JPEG picture",
        rb"GIF8": "a GIF picture", rb"\x7fELF": "a program", rb"MThd": "MIDI",
        rb"version https://git-lfs": "a pointer of Git LFS (git lfs pull fetches the file)",
        rb"(?i)\s*<(!doctype html|html)": "text (HTML)", rb"\s*<\?xml": "text (XML)",
        rb"\s*[{\[]\s*[\"{\[\]}]": "text (JSON)",
    },
}  # fmt: skip
KINDS = [
    (re.compile(pattern, re.DOTALL), Kind(name, use))
    for use, patterns in BEGINNINGS.items()
    for pattern, name in patterns.items()
]
MP3, TEXT = Kind("MP3", Use.DECODE), Kind("text", Use.NONE)


def kind_of(head: bytes) -> Kind | None:
    """Return what a file of these first bytes, HEAD of them or all, is; None where nothing says."""
    found = next((kind for pattern, kind in KINDS if pattern.match(head)), None)
    if found is None and (head.startswith(b"ID3") or _is_mpeg(head)):
        return MP3
    return TEXT if found is None and _is_text(head) else found


def _is_mpeg(head: bytes) -> bool:
    """Return whether two frames of MPEG audio begin here, or one where no more is to be seen."""
    first = frame_of(head[:4])
    if first is None:
        return False
    second = head[first.size : first.size + 4]
    following = frame_of(second)
    return len(second) < 4 or (following is not None and following.layout == first.layout)


def _is_text(head: bytes) -> bool:
    """Return whether this is UTF-8 without control characters; the last one may be cut."""
    if not head or any(byte < 32 and byte not in b"\t\n\f\r" for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > 0 and len(head) - error.start < 4
    return True
