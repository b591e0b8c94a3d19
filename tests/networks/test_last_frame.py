"""Tests of langid/networks/last_frame.py; what utterance networks have in common: test_cnn.py."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from langid.networks.last_frame import LastFrame

BOTH_WAYS = [("rnn", False), ("gru", False), ("lstm", False), ("gru", True), ("lstm", True)]


@torch.no_grad()
@pytest.mark.parametrize(("cell", "bidirectional"), BOTH_WAYS)
def test_logits_are_those_of_torch_at_the_last_frame(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(1)
    network = LastFrame(
        6, 3, cell, bidirectional, units=5, layers=2, dense=[7], activation="tanh", dropout=0.3
    ).eval()
    stack = getattr(nn, cell.upper())(6, 5, 2, batch_first=True, bidirectional=bidirectional)
    ours = [weight for layer in network.layers for weight in layer.parameters()]
    for theirs, weight in zip(stack.parameters(), ours, strict=True):
        theirs.copy_(weight)
    features = torch.randn(4, 9, 6)
    logits = network(features, torch.full((4,), 9))
    assert logits.shape == (4, 1, 3)
    expected = network.head(stack(features)[0][:, -1:])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(("cell", "bidirectional"), BOTH_WAYS)
def test_each_utterance_ends_at_its_own_length(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(1)
    network = LastFrame(6, 3, cell, bidirectional, units=[5, 4], dense=[]).eval()
    lengths = [9, 4, 1, 7]
    features = torch.randn(4, 12, 6)
    for row, length in enumerate(lengths):
        features[row, length:] = 1e3
    logits = network(features, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = network(features[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone[0], logits[row], rtol=0, atol=1e-5)


def test_dropout_stands_between_the_layers_only() -> None:
    torch.manual_seed(1)
    network = LastFrame(6, 3, units=5, layers=3, dense=[], dropout=0.5)
    calls: list[Tensor] = []
    network.dropout.register_forward_hook(lambda module, inputs, output: calls.append(output))
    features, lengths = torch.randn(2, 8, 6), torch.tensor([8, 5])
    assert not torch.equal(network(features, lengths), network(features, lengths))
    assert len(calls) == 4  # twice behind each layer but the last
    network.eval()
    assert torch.equal(network(features, lengths), network(features, lengths))


PUBLISHED: list[tuple[str, dict[str, Any], int, int]] = [
    # gates * units * (inputs + units + 2) a layer and direction: torch has two biases.
    ("ee599_gru_files", {"layers": 4, "units": 64}, 3, 4 * 3 * 64 * (64 + 64 + 2) + 64 * 3 + 3),
    ("accent_es_basic", {"units": 313}, 15, 3 * 313 * (64 + 313 + 2) + 313 * 15 + 15),
    (
        "accent_es_basic, LSTM",
        {"units": 313, "cell": "lstm"},
        15,
        4 * 313 * (64 + 313 + 2) + 313 * 15 + 15,
    ),
    (
        "accent_es_basic, both ways",
        {"units": 313, "bidirectional": True},
        15,
        2 * 3 * 313 * (64 + 313 + 2) + 626 * 15 + 15,
    ),
    (
        "accent_es_advanced",
        {"units": 313, "layers": 2, "dropout": 0.4},
        15,
        3 * 313 * (64 + 313 + 2) + 3 * 313 * (313 + 313 + 2) + 313 * 15 + 15,
    ),
]


@pytest.mark.parametrize(
    ("keys", "classes", "expected"),
    [row[1:] for row in PUBLISHED],
    ids=[row[0] for row in PUBLISHED],
)
def test_published_networks_have_the_parameters_of_their_layers(
    keys: dict[str, Any], classes: int, expected: int
) -> None:
    network = LastFrame(bins=64, num_classes=classes, dense=[], **keys)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"cell": "foo"}, "cell=foo: accepted are rnn, gru, lstm"),
    ({"cell": ["gru"]}, r"cell=\['gru'\]: accepted are rnn, gru, lstm"),
    ({"units": 0}, "units=0: accepted are 1 and more"),
    ({"layers": 0}, "layers=0: accepted are 1 and more"),
    ({"dense": -1}, "dense=-1: accepted are 1 and more"),
    ({"activation": "foo"}, "activation=foo: accepted are relu, tanh"),
]


@pytest.mark.parametrize(("keys", "message"), WRONG)
def test_what_makes_no_network_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LastFrame(bins=4, num_classes=2, **keys)
