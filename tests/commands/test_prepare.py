"""langid prepare with speech detectors of other libraries, and what follows from such stores."""

import sys
from pathlib import Path

import numpy as np
import pytest
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
