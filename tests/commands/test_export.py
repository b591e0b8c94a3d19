"""langid export: the file, what it prints, and what it refuses before it writes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from langid.commands.main import main
from langid.streaming import parity
from langid.streaming.onnx_model import OnnxModel


def test_export_writes_one_file(model_path: Path) -> None:
    assert OnnxModel(model_path).metadata["classes"] == ["English", "Hindi", "Mandarin"]
    assert list(model_path.parent.iterdir()) == [model_path]


@pytest.fixture
def changed(checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return a checkpoint whose features and detector cannot be streamed."""
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["features"] = {"_target_": "langid.signal.clip_features.MFCCLibrosa"}
    checkpoint["langid"]["detector"] = {"_target_": "langid.signal.silence.LibrosaDetector"}
    path = tmp_path / "changed.ckpt"
    torch.save(checkpoint, path)
    return path


def test_what_cannot_be_streamed_is_refused(
    changed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.onnx"
    assert main(["export", f"checkpoint={changed}", f"output={output}"]) == 2
    message = capsys.readouterr().err
    assert "features MFCCLibrosa are not causal" in message
    assert "LibrosaDetector are relative to the whole clip" in message
    assert not output.exists()


def test_clips_that_are_gone_ask_for_a_recording(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["store"] = str(tmp_path / "gone.h5")
    moved = tmp_path / "moved.ckpt"
    torch.save(checkpoint, moved)
    assert main(["export", f"checkpoint={moved}", f"output={tmp_path}/model.onnx"]) == 2
    message = capsys.readouterr().err
    assert "gone.h5: no such file" in message
    assert "give a recording: audio=FILE" in message


def test_a_failed_check_writes_nothing(
    checkpoint_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(parity, "TOLERANCE", 0.0)
    output = tmp_path / "new" / "model.onnx"
    clip = tmp_path / "clip.wav"
    samples, rate = soundfile.read(real_clips[0])
    soundfile.write(clip, np.asarray(samples)[rate : 2 * rate], rate)
    arguments = ["export", f"checkpoint={checkpoint_path}", f"output={output}", f"audio={clip}"]
    assert main(arguments) == 2
    assert "not written, the exported graph differs from PyTorch" in capsys.readouterr().err
    assert list(output.parent.iterdir()) == []
