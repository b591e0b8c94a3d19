"""langid export: the file, what it prints, and what it refuses before it writes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.export import parity
from langid.export.torch_module import StreamingRecurrentModule
from langid.sharing.model_card import card_of, write_card
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import load_model
from langid.training.checkpoint import build_identifier
from langid.training.run_description import RunDescription


def test_export_writes_one_file(model_path: Path) -> None:
    assert OnnxModel(model_path).metadata["classes"] == ["English", "Hindi", "Mandarin"]
    card = card_of(model_path)
    assert sorted(model_path.parent.iterdir()) == [model_path, card]


@pytest.fixture
def changed(checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return a checkpoint whose features and detector cannot be streamed."""
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["features"] = {"_target_": "langid.signal.clip_features.MFCCLibrosa"}
    checkpoint["langid"]["detector"] = {"_target_": "langid.signal.speech_detector.LibrosaDetector"}
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


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("output=m.onnx format=torchscript", "format=torchscript: accepted are onnx, pt2, module"),
        ("output=m.onnx mode=batch", "mode=batch: accepted are streaming, offline"),
        ("output=m.onnx precision=int4", "precision=int4: accepted are float32, float16, int8"),
        ("output=m.pt2 format=pt2 precision=int8", "precision=int8: is for format=onnx"),
        ("output=m.pt format=module mode=offline", "mode=offline: is for format=onnx"),
        ("output=m.onnx format=pt2", "expected a name that ends in .pt2, output=m.pt2"),
        ("output=m.onnx format=module", "expected a name that ends in .pt, output=m.pt"),
        ("output=m", "expected a name that ends in .onnx, output=m.onnx"),
        ("output=m.onnx mode=offline", "the network GRU streams frame by frame: leave mode out"),
        ("output=m.onnx window_s=3", "window_s=3: is for mode=offline; leave it out"),
        ("output=m.onnx decide_at=2", "decide_at=2: accepted are posteriors from 0 (off) to 1"),
        ("output=m.onnx languages=[Thai]", "the model has no Thai; it knows English, Hindi"),
        (
            "output=m.onnx languages=Hindi",
            "languages=Hindi: expected a list of the model's",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    checkpoint_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    overrides: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", f"checkpoint={checkpoint_path}", *overrides.split()]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_is_not_overwritten(
    checkpoint_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = shutil.copy(checkpoint_path, tmp_path / "model.pt")
    audio = shutil.copy(real_clips[0], tmp_path / "clip.onnx")
    for overrides, message in (
        ([f"output={checkpoint}", "format=module"], f"the file of checkpoint={checkpoint}"),
        ([f"output={audio}", f"audio=[{real_clips[1]},{audio}]"], f"the file of audio={audio}"),
    ):
        assert main(["export", f"checkpoint={checkpoint}", *overrides]) == 2
        assert message in capsys.readouterr().err
    assert checkpoint.read_bytes() == checkpoint_path.read_bytes()
    assert audio.read_bytes() == real_clips[0].read_bytes()


def test_formats_for_torch_are_written(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, suffix in (("pt2", "pt2"), ("module", "pt")):
        path = tmp_path / f"model.{suffix}"
        assert (
            main(["export", f"checkpoint={checkpoint_path}", f"output={path}", f"format={kind}"])
            == 0
        )
        shown = capsys.readouterr().out
        assert "(accepted 1e-04)" in shown
        assert f"load('{path}')" in shown
    assert "Apache-2.0" in StreamingRecurrentModule.load(path).description["licence"]
    assert {each.name for each in tmp_path.iterdir()} == {"model.pt2", "model.pt", "model_card.md"}


def test_float16_is_compared_on_clips_of_the_validation_part(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "half.onnx"
    arguments = [f"checkpoint={checkpoint_path}", f"output={path}", "precision=float16"]
    decision = ["half_life_s=2", "decide_at=1.0", "unknown_below=0.4", "languages=[Hindi,English]"]
    assert main(["export", *arguments, *decision]) == 0
    shown = capsys.readouterr().out
    assert "accuracy 0.000" not in shown  # it is that of the official score, whatever is decided
    settings = StreamingIdentifier.load(path).settings
    assert vars(settings) == {
        "half_life_s": 2, "decide_at": 1.0, "unknown_below": 0.4, "languages": ["Hindi", "English"]
    }  # fmt: skip
    for line in (
        "clips of the validation part:", "size 0.", "10 ms at a time: real-time factor 0.",
        "the same class for", "largest difference of a clip's score", "accepted 5e-02",
    ):  # fmt: skip
        assert line in shown
    assert OnnxModel(path).metadata["precision"] == "float16"
    assert sorted(tmp_path.iterdir()) == sorted([path, card_of(path)])


def test_int8_is_written_with_its_figures_whatever_they_are(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "small.onnx"
    arguments = [f"checkpoint={checkpoint_path}", f"output={path}", "precision=int8"]
    assert main(["export", *arguments]) == 0
    assert "10 ms at a time: real-time factor 0." in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == sorted([path, card_of(path)])


def test_another_precision_needs_labelled_clips(
    checkpoint_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["store"] = str(tmp_path / "gone.h5")
    moved, output = tmp_path / "moved.ckpt", tmp_path / "new" / "model.onnx"
    torch.save(checkpoint, moved)
    arguments = [f"checkpoint={moved}", f"output={output}", f"audio={real_clips[0]}"]
    assert main(["export", *arguments, "precision=float16"]) == 2
    message = capsys.readouterr().err
    assert "clips of the training's validation part, and they are not to be had" in message
    assert "gone.h5: no such file" in message
    assert list(output.parent.iterdir()) == []


def test_figures_go_into_the_card_and_a_card_that_was_changed_is_kept(
    checkpoint_path: Path, report_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, arguments = tmp_path / "model_card.md", ["export", f"checkpoint={checkpoint_path}"]
    arguments.append(f"output={tmp_path}/model.onnx")
    assert main([*arguments, f"report={report_path}"]) == 0
    assert f"card      {card}\n" in capsys.readouterr().out
    written = card.read_text()
    assert "model-index" in written and "langid predict model=model.onnx" in written
    assert main(arguments) == 0
    assert f"{card} has figures of these weights, and is kept" in capsys.readouterr().out
    assert card.read_text() == written
    card.write_text(written.replace("# license: add yours", "license: cc0-1.0\n#"))
    assert main(arguments) == 0
    assert "is kept; delete it to have it written again" in capsys.readouterr().out
    assert "license: cc0-1.0" in card.read_text() and "model-index" in card.read_text()


def test_a_card_is_of_the_file_and_the_weights_beside_it(tmp_path: Path) -> None:
    gru, lstm = (card_of(tmp_path / name) for name in ("gru.onnx", "lstm.pt"))
    assert (gru.name, lstm.name) == ("gru_card.md", "lstm_card.md")
    measured = "It recognises 80 %.\n\nSHA-256 of the weights: `ab`.\n"
    assert write_card(gru, measured) == ""
    assert "is kept" in write_card(
        gru, measured.replace("It recognises 80 %", "Nothing was measured")
    )
    other = "Nothing was measured.\n\nSHA-256 of the weights: `cd`.\n"
    assert write_card(gru, other) == "" and gru.read_text().startswith(other)
    assert write_card(gru, measured) == "" and gru.read_text().startswith(measured)
    assert write_card(gru, measured + "more") == "" and gru.read_text().startswith(
        measured + "more"
    )


def test_a_report_that_is_none_stops_it_before_anything_is_written(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"checkpoint={checkpoint_path}", f"report={tmp_path}/report.json"]
    assert main(["export", *arguments, f"output={tmp_path}/model.onnx"]) == 2
    assert "report.json: no such file; langid evaluate writes one" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def whole_utterances(checkpoint_path: Path, tmp_path: Path) -> Path:
    """Return a checkpoint of a network that needs whole utterances."""
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    description = checkpoint["langid"]
    description["model"]["network"] = {
        "_target_": "langid.networks.cnn.CNN", "channels": [4, 6], "dense": 8
    }  # fmt: skip
    identifier = build_identifier(RunDescription.from_plain(description))
    weights = {k: v for k, v in checkpoint["state_dict"].items() if k.startswith("normaliser")}
    checkpoint["state_dict"] = identifier.state_dict() | weights
    path = tmp_path / "cnn.ckpt"
    torch.save(checkpoint, path)
    return path


def test_a_network_for_whole_utterances_hears_a_window(
    whole_utterances: Path,
    real_clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "model.onnx"
    arguments = ["export", f"checkpoint={whole_utterances}", f"output={path}"]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "CNN needs the whole utterance" in message
    assert "langid export mode=offline" in message
    assert not path.exists()
    assert main([*arguments, "mode=offline", "window_s=3", "hop_s=1"]) == 0
    window = "window 3 s, hop 1 s, latency 1 s"
    assert window in capsys.readouterr().out
    assert load_model(path).metadata["window_s"] == 3
    samples = read_audio(real_clips[0], 16000)[:36000]  # spoken to the end, amid a hop
    soundfile.write(tmp_path / "clip.wav", samples, 16000)
    for command in ("predict", "stream", "segments"):
        assert main([command, f"model={path}", f"audio={tmp_path}/clip.wav", "json=true"]) == 0
        captured = capsys.readouterr()
        assert (window in captured.err) == (command != "predict")  # which hears all at once
        assert all(line.startswith("{") for line in captured.out.splitlines())
        assert captured.out
    assert json.loads(captured.out.splitlines()[-1])["end_s"] == 2.25  # not that of the last hop
