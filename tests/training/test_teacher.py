"""Tests of langid/training/teacher.py: what an identifier says of a clip at each frame."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.errors import LangidError
from langid.networks.probes import LinearProbe
from langid.training.checkpoint import read_checkpoint
from langid.training.teacher import Teacher, TeacherFile

CPU = torch.device("cpu")


def taught_by(path: Path, states: bool = False, **settings: Any) -> Teacher:
    chosen = {"checkpoint": str(path), "unit": "frame", "window_s": 1.0, "sha256": "s"} | settings
    return Teacher(TeacherFile(chosen, read_checkpoint(path)["langid"]), states, CPU)


@pytest.fixture(scope="module")
def clip(real_clips: list[Path]) -> Tensor:
    return torch.from_numpy(read_audio(real_clips[0], 16000))[: 16000 * 3 + 100]


@pytest.fixture
def changed(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a checkpoint with another description."""

    def change(path: Path, **changes: Any) -> Path:
        held = read_checkpoint(path)
        held["langid"] = replace(held["langid"], **changes).to_plain()
        torch.save(held, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return change


@pytest.mark.parametrize("silence", ["mask", "remove"])
def test_a_frame_network_says_what_it_says_anyway(
    silence: str, checkpoint_path: Path, clip: Tensor, changed: Callable[..., Path]
) -> None:
    teacher = taught_by(changed(checkpoint_path, silence=silence))
    expected, speech = teacher.identifier.posteriors(clip[None])
    said = teacher.outputs(clip)
    assert said.shape == (301, 3) and teacher.frames_per_second == 100
    heard = slice(int(speech[0].int().argmax()), None)  # before that `remove` has heard nothing
    torch.testing.assert_close(said[heard].exp(), expected[0, heard], atol=1e-5, rtol=0)


def test_a_calibrated_teacher_is_as_sure_as_it_was_made(
    checkpoint_path: Path, clip: Tensor, tmp_path: Path, store_path: Path
) -> None:
    path = tmp_path / "calibrated.ckpt"
    parts = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={path}"]
    assert main(["calibrate", *parts]) == 0
    teacher = taught_by(path)
    assert teacher.identifier.calibration is not None
    expected, _ = teacher.identifier.posteriors(clip[None])
    torch.testing.assert_close(teacher.outputs(clip).exp(), expected[0], atol=1e-5, rtol=0)
    plain = taught_by(checkpoint_path).outputs(clip)
    assert not torch.allclose(plain, teacher.outputs(clip), atol=1e-3)


def test_an_utterance_network_speaks_of_what_was_just_heard(probe_path: Path, clip: Tensor) -> None:
    """A probe on 50 states a second, in windows of a second, every half."""
    teacher = taught_by(probe_path)
    assert isinstance(teacher.identifier.network, LinearProbe) and teacher.frames_per_second == 50
    said = teacher.outputs(clip)
    assert said.shape == (151, 3)
    states = teacher.identifier.front_end(clip[None])[0]
    for first, last, window in ((0, 73, (0, 50)), (74, 98, (25, 75)), (99, 123, (50, 100)),
                                (150, 150, (101, 151))):  # fmt: skip
        part = states[:, slice(*window)]
        logits = teacher.identifier(part, torch.tensor([part.shape[1]]))[0, 0]
        for frame in (first, last):
            torch.testing.assert_close(said[frame], logits.log_softmax(0), atol=1e-4, rtol=0)


def test_of_an_utterance_it_says_one_thing_throughout(
    probe_path: Path, checkpoint_path: Path, clip: Tensor
) -> None:
    for path in (probe_path, checkpoint_path):
        teacher = taught_by(path, unit="utterance")
        said = teacher.outputs(clip).exp()
        posteriors, speech = teacher.identifier.posteriors(clip[None])
        torch.testing.assert_close(said[0], posteriors[speech].mean(0), atol=1e-4, rtol=0)
        assert torch.equal(said, said[:1].expand_as(said))


def test_states_are_those_that_its_head_gets(
    probe_path: Path, checkpoint_path: Path, clip: Tensor
) -> None:
    probe, network = taught_by(probe_path, True), taught_by(checkpoint_path, True)
    of_probe, of_network = probe.outputs(clip), network.outputs(clip)
    assert of_probe.shape == (151, 3 + 512) and of_network.shape == (301, 3 + 12)
    normalised = probe.identifier.normaliser(probe.identifier.front_end(clip[None])[0])[0]
    torch.testing.assert_close(of_probe[:, 3:], normalised)
    logits = network.identifier.network.head.output(of_network[:, 3:])  # type: ignore[union-attr]
    torch.testing.assert_close(logits.log_softmax(-1), of_network[:, :3])


def test_long_clips_are_heard_in_pieces(checkpoint_path: Path, clip: Tensor) -> None:
    teacher = taught_by(checkpoint_path)
    long = clip.repeat(11)
    expected, _ = teacher.identifier.posteriors(long[None])
    torch.testing.assert_close(teacher.outputs(long).exp(), expected[0], atol=1e-5, rtol=0)


def test_a_teacher_without_states_per_frame_is_refused(
    checkpoint_path: Path, changed: Callable[..., Path], store_path: Path
) -> None:
    model = {"_target_": "langid.training.identifier.LanguageIdentifier",
             "network": {"_target_": "langid.networks.probes.LinearProbe"}}  # fmt: skip
    path = changed(checkpoint_path, model=model)
    held = torch.load(path, weights_only=True)
    kept = {name: of for name, of in held["state_dict"].items() if "normaliser" in name}
    network = LinearProbe(64, 3).state_dict()
    held["state_dict"] = kept | {f"network.{name}": of for name, of in network.items()}
    torch.save(held, path)
    assert taught_by(path).outputs(torch.randn(16000)).shape == (100, 3)
    with pytest.raises(LangidError, match=r"LinearProbe has no hidden states per frame; take loss"):
        taught_by(path, True)


def test_features_that_cut_clips_cannot_speak_per_frame(
    checkpoint_path: Path, changed: Callable[..., Path], clip: Tensor
) -> None:
    features = {"_target_": "langid.signal.clip_features.MFCCLibrosa", "clip_s": 1.0}
    path = changed(checkpoint_path, features=features)
    with pytest.raises(LangidError, match=r"cut clips \(301 frames to 100\).*teacher.unit=utter"):
        taught_by(path).outputs(clip)
    assert taught_by(path, unit="utterance").outputs(clip).shape == (301, 3)
