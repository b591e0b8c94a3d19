"""Tests of langid/commands/calibrate.py: what goes by a calibrated checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import langid as package
from langid.commands.main import main
from langid.errors import LangidError
from langid.evaluation.predictions import predict_part
from langid.evaluation.report import make_report
from langid.export.parity import feed_clip
from langid.export.torch_module import StreamingRecurrentModule
from langid.streaming.streamer import StreamingIdentifier
from langid.training.checkpoint import load_identifier, read_checkpoint
from langid.training.logit_scaling import KEY


@pytest.fixture(scope="module")
def calibrated(
    checkpoint_path: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("calibrated") / "calibrated.ckpt"
    arguments = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={path}"]
    assert main(["calibrate", *arguments, "bias=true"]) == 0
    return path


def test_posteriors_are_those_of_scaled_logits(
    calibrated: Path, checkpoint_path: Path, clips: list[np.ndarray]
) -> None:
    scaling = load_identifier(calibrated).calibration
    assert scaling is not None and scaling.temperature != 1 and len(scaling.bias) == 3
    clip = torch.from_numpy(clips[0])[None]
    before, after = (package.load(of).posteriors(clip)[0] for of in (checkpoint_path, calibrated))
    expected = scaling(before.log()).softmax(-1)
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-5)
    assert (after - before).abs().max() > 1e-3


def test_validation_is_likelier_and_the_rest_of_the_checkpoint_is_the_same(
    calibrated: Path, checkpoint_path: Path, store_path: Path
) -> None:
    losses = []
    for path in (checkpoint_path, calibrated):
        found = predict_part([path], store_path, "validation")
        losses.append(-np.log(found.posteriors[range(len(found.targets)), found.targets]).mean())
    assert losses[1] < losses[0]
    fitted = load_identifier(calibrated).calibration
    assert fitted and make_report(found, "validation")["calibrations"] == [fitted.to_plain()]
    old, new = read_checkpoint(checkpoint_path), read_checkpoint(calibrated)
    assert new["langid"] == old["langid"] and new.keys() - old.keys() == {KEY}
    for name, weight in old["state_dict"].items():
        assert torch.equal(new["state_dict"][name], weight)


def test_exported_files_say_the_same_and_what_they_were_calibrated_by(
    calibrated: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = load_identifier(calibrated)
    expected = identifier.posteriors(torch.from_numpy(clips[1])[None])[0][0].numpy()
    for name, form in (("m.onnx", "onnx"), ("m.pt", "module")):
        keys = [f"checkpoint={calibrated}", f"output={tmp_path / name}", f"format={form}"]
        assert main(["export", *keys]) == 0
    stream = StreamingIdentifier.load(tmp_path / "m.onnx")
    np.testing.assert_allclose(feed_clip(stream, clips[1], 1600), expected, rtol=0, atol=1e-4)
    assert identifier.calibration is not None
    plain = json.loads(json.dumps(identifier.calibration.to_plain()))
    assert stream.model.metadata["calibration"] == plain
    assert stream.model.metadata["temperature"] == plain["temperature"]
    module = StreamingRecurrentModule.load(tmp_path / "m.pt")
    first = module.step(torch.from_numpy(clips[1][None, : module.hop_samples]))
    np.testing.assert_allclose(first[0].numpy(), expected[0], rtol=0, atol=1e-4)


def test_what_is_printed(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}/c.ckpt"]
    assert main(["calibrate", *keys]) == 0
    printed = capsys.readouterr().out
    assert "fitted on other speakers" in printed and "temperature" in printed
    assert "ece" in printed and "bias" not in printed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bias=maybe", "bias=maybe: expected true or false"),
        ("output={checkpoint}", "which would be lost"),
        ("output=c.onnx", "expected a name that ends in .ckpt"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    override: str,
    message: str,
    checkpoint_path: Path,
    store_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = [f"checkpoint={checkpoint_path}", f"store={store_path}", "output=c.ckpt"]
    assert main(["calibrate", *keys, override.format(checkpoint=checkpoint_path)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_calibration_that_was_changed_by_hand_is_refused(
    calibrated: Path, tmp_path: Path
) -> None:
    content = torch.load(calibrated, weights_only=True)
    torch.save(content | {KEY: {"temperature": -1.0, "bias": []}}, tmp_path / "odd.ckpt")
    with pytest.raises(LangidError, match=r"odd\.ckpt: its calibration is"):
        package.load(tmp_path / "odd.ckpt")


def test_members_of_an_ensemble_go_each_by_their_own_calibration(
    calibrated: Path, checkpoint_path: Path, store_path: Path
) -> None:
    alone = [predict_part([path], store_path, "test") for path in (checkpoint_path, calibrated)]
    for members in ([checkpoint_path, calibrated], [calibrated, checkpoint_path]):
        both = predict_part(members, store_path, "test", ensemble=True)
        expected = (alone[0].posteriors + alone[1].posteriors) / 2
        np.testing.assert_allclose(both.posteriors, expected, atol=1e-5)
