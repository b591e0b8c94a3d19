"""langid prepare with speech detectors of other libraries, and what follows from such stores."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from langid.audio.decode import read_audio
from langid.audio.full_scale import in_16_bits
from langid.commands.main import main
from langid.data.store import Store
from langid.signal.frame_detectors import FrameDetector, SileroDetector, WebRTCDetector, _silero

from ..conftest import SMALL

CASES = [
    ("silero", "features", SileroDetector(80, 8000)),
    ("webrtc", "samples", WebRTCDetector(80, 8000)),
]


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither library be installed."""
    for module in ("silero_vad", "webrtcvad"):
        monkeypatch.setitem(sys.modules, module, None)
    _silero.cache_clear()


@pytest.mark.parametrize(("name", "content", "detector"), CASES)
def test_a_store_is_marked_by_another_library(
    name: str,
    content: str,
    detector: FrameDetector,
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "clips.h5"
    corpus = ["corpus=manifest", f"corpus.path={real_manifest}", "workers=1"]
    front_end = [f"detector={name}", f"content={content}", "features.sample_rate=8000"]
    assert main(["prepare", *corpus, *front_end, f"store={path}"]) == 0
    store = Store(path)
    for row in range(0, len(store.utterances), 7):
        clip = in_16_bits(read_audio(store.utterances["path"][row], 8000))
        speech = store.read_speech(*store.offsets[row : row + 2])
        assert np.array_equal(speech, detector(torch.from_numpy(clip)[None])[0].numpy())

    without(monkeypatch)  # which what is stored needs no more
    run = [f"store={path}", f"output={tmp_path}/run", *SMALL, "trainer.max_epochs=1"]
    assert main(["train", "experiment=gru", *run]) == 0
    checkpoint = f"checkpoint={tmp_path}/run/checkpoints/best.ckpt"
    assert main(["evaluate", checkpoint, f"store={path}", f"output={tmp_path}/test"]) == 0
    capsys.readouterr()
    assert main(["export", checkpoint, f"output={tmp_path}/model.onnx"]) == 2
    told = f"speech frames of {type(detector).__name__} are found by a library that no exported"
    assert told in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize("name", ["silero", "webrtc"])
def test_an_extra_that_is_not_installed_is_one_line(
    name: str,
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without(monkeypatch)
    corpus = ["corpus=manifest", f"corpus.path={real_manifest}", "workers=1"]
    store = tmp_path / "clips.h5"
    assert main(["prepare", *corpus, f"detector={name}", f"store={store}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"langid: detector={name}: ") and error.count("\n") == 1
    assert error.endswith(f"run pip install 'langid-speech[{name}]'\n")
    assert not store.exists()


def test_clips_of_a_lower_sample_rate_are_told_in_the_summary(
    real_clips: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, rates in (("a", (8000, 16000)), ("b", (8000, 44100))):
        (tmp_path / folder / "hi").mkdir(parents=True)
        for number, rate in enumerate(rates):
            samples = read_audio(real_clips[number], rate)
            soundfile.write(tmp_path / folder / "hi" / f"{folder}{number}.wav", samples, rate)
    told = "clips have a lower sample rate than the 16,000 Hz that features are made at; "
    for folder, more, count in (("a", [], "1 of 2"), ("b", ["add=true"], "2 of 4")):
        corpus = ["corpus=folders", f"corpus.root={tmp_path}/{folder}", "workers=1", *more]
        for _ in ("made", "there already"):
            assert main(["prepare", *corpus, f"store={tmp_path}/s.h5"]) == 0
            assert f"note: {count} {told}" in capsys.readouterr().out
