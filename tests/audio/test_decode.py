import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio import mpeg_frames
from langid.audio.decode import AudioError, read_audio, read_blocks

RATE = 16000


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    """Return a sine of half the full scale, ``(samples,)``."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [8000, 16000, 32000, 44100, 48000])
def test_any_sample_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, rate), rate, subtype="FLOAT")
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert samples.dtype == np.float32
    assert abs(len(samples) - RATE) <= 1
    middle = slice(2000, 14000)
    assert np.abs(samples[middle] - tone(1.0, RATE)[middle]).max() < 2e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(1.0, 8000), np.zeros(8000)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 8000)
    samples = read_audio(tmp_path / "a.wav", RATE)
    assert abs(len(samples) - RATE) <= 1
    assert np.abs(samples[2000:14000] - 0.5 * tone(1.0, RATE)[2000:14000]).max() < 2e-3


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.05), ("mp3", 0.05)]
)
def test_formats(tmp_path: Path, suffix: str, tolerance: float) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", tone(2.0, RATE), RATE)
    samples = read_audio(tmp_path / f"a.{suffix}", RATE)
    assert abs(len(samples) - 2 * RATE) < 2000
    root = np.sqrt(np.mean(np.square(samples[4000:-4000])))
    assert root == pytest.approx(0.5 / np.sqrt(2), abs=tolerance)


@pytest.mark.parametrize("block_s", [0.001, 0.37, 2.0])
def test_blocks_do_not_change_the_samples(real_clips: list[Path], block_s: float) -> None:
    for clip in (real_clips[0], real_clips[20]):
        whole = read_audio(clip, RATE)
        blocks = list(read_blocks(clip, RATE, block_s))
        assert np.allclose(np.concatenate(blocks), whole, rtol=0, atol=1e-6)  # soxr rounds
        assert max(map(len, blocks)) <= block_s * RATE + 2000
        duration_s = soundfile.info(clip).duration
        assert len(whole) == pytest.approx(duration_s * RATE, abs=RATE * 0.06)


def test_a_block_that_ends_with_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, RATE), RATE)
    blocks = list(read_blocks(tmp_path / "a.wav", RATE, 0.5))
    assert list(map(len, blocks)) == [8000, 8000]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    samples = tone(1.0, RATE)
    samples[12345] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a.wav: holds samples that are not finite"):
        read_audio(tmp_path / "a.wav", RATE)


def test_files_that_are_no_audio_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"absent.wav: no such file"):
        read_audio(tmp_path / "absent.wav", RATE)
    with pytest.raises(AudioError, match="is a folder; expected an audio file"):
        read_audio(tmp_path, RATE)
    for suffix in ("wav", "mp3", "flac", "ogg", "raw", "txt"):
        path = tmp_path / f"a.{suffix}"
        path.touch()
        with pytest.raises(AudioError, match=rf"a.{suffix}: the file is empty \(0 bytes\)"):
            read_audio(path, RATE)
        path.write_text("This is not speech. " * 200)
        with pytest.raises(AudioError, match=rf"a.{suffix}: cannot be decoded \(.+\)"):
            read_audio(path, RATE)
        path.write_bytes(os.urandom(100))
        with pytest.raises(AudioError, match=rf"a.{suffix}: cannot be decoded"):
            read_audio(path, RATE)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    for rate in (RATE, 48000):
        soundfile.write(tmp_path / "a.wav", np.zeros(0), rate)
        with pytest.raises(AudioError, match=r"a.wav: holds no samples, so that nothing can be"):
            read_audio(tmp_path / "a.wav", RATE)


def encoded(seconds: float, rate: int, kind: str, hertz: float = 440.0, channels: int = 1) -> bytes:
    """Return a tone as the content of a file of a kind that libsndfile writes."""
    name, _, subtype = kind.partition(" ")
    samples = np.stack([tone(seconds, rate, hertz)] * channels, 1)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=name, subtype=subtype or None)
    return file.getvalue()


def heard(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, RATE)


def tones(samples: np.ndarray) -> list[int]:
    """Return the loudest frequency in the middle of each second, rounded to 10 Hz."""
    seconds = (samples[start + 4000 : start + 12000] for start in range(0, len(samples), RATE))
    return [2 * int(np.abs(np.fft.rfft(part)).argmax()) // 10 * 10 for part in seconds]


KINDS = ("MP3", "OGG VORBIS", "OGG OPUS", "FLAC", "WAV", "AIFF", "AU", "CAF", "W64", "RF64")


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_are_heard_whole(tmp_path: Path, kind: str) -> None:
    """Streams of other rates and channels too, and behind tags of the file that ended."""
    path = tmp_path / "a.joined"
    first = encoded(1, RATE, kind)
    others = [encoded(1, 48000, kind, 660.0, 2), encoded(1, 24000, kind, 880.0)]
    samples = heard(path, first + b"".join(others))
    assert abs(len(samples) - 3 * RATE) < 50
    assert tones(samples[: 3 * RATE]) == [440, 660, 880]
    id3 = b"ID3\x03\0\0\0\0\0\x40" + bytes(64)
    for between in (b"", id3, b"TAG" + bytes(125)):
        samples = heard(path, first + between + others[1])
        assert abs(len(samples) - 2 * RATE) < 100
        assert tones(samples[: 2 * RATE]) == [440, 880]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_sound_behind_or_before_a_file_is_no_error(tmp_path: Path, kind: str) -> None:
    content = encoded(1, RATE, kind)
    noise = np.random.default_rng(0).bytes(4000)
    expected = heard(tmp_path / "a", content)
    for rest in (b"TAG" + bytes(125), b"APETAGEX" + bytes(120), bytes(4000), noise):
        found = heard(tmp_path / "a", content + rest)
        if kind == "W64":  # whose header does not say where the sound ends
            found = found[:RATE]
        assert np.array_equal(found, expected)
    id3 = b"ID3\x03\0\0\0\0\x02\0" + bytes(256)
    assert np.array_equal(heard(tmp_path / "a", id3 + content), expected)


def untagged(seconds: float, level: float) -> bytes:
    """Return noise as MP3 of a constant bit rate, without the tag that counts its frames."""
    file = io.BytesIO()
    options = {"format": "MP3", "compression_level": level, "bitrate_mode": "CONSTANT"}
    with soundfile.SoundFile(file, "w", RATE, 1, **options) as stream:
        stream.write(0.1 * np.random.default_rng(0).normal(size=round(seconds * RATE)))
    content = file.getvalue()
    first = mpeg_frames.frame_of(content[:4])
    assert first is not None
    tagged = content[first.tag : first.tag + 4] in mpeg_frames.TAGS  # small frames hold none
    return content[first.size * tagged :]


def test_an_mp3_without_a_tag_is_heard_to_its_last_frame(tmp_path: Path) -> None:
    """The decoder guesses a length from the bit rate at the beginning."""
    loud, low = untagged(4, 0.0), untagged(20, 0.95)
    assert len(loud) > 2 * len(low)
    for content in (loud + low, low + loud):
        samples = heard(tmp_path / "a.mp3", content)
        assert abs(len(samples) - 24 * RATE) < 0.3 * RATE
        assert all(np.std(samples[second * RATE :][:RATE]) > 0.05 for second in range(23))
        behind = heard(tmp_path / "a.mp3", content + bytes(3000))
        assert len(behind) == len(samples)


def test_what_the_decoder_does_not_reach_is_named(tmp_path: Path) -> None:
    """No tag can tell it the length of layer II, of which a frame of zeros is one of silence."""
    high, low = bytes.fromhex("fffde4c4"), bytes.fromhex("fffd14c4")
    frames = [(high, 100), (low, 2000)]
    sizes = {header: mpeg_frames.frame_of(header) for header, _ in frames}
    content = b"".join(header.ljust(sizes[header].size, b"\0") * many for header, many in frames)
    with pytest.raises(AudioError, match=r"a.mp2: incomplete: of 50.40 s only [\d.]+ s can be"):
        heard(tmp_path / "a.mp2", content)


def test_damage_is_heard_over_or_named_and_a_cut_file_is_heard_as_far_as_it_goes(
    tmp_path: Path, real_clips: list[Path]
) -> None:
    content = real_clips[0].read_bytes()
    whole, half = len(read_audio(real_clips[0], RATE)), len(content) // 2
    cut = heard(tmp_path / "a.mp3", content[:half])
    assert 0.45 < len(cut) / whole < 0.5
    hole = heard(tmp_path / "a.mp3", content[:half] + bytes(3000) + content[half:])
    assert 0.95 < len(hole) / whole <= 1
    wav = encoded(1, RATE, "WAV")
    assert len(heard(tmp_path / "a.wav", wav[: len(wav) // 2])) == pytest.approx(8000, abs=50)
    flac = encoded(1, RATE, "FLAC")
    with pytest.raises(AudioError, match=r"cannot be decoded \(FLAC, damaged or cut: .*lost sync"):
        heard(tmp_path / "a.flac", flac[: len(flac) // 2])
    with pytest.raises(AudioError, match=r"FLAC, damaged or cut in part 2 of 2, from byte \d+ on"):
        heard(tmp_path / "a.flac", flac + flac[: len(flac) // 2])


def test_lengths_that_a_header_does_not_know(tmp_path: Path) -> None:
    wav = encoded(1, RATE, "WAV")
    at = wav.index(b"data") + 4
    expected = heard(tmp_path / "a.wav", wav)
    for riff in (0, 36, len(wav) - 8, 0xFFFFFFFF):
        for size in (0, 0x7FFFFFFF, 0xFFFFFFFF):
            sizes = [struct.pack("<I", number) for number in (riff, size)]
            content = b"RIFF" + sizes[0] + wav[8:at] + sizes[1] + wav[at + 4 :]
            assert np.array_equal(heard(tmp_path / "a.wav", content), expected)
    flac = bytearray(encoded(1, RATE, "FLAC"))
    flac[21] &= 0xF0  # the 36 bits of STREAMINFO that hold the number of samples
    flac[22:26] = bytes(4)
    for times in (1, 2):
        samples = heard(tmp_path / "a.flac", bytes(flac) * times)
        assert samples.shape == (times * RATE,)
        assert np.allclose(samples, np.tile(expected, times), atol=1e-4)


def test_channels_that_cancel_each_other_are_heard_by_one(tmp_path: Path) -> None:
    left = tone(1.0, RATE)
    for channels in ([left, -left], [-left, left], [left, -left, 0 * left]):
        soundfile.write(tmp_path / "a.wav", np.stack(channels, 1), RATE)
        assert np.allclose(np.abs(read_audio(tmp_path / "a.wav", RATE)), np.abs(left), atol=1e-4)
    soundfile.write(tmp_path / "a.wav", np.stack([left, -0.5 * left], 1), RATE)
    assert np.allclose(read_audio(tmp_path / "a.wav", RATE), 0.25 * left, atol=1e-4)


def test_floats_of_another_scale_are_refused_and_a_little_over_full_scale_is_not(
    tmp_path: Path,
) -> None:
    for scale, reach in ((32768, "1.638e\\+04"), (1000, "500")):
        soundfile.write(tmp_path / "a.wav", scale * tone(1, RATE), RATE, subtype="FLOAT")
        with pytest.raises(AudioError, match=rf"a.wav: samples reach {reach}: .* divide .* 32768"):
            read_audio(tmp_path / "a.wav", RATE)
    for scale in (2.4, 199):
        soundfile.write(tmp_path / "a.wav", scale * tone(1, RATE), RATE, subtype="FLOAT")
        assert np.abs(read_audio(tmp_path / "a.wav", RATE)).max() == pytest.approx(scale / 2)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.mp3", b"This is not speech. " * 99, r"\(it is text, not audio\)$"),
        ("a.au", "Ein Text über Töne. ".encode() * 200, r"\(it is text, not audio\)$"),
        ("a.wav", b"<!DOCTYPE html>\n<html>404", r"\(it is text \(HTML\), not audio\)$"),
        ("a.mp3", b'{"error": 404}', r"\(it is text \(JSON\), not audio\)$"),
        ("a.mp3", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull fetches the file"),
        ("a.mp3", b"PK\3\4" + bytes(99), r"\(it is a zip archive, not audio; unpack it\)$"),
        ("a.npy", b"\x93NUMPY" + bytes(99), r"\(it is a numpy array, not audio\)$"),
        (
            "it's 1.m4a",
            b"\0\0\0\x20ftypM4A " + bytes(99),
            r"MP4 \(M4A\), which libsndfile does not decode\); convert it: ffmpeg -i"
            r" '.*/it'\"'\"'s 1.m4a' -ar 16000 -ac 1 '.*/it'\"'\"'s 1.wav'$",
        ),
        ("a.wav", b"\x1aE\xdf\xa3" + bytes(99), "WebM or Matroska.*/a.wav .*/a.decoded.wav$"),
        ("a.mp3", b"\xff\xf1\x50\x80" + bytes(99), "AAC, which libsndfile does not decode"),
        ("a.amr", b"#!AMR\n" + bytes(99), "AMR, which libsndfile does not decode"),
        ("a.raw", bytes(99), "no format that libsndfile recognises"),
        ("a.gsm", bytes(99), "no format that libsndfile recognises"),
    ],
)
def test_why_a_file_is_not_heard(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    """By its content, not by its name, by which libsndfile would hear some files as noise."""
    with pytest.raises(AudioError, match=rf"{name}: cannot be decoded .*{reason}"):
        heard(tmp_path / name, content)


def test_a_resource_fork_beside_a_file_is_not_looked_at(tmp_path: Path) -> None:
    """Folders that macOS has copied hold one for each clip; libsndfile takes both for SD2."""
    (tmp_path / "._a.mp3").write_bytes(bytes(4096))
    assert len(heard(tmp_path / "a.mp3", encoded(1, RATE, "MP3"))) == RATE


def test_the_decoder_of_mp3_is_quiet(
    tmp_path: Path, real_clips: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """What it says about damage would stand in the terminal once for each file of a corpus."""
    content = real_clips[0].read_bytes()
    half = len(content) // 2
    for damaged in (content[: half + 50] + bytes(300) + content[half + 350 :], content[:half]):
        assert len(heard(tmp_path / "a.mp3", damaged))
    with pytest.raises(AudioError):
        heard(tmp_path / "a.mp3", b"ID3\x03\0\0\0\0\0\x10" + bytes(2000))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("block_s", [0.1, 20.0])
def test_an_offset_stays_an_offset_from_the_first_sample_to_the_last(
    tmp_path: Path, rate: int, block_s: float
) -> None:
    """Resampled against silence at both ends it would be a step, which rings in the features."""
    speech = tone(1.0, rate)
    for name, samples in (("a", speech), ("b", speech + 0.05)):
        soundfile.write(tmp_path / f"{name}.wav", samples, rate, subtype="FLOAT")
    plain, offset = (
        np.concatenate(list(read_blocks(tmp_path / f"{name}.wav", RATE, block_s)))
        for name in ("a", "b")
    )
    assert np.abs(offset - plain - 0.05).max() < 1e-6


@pytest.mark.parametrize("rate", [1, 0x7F7F7F7F])
def test_a_sample_rate_that_cannot_be_is_refused_before_memory_is_taken(
    rate: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1600), 16000)
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(AudioError, match=f"a sample rate of {rate:,} Hz; its header is damaged"):
        read_audio(path, 16000)
