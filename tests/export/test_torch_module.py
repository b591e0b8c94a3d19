"""The module with memory: a frame at a time, in PyTorch alone."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.errors import LangidError
from langid.export.torch_module import StreamingRecurrentModule, export_module
from langid.streaming.samples import whole_hops

from .test_export_networks import ENERGY, LEARNED, untrained, with_silence


def frames_of(samples: np.ndarray) -> torch.Tensor:
    """Return ``(frames, 1, hop)`` of a clip."""
    return torch.from_numpy(whole_hops(samples, 160)).reshape(-1, 1, 160)


@pytest.fixture(scope="module")
def path(clips: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a GRU that skips silence."""
    identifier = untrained("recurrent.GRU", "remove", clips[0])
    path = tmp_path_factory.mktemp("module") / "model.pt"
    export_module(identifier, path, [with_silence(clips[0])])
    return path


CASES = [
    *itertools.product(
        ["recurrent.RNN", "recurrent.GRU", "recurrent.LSTM"], ["mask", "remove", "label"], [ENERGY]
    ),
    ("recurrent.GRU", "remove", LEARNED),
]


@pytest.mark.parametrize(("network", "silence", "detector"), CASES)
def test_frames_one_by_one_equal_offline(
    network: str, silence: str, detector: dict[str, str], clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = untrained(network, silence, clips[0], detector=detector)
    path = tmp_path / "model.pt"
    differences = export_module(identifier, path, [with_silence(clips[0])])
    assert max(differences.values()) <= 1e-4
    assert list(tmp_path.iterdir()) == [path]
    module, heard = StreamingRecurrentModule.load(path), with_silence(clips[5])
    expected, speech = (
        tensor[0].numpy() for tensor in identifier.posteriors(torch.from_numpy(heard)[None])
    )
    assert 0 < speech.sum() < len(speech)
    assert np.ptp(expected, axis=0).max() > 0.1
    for _ in range(2):
        for row, spoken, frame in zip(expected, speech, frames_of(heard), strict=True):
            posteriors = module(frame)
            assert posteriors.shape == (1, 3)
            np.testing.assert_allclose(posteriors[0], row, rtol=0, atol=1e-4)
            assert module.speech.tolist() == [spoken]
        module.reset_states()


def test_floats_of_other_sizes_are_heard(path: Path, clips: list[np.ndarray]) -> None:
    frame = frames_of(clips[0])[100]
    expected = StreamingRecurrentModule.load(path).step(frame)
    torch.testing.assert_close(StreamingRecurrentModule.load(path).step(frame.double()), expected)


def test_streams_of_a_batch_do_not_mix(path: Path, clips: list[np.ndarray]) -> None:
    module = StreamingRecurrentModule.load(path)
    batch = torch.cat([frames_of(clip[16000:24000]) for clip in clips[:3]], dim=1)
    together = torch.stack([module.step(frame) for frame in batch])
    for number in range(3):
        module.reset_states()
        alone = torch.stack([module.step(frame[number : number + 1]) for frame in batch])
        np.testing.assert_allclose(together[:, number], alone[:, 0], rtol=0, atol=1e-5)


def test_it_needs_no_lightning(path: Path) -> None:
    code = (
        "import sys, torch; from langid.export.torch_module import StreamingRecurrentModule;"
        f"module = StreamingRecurrentModule.load({str(path)!r});"
        "print(module.step(torch.zeros(2, module.hop_samples)).sum(-1).round().tolist(),"
        "sorted({'pytorch_lightning', 'onnxruntime', 'hydra', 'pandas'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[1.0, 1.0] []", result.stderr


def test_what_is_remembered_is_not_in_the_weights(path: Path) -> None:
    module = StreamingRecurrentModule.load(path)
    names = set(module.state_dict())
    module.step(torch.zeros(1, 160))
    assert set(module.state_dict()) == names
    assert not any("state" in name for name in names)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (torch.zeros(160), r"frame of shape \(160,\): expected \(batch, 160\), one hop at 16000"),
        (torch.zeros(1, 320), r"shape \(1, 320\): expected \(batch, 160\)"),
        (torch.zeros(0, 160), r"shape \(0, 160\): expected \(batch, 160\)"),
        (torch.zeros(2, 160), "frame of 2 streams after frames of 1: .*reset_states"),
        (torch.full((1, 160), float("nan")), "reaches nan: expected finite floats of full"),
        (torch.full((1, 160), 1e20), r"reaches 1e\+20: expected finite floats of full scale 1"),
        (
            torch.zeros(1, 160, dtype=torch.int16),
            "frame of torch.int16: expected a tensor of",
        ),
        (np.zeros((1, 160), np.float32), "frame of ndarray: expected a tensor of floats"),
    ],
)
def test_a_wrong_frame_is_refused_and_changes_nothing(
    path: Path, clips: list[np.ndarray], frame: torch.Tensor, message: str
) -> None:
    module, other = StreamingRecurrentModule.load(path), StreamingRecurrentModule.load(path)
    first, second = frames_of(clips[0][20000:20320])
    module.step(first)
    other.step(first)
    with pytest.raises(LangidError, match=message):
        module.step(frame)
    np.testing.assert_array_equal(module.step(second), other.step(second))


@pytest.mark.parametrize("network", ["tcn.TCN", "conformer.Conformer"])
def test_networks_that_are_not_recurrent_are_refused(
    network: str, clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = untrained(network, "mask", clips[0])
    with pytest.raises(LangidError, match=r"is for the recurrent .* not for .*: use format=onnx"):
        export_module(identifier, tmp_path / "model.pt", clips[:1])
    assert list(tmp_path.iterdir()) == []


def test_a_network_for_whole_utterances_is_refused(clips: list[np.ndarray], tmp_path: Path) -> None:
    identifier = untrained("recurrent.BiGRU", "mask", clips[0])
    with pytest.raises(LangidError, match=r"BiGRU needs the whole utterance: .*mode=offline"):
        export_module(identifier, tmp_path / "model.pt", clips[:1])


def test_parts_that_look_ahead_are_refused(path: Path) -> None:
    description = StreamingRecurrentModule.load(path).description
    detector = {"_target_": "langid.signal.speech_detector.LibrosaDetector"}
    with pytest.raises(LangidError, match="LibrosaDetector are relative to the whole clip"):
        StreamingRecurrentModule(description | {"detector": detector})


class Evil:
    """What unpickles to a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("unpickled"),))


def test_a_file_with_code_is_refused(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = torch.load(path, weights_only=True)
    torch.save(content | {"more": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(LangidError, match=r"evil\.pt: damaged, or it holds more than plain data"):
        StreamingRecurrentModule.load(tmp_path / "evil.pt")
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("change", ["weight", "classes", "network", "missing", "schema"])
def test_a_changed_file_is_refused(path: Path, tmp_path: Path, change: str) -> None:
    content = torch.load(path, weights_only=True)
    description, message = content["description"], "changed or damaged after its export"
    if change == "weight":
        content["state_dict"]["network.head.output.bias"][0] += 1e-3
    elif change == "classes":
        description["classes"] = description["classes"][::-1]
    elif change == "network":
        description["network"]["units"] = 9
    elif change == "missing":
        del description["network"]
    else:
        content["schema"] = "langid-module-0"
        message = r"schema langid-module-0, accepted is langid-module-3"
    torch.save(content, tmp_path / "changed.pt")
    with pytest.raises(LangidError, match=rf"changed\.pt: .*{message}"):
        StreamingRecurrentModule.load(tmp_path / "changed.pt")


def test_a_damaged_or_absent_file_is_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2], whole[:-100]):
        (tmp_path / "damaged.pt").write_bytes(content)
        with pytest.raises(LangidError, match=r"damaged\.pt: damaged, or it holds more"):
            StreamingRecurrentModule.load(tmp_path / "damaged.pt")
    with pytest.raises(LangidError, match=r"absent\.pt: no such file; langid export format=module"):
        StreamingRecurrentModule.load(tmp_path / "absent.pt")
