"""Frames of MPEG audio as their headers say, held against what libsndfile decodes."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.mpeg_frames import RUN, frame_of, runs, with_count


def mp3(seconds: float, rate: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    noise = 0.1 * np.random.default_rng(0).normal(size=(round(seconds * rate), channels))
    soundfile.write(file, noise, rate, format="MP3")
    return file.getvalue()


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_all_frames_of_a_file_are_one_run(rate: int, channels: int) -> None:
    content = mp3(2, rate, channels)
    (run,) = runs(io.BytesIO(content))
    assert (run.start, run.stop) == (0, len(content))
    first = frame_of(content[:4])
    assert first is not None
    assert first.layout[1:] == (3, rate, channels == 1)
    assert 0 <= run.samples - 2 * rate < 5 * first.samples


def test_clips_of_common_voice_are_one_run(real_clips: list[Path]) -> None:
    for clip in real_clips[:12]:
        with clip.open("rb") as file:
            (run,) = runs(file)
            assert runs(file, run.start) == [run]  # at one glance, where all frames are alike
        assert run.stop == clip.stat().st_size
        assert run.samples == soundfile.read(clip)[0].shape[0]


@pytest.mark.parametrize(
    "header",
    ["fffb", "00000000", "ffeb9064", "fff90064", "fffb0064", "fffbf064", "fffb9c64", "fff19064"],
)
def test_what_is_no_header(header: str) -> None:
    """Too short, no sync, a version, layer, bit rate or sample rate that is reserved or free."""
    assert frame_of(bytes.fromhex(header)) is None


def test_headers_of_other_layers() -> None:
    layer_1, layer_2 = (frame_of(bytes.fromhex(header)) for header in ("ffff9064", "fffd9064"))
    assert layer_1 is not None and layer_2 is not None
    assert (layer_1.size, layer_1.samples) == (312, 384)
    assert (layer_2.size, layer_2.samples) == (522, 1152)


def test_runs_end_where_another_stream_begins_and_as_their_tag_says() -> None:
    first, other = mp3(1, 16000), mp3(1, 48000)
    first_frame = frame_of(first[:4])
    assert first_frame is not None
    untagged = first[first_frame.size :]
    joined = [first, other, bytes(500), first, untagged, b"ID3" + bytes(2000), untagged]
    found = runs(io.BytesIO(b"".join(joined)))
    lengths = [run.stop - run.start for run in found]
    assert lengths == [len(part) for part in joined if part.strip(b"\0ID3")]
    assert found[2].start == len(first) + len(other) + 500
    noise = np.random.default_rng(0).bytes(100_000)
    assert runs(io.BytesIO(noise)) == []
    few = first[: first_frame.size * (RUN - 1)]
    assert runs(io.BytesIO(few)) == []


def test_a_tag_that_counts(real_clips: list[Path]) -> None:
    with real_clips[0].open("rb") as file:
        (run,) = runs(file)
        counted = with_count(file, run._replace(start=0))
        file.seek(counted.start)
        content = counted.head + file.read()
    assert counted.start == run.start
    assert [found.samples for found in runs(io.BytesIO(content))] == [run.samples]
    # With a tag, libsndfile leaves out the 529 samples by which a decoder is late.
    assert soundfile.info(io.BytesIO(content)).frames == run.samples - 529
