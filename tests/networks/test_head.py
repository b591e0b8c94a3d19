"""Tests of langid/networks/head.py, and of what heads do to a streamed network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from langid.audio.decode import read_audio
from langid.export.onnx import export_onnx
from langid.networks.head import Head
from langid.training.checkpoint import build_identifier

from ..conftest import described


@pytest.mark.parametrize(
    ("dense", "expected"),
    [
        (100, 200 * 100 + 100 + 100 * 3 + 3),
        ([100], 200 * 100 + 100 + 100 * 3 + 3),
        ([100, 16], 200 * 100 + 100 + 100 * 16 + 16 + 16 * 3 + 3),
        ([], 200 * 3 + 3),
        (0, 200 * 3 + 3),
    ],
)
def test_dense_layers_are_those_asked_for(dense: int | list[int], expected: int) -> None:
    head = Head(200, 3, dense)
    assert sum(parameter.numel() for parameter in head.parameters()) == expected
    assert head(torch.randn(2, 5, 200)).shape == (2, 5, 3)


@pytest.mark.parametrize(("activation", "function"), [("relu", torch.relu), ("tanh", torch.tanh)])
def test_each_dense_layer_has_its_activation(activation: str, function: Any) -> None:
    torch.manual_seed(1)
    head, hidden = Head(6, 3, [5, 4], activation), torch.randn(2, 7, 6)
    first, second = head.dense
    expected = head.output(function(second(function(first(hidden)))))
    torch.testing.assert_close(head(hidden), expected, rtol=0, atol=1e-6)
    straight = Head(6, 3, [], activation)
    torch.testing.assert_close(straight(hidden), straight.output(hidden), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dense", [[], [5]])
def test_dropout_stands_right_before_the_output_in_training_only(dense: list[int]) -> None:
    head = Head(6, 3, dense, dropout=1.0)
    bias = head.output.bias.expand(2, 4, 3)
    assert torch.equal(head(torch.randn(2, 4, 6)), bias)  # all else was dropped
    assert not torch.equal(head.eval()(torch.randn(2, 4, 6)), bias)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"dense": -1}, "dense=-1: accepted are 1 and more, a list of such, one a layer, or 0 for"),
    ({"dense": [8, 0]}, r"dense=\[8, 0\]: accepted"),
    ({"dense": 2.5}, r"dense=2\.5: accepted"),
    ({"dense": "wide"}, "dense=wide: accepted"),
    ({"dense": None}, "dense=None: accepted"),
    ({"activation": "foo"}, "activation=foo: accepted are relu, tanh"),
    ({"activation": ["relu"]}, r"activation=\['relu'\]: accepted are relu, tanh"),
]


@pytest.mark.parametrize(("keys", "message"), WRONG)
def test_what_makes_no_head_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Head(6, 3, **keys)


def test_a_head_of_several_layers_is_exported_and_equals_pytorch(
    real_clips: list[Path], tmp_path: Path
) -> None:
    head = {"dense": [100, 16], "activation": "tanh", "head_dropout": 0.5}
    clip = read_audio(real_clips[0], 16000)[16000:33603]
    torch.manual_seed(0)
    identifier = build_identifier(
        described(
            features={"_target_": "langid.signal.features.LogMel", "n_mels": 24},
            detector={"_target_": "langid.signal.speech_detector.EnergyDetector"},
            classes=["English", "Hindi", "Mandarin"],
            silence="remove",
            model={
                "_target_": "langid.training.identifier.LanguageIdentifier",
                "network": {"_target_": "langid.networks.recurrent.GRU", "units": 12, **head},
            },
        )
    ).eval()
    output = identifier.network.output
    assert isinstance(output, nn.Linear)
    nn.init.normal_(output.weight)  # confident, or there is little to compare
    differences = export_onnx(identifier, tmp_path / "model.onnx", [clip])
    assert max(differences.values()) <= 1e-4
