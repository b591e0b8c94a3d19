"""Tests of langid/networks/recurrent.py, and of the normaliser of network.py.

What holds for every network of frames: test_parity.py.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from langid.networks.network import Normaliser, StreamingNetwork
from langid.networks.recurrent import GRU, LSTM, RNN, BiGRU, BiLSTM, Recurrent, process_both_ways


def parameters(network: Recurrent) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("network", "gates"), [(RNN, 1), (GRU, 3), (LSTM, 4)])
def test_parameters_are_those_of_the_layers(network: type[Recurrent], gates: int) -> None:
    layer = gates * 200 * (64 + 200 + 2)  # two biases
    assert parameters(network(bins=64, num_classes=3)) == layer + 200 * 100 + 100 + 303


def test_the_default_network_has_the_parameters_of_the_published_baseline() -> None:
    gru = GRU(bins=64, num_classes=3)
    assert parameters(gru) == 180_003
    assert {name.partition(".")[0] for name in gru.state_dict()} == {"layers", "head"}
    assert "layers.0.weight_ih_l0" in gru.state_dict()


PUBLISHED: list[tuple[type[Recurrent], dict[str, Any], int]] = [
    # Per layer gates * units * (inputs + units + 2): torch has two biases where Keras' LSTM has one
    # (50,407 in all); Keras' GRU has two as well.
    (
        LSTM,
        {"units": [64, 32], "dense": [100, 16], "head_dropout": 0.5},
        4 * 64 * (64 + 64 + 2) + 4 * 32 * (64 + 32 + 2) + 3300 + 1616 + 51,
    ),
    (
        GRU,
        {"units": [64, 32], "dense": 100, "activation": "tanh"},
        3 * 64 * (64 + 64 + 2) + 3 * 32 * (64 + 32 + 2) + 3300 + 303,
    ),
]


@pytest.mark.parametrize(("network", "keys", "expected"), PUBLISHED)
def test_published_networks_have_the_parameters_of_their_layers(
    network: type[Recurrent], keys: dict[str, Any], expected: int
) -> None:
    assert parameters(network(bins=64, num_classes=3, **keys)) == expected


@pytest.mark.parametrize("network", [RNN, GRU, LSTM, BiGRU, BiLSTM])
def test_layers_have_the_widths_of_a_list(network: type[Recurrent]) -> None:
    stack = network(bins=6, num_classes=3, units=[12, 8], dense=5)
    assert [layer.hidden_size for layer in stack.layers] == [12, 8]
    assert stack(torch.randn(2, 4, 6), torch.tensor([4, 3])).shape == (2, 4, 3)
    same = network(bins=6, num_classes=3, units=[9, 9], layers=2, dense=5)
    assert parameters(same) == parameters(network(6, 3, units=9, layers=2, dense=5))


def test_an_lstm_remembers_output_and_cell_of_each_layer() -> None:
    torch.manual_seed(1)
    lstm = LSTM(bins=6, num_classes=3, units=[12, 8]).eval()
    features = torch.randn(2, 9, 6)
    state = lstm.step(features, lstm.initial_state(2))[1]
    frames: Tensor = features
    for number, layer in enumerate(lstm.layers):
        frames, memory = layer(frames)
        for tensor, expected in zip(state[2 * number :], memory, strict=False):
            torch.testing.assert_close(tensor, expected[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("network", [BiGRU, BiLSTM])
def test_both_directions_are_heard(network: type[Recurrent]) -> None:
    torch.manual_seed(1)
    both = network(bins=6, num_classes=3, units=10, layers=2, dense=5).eval()
    assert not isinstance(both, StreamingNetwork)
    features = torch.randn(1, 12, 6, requires_grad=True)
    logits = both(features, torch.tensor([10]))
    (gradient,) = torch.autograd.grad(logits[:, 5].sum(), features)
    assert torch.count_nonzero(gradient[:, :10].abs().sum(-1)) == 10
    assert torch.count_nonzero(gradient[:, 10:]) == 0


@pytest.mark.parametrize("network", [GRU, LSTM, BiGRU])
def test_dropout_stands_between_layers_in_training_only(network: type[Recurrent]) -> None:
    torch.manual_seed(1)
    dropped = network(bins=6, num_classes=3, units=10, layers=2, dense=5, dropout=0.5)
    calls: list[Tensor] = []
    dropped.dropout.register_forward_hook(lambda module, inputs, output: calls.append(output))
    features, lengths = torch.randn(2, 8, 6), torch.tensor([8, 8])
    assert not torch.equal(dropped(features, lengths), dropped(features, lengths))
    assert len(calls) == 4  # twice between the layers, twice before the dense one
    dropped.eval()
    assert torch.equal(dropped(features, lengths), dropped(features, lengths))


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 3, 30])
@pytest.mark.parametrize("network", [GRU, LSTM])
def test_layers_begin_anew_after_a_pause(network: type[Recurrent], size: int) -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"units": [7, 5], "cmvn_frames": 20, "convolutions": [4]}
    paused = network(6, 3, **sizes, pooling_frames=10, pause_frames=5)
    endless = network(6, 3, **sizes, pooling_frames=10)
    endless.load_state_dict(paused.state_dict())
    assert isinstance(paused, StreamingNetwork) and isinstance(endless, StreamingNetwork)
    features, advance = torch.randn(2, 30, 6), torch.ones(2, 30).bool()
    advance[0, 4:8] = advance[0, 12:17] = False  # four frames, five, of which one stream has none
    state, found = paused.initial_state(2), []
    for frames, heard in zip(features.split(size, 1), advance.split(size, 1), strict=True):
        logits, state = paused.step(frames, state, heard)
        found.append(logits)
    assert state[-1].tolist() == [[0], [0]]
    before, memory = endless.step(features[:, :17], endless.initial_state(2), advance[:, :17])
    layers = slice(2, 2 + 2 * paused.remembered)  # between those of features and answer
    for tensor in memory[layers]:
        tensor[0] = 0
    behind, memory = endless.step(features[:, 17:], memory, advance[:, 17:])
    expected = torch.cat([before, behind], dim=1)
    torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=0, atol=1e-6)
    for one, other in zip(state[:-1], memory, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    unbroken = endless.step(features, endless.initial_state(2), advance)[0]
    assert (unbroken - expected)[0, 17:].abs().max() > 1e-3
    whole = paused.step(features, paused.initial_state(2))[0]  # of which nothing is skipped
    torch.testing.assert_close(whole, endless.step(features, endless.initial_state(2))[0])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"units": 0}, "units=0: accepted are 1 and more, or a list"),
    ({"units": []}, r"units=\[\]: accepted"),
    ({"units": [8, 0]}, r"units=\[8, 0\]: accepted"),
    ({"units": "wide"}, "units=wide: accepted"),
    ({"units": 2.5}, r"units=2\.5: accepted"),
    ({"units": [8, 4], "layers": 3}, r"layers=3, but units=\[8, 4\] are 2 layers"),
    ({"layers": 0}, "layers=0: accepted are 1 and more"),
    ({"dense": -1}, "dense=-1: accepted are 1 and more, a list of such, one a layer, or 0"),
    ({"cmvn_frames": 0.5}, r"cmvn_frames=0\.5: accepted are 0 and more, in whole numbers"),
    ({"pooling_frames": True}, "pooling_frames=True: accepted are 0 and more, in whole numbers"),
    ({"pause_frames": 5}, "pause_frames=5: accepted is 0 without pooling_frames"),
    ({"activation": "gelu"}, "activation=gelu: accepted are relu, tanh"),
]


@pytest.mark.parametrize("network", [GRU, BiLSTM])
@pytest.mark.parametrize(("keys", "message"), WRONG)
def test_sizes_that_make_no_network_are_refused(
    network: type[Recurrent], keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        network(bins=4, num_classes=2, **keys)


def test_normaliser_gives_mean_zero_and_deviation_one() -> None:
    features = torch.randn(50, 40, 3) * torch.tensor([1.0, 5.0, 0.1]) + torch.tensor([0.0, 9.0, -3])
    normaliser = Normaliser(3)
    assert torch.equal(normaliser(features), features)
    normaliser.fit(features.mean((0, 1)), features.std((0, 1), correction=0))
    scaled = normaliser(features)
    torch.testing.assert_close(scaled.mean((0, 1)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert set(normaliser.state_dict()) == {"shift", "scale"}  # they travel in the checkpoint


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_the_way_back_is_that_of_packed_sequences(cell: type[nn.RNNBase]) -> None:
    layer = cell(6, 5, batch_first=True, bidirectional=True)  # type: ignore[arg-type]
    features, lengths = torch.randn(3, 9, 6), torch.tensor([9, 4, 1])
    packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
    wanted = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=9)[0]
    outputs = process_both_ways(layer, features, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(outputs[row, :length], wanted[row, :length])
