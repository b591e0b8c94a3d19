"""Tests of langid/signal/acoustics/recordings.py."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.errors import LangidError
from langid.signal.acoustics.chain import Acoustics
from langid.signal.acoustics.recordings import Recordings


def test_stretches_come_from_anywhere_at_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    ramp = np.linspace(0, 0.9, 80000)
    soundfile.write(tmp_path / "ramp.wav", np.column_stack([ramp, ramp]), 8000, subtype="FLOAT")
    recordings, starts = Recordings("folder", str(tmp_path)), []
    for seed in range(20):
        stretch, name = recordings.stretch(16000, 16000, np.random.default_rng(seed))
        assert name == "ramp.wav" and stretch.shape == (16000,)
        rise = (stretch[15000] - stretch[1000]) / 14000
        assert rise == pytest.approx(0.9 / 160000, rel=0.01)
        starts.append(stretch[1000])
    assert min(starts) < 0.2 and max(starts) > 0.6


def test_short_files_go_forth_and_back_without_a_step(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.linspace(0, 0.5, 100), 16000)
    stretch, _ = Recordings("folder", str(tmp_path)).stretch(1000, 16000, np.random.default_rng(0))
    assert np.abs(np.diff(stretch)).max() < 0.006 and stretch.max() == pytest.approx(0.5, abs=1e-3)


def test_responses_begin_with_their_strongest_sample(tmp_path: Path) -> None:
    response = np.zeros(4000)
    response[1000], response[1500] = 0.8, 0.4
    soundfile.write(tmp_path / "hall.wav", response, 16000)
    found, name = Recordings("folder", str(tmp_path)).response(16000, np.random.default_rng(0))
    assert name == "hall.wav"
    assert found[[0, 500]] == pytest.approx([0.8, 0.4], abs=1e-3) and len(found) == 3000


@pytest.mark.parametrize("transform", ["noise", "room"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such folder; accepted are null and a folder of sound"),
        ({}, "no file of sound below it; libsndfile reads .*flac"),
        ({"a.txt": b"words"}, "no file of sound below it"),
        ({"a.wav": b"words, not sound"}, r"a\.wav: cannot be decoded \(.*\); mend or remove it"),
        ({"b.wav": b""}, r"b\.wav: cannot be decoded \(.*\); mend or remove it"),
        ({"c.wav": "empty"}, r"c\.wav holds no samples; remove it"),
    ],
)
def test_a_folder_of_no_use_is_refused_at_once(
    transform: str, content: dict[str, bytes | str] | None, told: str, tmp_path: Path
) -> None:
    folder = tmp_path / "sounds"
    if content is not None:
        folder.mkdir()
        soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
        for name, data in content.items():
            held = (tmp_path / "empty.wav").read_bytes() if isinstance(data, str) else data
            (folder / name).write_bytes(held)
    arguments = {
        "noise": {"snr_db": [0, 9], "kinds": {"folder": 1}},
        "room": {"t60_s": [0.2, 0.3], "distance_m": [1, 2]},
    }[transform]
    with pytest.raises(LangidError, match=rf"waveform\.{transform}\.folder=.*{told}"):
        Acoustics(**{transform: arguments | {"probability": 1, "folder": str(folder)}})


def test_a_file_that_is_gone_later_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "gone.wav", np.ones(100) / 2, 16000)
    recordings = Recordings("folder", str(tmp_path))
    (tmp_path / "gone.wav").unlink()
    with pytest.raises(LangidError, match=r"gone\.wav: cannot be decoded"):
        recordings.stretch(100, 16000, np.random.default_rng(0))
