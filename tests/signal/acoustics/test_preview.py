"""Tests of langid/signal/acoustics/preview.py: the page of langid preview, in a real browser."""

import base64
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.commands.main import main

from ...demo.page.chromium import Chromium
from ...demo.page.conftest import require_chromium
from ...pages import READY, assert_accessible

PLAYED = "(window.played = [...document.querySelectorAll('audio')].at(-1)).currentTime > 0.1"


@pytest.fixture(scope="module")
def page_path(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page about a clip whose name is HTML."""
    folder = tmp_path_factory.mktemp("preview")
    clip = shutil.copy(real_clips[0], folder / "a<b>&'c.mp3")
    parts = ["waveform=field", f'clip="{clip}"', f"output={folder}/page.html", "seeds=3"]
    assert main(["preview", *parts, "waveform.speed.probability=1"]) == 0
    return folder / "page.html"


def test_the_page_shows_and_plays_in_a_browser_and_needs_nothing_else(
    page_path: Path, tmp_path: Path
) -> None:
    require_chromium()
    browser = Chromium(tmp_path, "--autoplay-policy=no-user-gesture-required")
    try:
        page = browser.open(page_path.as_uri(), ready=READY)
        assert page.run("document.querySelector('h1').innerText").endswith("a<b>&'c.mp3")
        titles = page.run("[...document.querySelectorAll('h2')].map(e => e.innerText)")
        assert titles == ["as it is", "seed 0", "seed 1", "seed 2"]
        drawn = page.run("[...document.querySelectorAll('dl')].map(e => e.innerText)")
        assert len(drawn) == 3 and all("speed\nfactor " in each for each in drawn)
        assert page.run("document.querySelectorAll('section [role=img]').length") == 4
        assert_accessible(page)
        page.run("[...document.querySelectorAll('audio')].at(-1).play().then(() => true)")
        page.wait_for(PLAYED)
    finally:
        browser.close()


def test_the_sounds_are_the_clip_and_others(page_path: Path, real_clips: list[Path]) -> None:
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", page_path.read_text())
    heard = [soundfile.read(io.BytesIO(base64.b64decode(data)))[0] for data in sounds]
    clip = read_audio(real_clips[0], 16000)
    assert np.abs(heard[0][: len(clip)] - clip).max() < 1e-4
    assert len(heard) == 4 and len({len(each) for each in heard}) == 4
    assert all(np.isfinite(each).all() for each in heard)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["waveform=none"], "waveform=none: changes nothing; take waveform=light or field"),
        (["waveform=far"], "waveform=far: no such option. Accepted for waveform are: field, light"),
        (["seeds=0"], "seeds=0: accepted are 1 to 50"),
        (["seeds=many"], "seeds=many: expected a whole number"),
        (["clip=gone.mp3"], "gone.mp3: no such file"),
        (["output={folder}/page.pdf"], "page.pdf: expected a name that ends in .html"),
        (["waveform.room.folder={folder}"], "waveform.room.folder={folder}: no file of sound"),
        (["waveform.noise.snr_db=loud"], "waveform.noise.snr_db=loud: accepted are two numbers"),
        (["waveform.echo=1"], "waveform.echo=1"),
    ],
)
def test_what_cannot_be_shown_is_told(
    more: list[str],
    told: str,
    real_clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = {"clip": str(real_clips[0]), "output": f"{tmp_path}/page.html"}
    keys |= dict(each.format(folder=tmp_path).split("=", 1) for each in more)
    assert main(["preview", *(f"{key}={value}" for key, value in keys.items())]) == 2
    assert told.format(folder=tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_of_a_long_recording_the_beginning_is_shown(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).standard_normal(21 * 8000) / 20
    soundfile.write(tmp_path / "long.wav", sound, 8000)
    parts = [f"clip={tmp_path}/long.wav", f"output={tmp_path}/page.html", "seeds=1"]
    assert main(["preview", "waveform=light", *parts]) == 0
    assert "long.wav (the first 20 s), as training with waveform=light" in (
        (tmp_path / "page.html").read_text()
    )
