"""langid stream audio=mic through PortAudio, with a recording in the place of ALSA's microphone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.commands.main import main

RATE = 44100  # what PortAudio asks a device for that takes any
STARTED_S = 60
# ALSA's null device gives silence as fast as it is read, and the file takes its place.
DEVICE = """</usr/share/alsa/alsa.conf>
pcm.!default {{
    type file
    slave.pcm "null"
    file /dev/null
    infile "{path}"
    format raw
}}
"""


@pytest.fixture
def environment() -> dict[str, str]:
    """Return a process's variables; without PortAudio and ALSA tests skip, and fail in CI."""
    missing = ""
    try:
        import sounddevice  # noqa: F401
    except (ImportError, OSError) as error:
        missing = f"needs sounddevice and PortAudio, libportaudio2 on Debian: {error}"
    if not Path("/usr/share/alsa/alsa.conf").is_file():
        missing = "needs ALSA's configuration, which stands in /usr/share/alsa on Debian"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return dict(os.environ)


def until_interrupted(model: Path, device: Path, environment: dict[str, str]) -> list[str]:
    """Return the lines of a stream that is interrupted when the recording has been heard."""
    command = ["stream", f"model={model}", "audio=mic", "json=true"]
    process = subprocess.Popen(
        [sys.executable, "-m", "langid", *command],
        env=environment | {"ALSA_CONFIG_PATH": str(device)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if json.loads(line)["heard_s"] >= 10:
            process.send_signal(signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=STARTED_S)
    assert process.returncode == 0, errors
    return lines + rest.splitlines()


def test_the_microphone_is_heard_as_a_file_is(
    model_path: Path,
    real_clips: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    samples = read_audio(real_clips[0], RATE)
    recording, device = tmp_path / "recording.raw", tmp_path / "asound.conf"
    recording.write_bytes(samples.astype(np.float32).tobytes())
    device.write_text(DEVICE.format(path=recording))
    lines = until_interrupted(model_path, device, environment)
    found = json.loads(lines[-1])
    assert found["kind"] == "verdict"
    soundfile.write(tmp_path / "clip.wav", samples, RATE, subtype="FLOAT")
    assert main(["stream", f"model={model_path}", f"audio={tmp_path}/clip.wav", "json=true"]) == 0
    expected = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["label"] == expected["label"]
    assert found["speech_s"] == pytest.approx(expected["speech_s"], abs=0.2)
    for name, value in expected["posteriors"].items():
        assert found["posteriors"][name] == pytest.approx(value, abs=0.02)


def test_what_a_microphone_gives_that_is_no_sound_is_named(
    model_path: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    recording, device = tmp_path / "recording.raw", tmp_path / "asound.conf"
    recording.write_bytes(np.full(RATE, np.nan, np.float32).tobytes())
    device.write_text(DEVICE.format(path=recording))
    process = subprocess.run(
        [sys.executable, "-m", "langid", "stream", f"model={model_path}", "audio=mic"],
        env=environment | {"ALSA_CONFIG_PATH": str(device)},
        capture_output=True, text=True, timeout=STARTED_S,
    )  # fmt: skip
    assert process.returncode == 2
    assert "langid: audio=mic: samples hold NaN" in process.stderr
