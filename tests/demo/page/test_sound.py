"""Sound on its way to the model, in the browser: rates, and what resampling keeps."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from langid.audio.decode import read_audio

from .chromium import Page
from .conftest import Taught

RESAMPLED = """
(async () => {
  const { Resampler } = await import("/resampler.js");
  const tone = Float32Array.from({length: RATE}, (_, i) => Math.sin(2 * Math.PI * HZ * i / RATE));
  const heard = (size) => {
    const resampler = new Resampler(RATE, 16000);
    const samples = [];
    for (let i = 0; i < tone.length; i += size)
      samples.push(...resampler.process(tone.subarray(i, i + size)));
    return samples.concat(...resampler.flush());
  };
  return [heard(tone.length), heard(128), heard(1)];
})()
"""


@pytest.mark.parametrize("rate", [48000, 44100, 16000, 8000, 11025])
def test_resampling_keeps_what_fits_and_nothing_else(page: Page, rate: int) -> None:
    whole, *cut = page.run(RESAMPLED.replace("RATE", str(rate)).replace("HZ", "1000"))
    assert len(whole) == 16000
    assert all(samples == whole for samples in cut)  # however it is cut
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(whole[200:-200], tone[200:-200], atol=1e-3)
    if rate > 20000:
        above, *_ = page.run(RESAMPLED.replace("RATE", str(rate)).replace("HZ", "9000"))
        assert np.abs(above[200:-200]).max() < 1e-3


@pytest.mark.parametrize("rate", [48000, 44100, 22050, 8000])
def test_resampling_equals_that_of_python(page: Page, taught: Taught, rate: int) -> None:
    samples = soxr.resample(read_audio(taught.clips["Hindi"], 16000)[:16000], 16000, rate)
    heard = page.run(f"""
        import("/resampler.js").then(({{ resampled }}) =>
            [...resampled(new Float32Array({json.dumps(samples.tolist())}), {rate}, 16000)])
    """)
    expected = soxr.resample(samples, rate, 16000)
    np.testing.assert_allclose(heard, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("kind", "rate"),
    [
        ("WAV", 22050),
        ("WAV", 44100),
        ("FLAC", 48000),
        ("FLAC", 16000),
        ("OGG", 44100),
        ("MP3", 48000),
        ("MP3", 22050),
        ("MP3", 8000),
        ("AIFF", None),
    ],
)
def test_what_a_file_says_of_itself(
    page: Page, tmp_path: Path, kind: str, rate: int | None
) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, np.zeros(8000), rate or 16000, format=kind)
    data = path.read_bytes()
    is_mp3 = kind == "MP3"
    assert format_of(page, data) == {"isMp3": is_mp3, "rate": rate}
    tag = b"ID3\4\0\0\0\0\1\2" + bytes(130)  # a tag of 130 bytes, as music has it
    assert format_of(page, tag + data) == {"isMp3": is_mp3, "rate": rate if is_mp3 else None}
    for size in (0, 3, 17):  # a file that ends too early says nothing
        assert format_of(page, data[:size]) == {"isMp3": False, "rate": None}


def format_of(page: Page, data: bytes) -> dict[str, Any]:
    script = """
        import("/format.js").then(({ formatOf }) => formatOf(
            Uint8Array.from(atob("DATA"), (letter) => letter.charCodeAt(0)).buffer))
    """
    found: dict[str, Any] = page.run(script.replace("DATA", base64.b64encode(data).decode()))
    return found


def test_noise_is_no_mp3(page: Page) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        assert not format_of(page, b"\0\0\0\x20ftyp" + random.bytes(8192))["isMp3"]
