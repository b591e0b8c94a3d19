"""Tests of langid/networks/cnn.py, and of what all utterance networks have in common."""

from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from langid.build import build
from langid.commands.configuration import tree
from langid.networks.cnn import CNN, CRNN, ConvBlocks
from langid.networks.ecapa_tdnn import ECAPATDNN
from langid.networks.last_frame import LastFrame
from langid.networks.network import UtteranceNetwork
from langid.networks.probes import AttentiveProbe, LinearProbe
from langid.networks.published import DeepLanguageCNN, DeepLanguageMFCC, VoiceAgeCNN, VoiceAgeTCN

TINY: dict[str, tuple[type[UtteranceNetwork], dict[str, Any]]] = {
    "cnn": (CNN, {"channels": [4, 6, 8], "dense": 5}),
    "crnn": (CRNN, {"channels": [4, 6], "units": 5}),
    "crnn, bins pooled": (CRNN, {"channels": [4, 6], "units": 5, "pool_time": False}),
    "ecapa_tdnn": (ECAPATDNN, {"channels": 32, "aggregated": 12, "embedding": 6, "bottleneck": 4}),
    "ecapa_tdnn_cmvn": (
        ECAPATDNN,
        {"channels": 32, "aggregated": 12, "embedding": 6, "bottleneck": 4, "cmvn": True},
    ),
    "linear_probe": (LinearProbe, {}),
    "attentive_probe": (AttentiveProbe, {"bottleneck": 4, "hidden": 5}),
    "last_frame": (LastFrame, {"units": [6, 5], "dense": [], "dropout": 0.1}),
    "deeplanguage_cnn": (DeepLanguageCNN, {"frames": 40, "channels": [3, 4], "dense": 5}),
    "deeplanguage_mfcc": (DeepLanguageMFCC, {"frames": 40, "channels": [3, 4, 5], "dense": 6}),
    "voice_age_cnn": (VoiceAgeCNN, {"frames": 40}),
    "voice_age_tcn": (VoiceAgeTCN, {"channels": [3, 4, 5, 6], "units": 5}),
}
LENGTHS = [37, 1, 2, 16, 17, 31, 5]


def tiny(name: str, bins: int = 13) -> UtteranceNetwork:
    torch.manual_seed(3)
    cls, sizes = TINY[name]
    network = cls(bins=bins, num_classes=3, **sizes)
    network(torch.randn(8, 40, bins) + 1, torch.full((8,), 40))  # moves the running statistics
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):  # as training would
            nn.init.normal_(module.bias)
    return network


# All utterance networks


@pytest.mark.parametrize("name", TINY)
def test_padding_changes_nothing(name: str) -> None:
    network, lengths = tiny(name).eval(), torch.tensor(LENGTHS)
    features = torch.randn(len(LENGTHS), 45, 13)
    noise = features.clone()
    for row, length in enumerate(LENGTHS):
        noise[row, length:] = 1e3
    logits = network(features, lengths)
    assert logits.shape == (len(LENGTHS), 1, 3)
    torch.testing.assert_close(network(noise, lengths), logits, rtol=0, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = network(features[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_padding_changes_nothing_in_training(name: str) -> None:
    """Outputs, gradients and running statistics are those of the batch with half as much again."""
    networks = tiny(name).train(), tiny(name).train()
    lengths, features = torch.tensor(LENGTHS), torch.randn(len(LENGTHS), 37, 13)
    longer = torch.full((len(LENGTHS), 56, 13), 1e3)
    for row, length in enumerate(LENGTHS):
        longer[row, :length] = features[row, :length]
    logits = []
    for network, padded in zip(networks, (features, longer), strict=True):
        for module in network.modules():
            if isinstance(module, nn.Dropout):  # its masks depend on the shape
                module.p = 0.0
        network.zero_grad()
        logits.append(network(padded, lengths))
        nn.functional.cross_entropy(logits[-1][:, 0], lengths % 3).backward()
    torch.testing.assert_close(*logits, rtol=1e-4, atol=1e-5)
    one, other = networks
    for (key, value), same in zip(one.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(value, same, rtol=1e-5, atol=1e-6, msg=key)
    for (key, value), same in zip(one.named_parameters(), other.parameters(), strict=True):
        assert value.grad is not None and same.grad is not None
        torch.testing.assert_close(value.grad, same.grad, rtol=1e-3, atol=1e-5, msg=key)


# The last samples that fill no step of the TCN's LSTM are not heard.
@pytest.mark.parametrize("name", [name for name in TINY if name != "voice_age_tcn"])
def test_every_frame_is_heard(name: str) -> None:
    network = tiny(name).eval()
    features = torch.randn(1, 33, 13, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(features, torch.tensor([33])).sum(), features)
    assert (gradient.abs().sum(2) > 0).all()


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("training", [True, False])
def test_one_frame_or_none_gives_finite_logits_and_gradients(name: str, training: bool) -> None:
    network = tiny(name).train(training)
    for frames in (1, 0):
        network.zero_grad()
        logits = network(torch.randn(1, frames, 13), torch.tensor([frames]))
        assert logits.shape == (1, 1, 3)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        assert logits.isfinite().all()
        assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", TINY)
def test_gradients_reach_all_parameters(name: str) -> None:
    network = tiny(name).eval()  # in training, batch norm cancels the biases before it
    logits = network(torch.randn(5, 40, 13), torch.tensor([40, 30, 20, 10, 1]))
    nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor([0, 1, 2, 0, 1])).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 1e-7, key


@pytest.mark.parametrize("name", TINY)
def test_each_utterance_has_one_frame_of_logits(name: str) -> None:
    network = tiny(name).eval()
    assert network(torch.randn(2, 40, 13), torch.tensor([40, 30])).shape == (2, 1, 3)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("cnn", 163_443),
        ("crnn", 1_980_147),
        ("ecapa_tdnn", 6_149_443),
        ("linear_probe", 643),
        ("attentive_probe", 33_731),
        ("last_frame", 180_003),
        ("deeplanguage_cnn", 5_116_867),
        ("deeplanguage_mfcc", 82_161_539),
        ("voice_age_cnn", 203_459),
        ("voice_age_tcn", 116_467),
    ],
)
def test_default_sizes_of_the_configurations(model: str, expected: int) -> None:
    config: Any = OmegaConf.to_container(OmegaConf.load(tree("train") / "model" / f"{model}.yaml"))
    network: nn.Module = build(config["network"], "network", bins=64, num_classes=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    own = type(network)(bins=64, num_classes=3)  # type: ignore[call-arg]
    sizes = [[*parameter.shape] for parameter in own.parameters()]
    assert sizes == [[*parameter.shape] for parameter in network.parameters()]


# The convolutional network


@pytest.mark.parametrize(("pool_time", "frames"), [(True, [5, 1]), (False, [20, 3])])
def test_blocks_halve_bins_and_time_rounding_up(pool_time: bool, frames: list[int]) -> None:
    blocks = ConvBlocks(13, [4, 8], (5, 3), pool_time)
    hidden, lengths = blocks(torch.randn(2, 20, 13), torch.tensor([20, 3]))
    assert hidden.shape == (2, frames[0], blocks.units) == (2, frames[0], 8 * 4)
    assert lengths.tolist() == frames
    assert [layer.kernel_size[0] for layer in blocks.convolutions] == [5, 3]


def test_more_blocks_than_bins_can_be_halved() -> None:
    network = CNN(bins=3, num_classes=2, channels=[2] * 5)
    assert network(torch.randn(1, 1, 3), torch.tensor([1])).isfinite().all()


@pytest.mark.parametrize("channels", [[], [4, 0], 16, [4, "x"], [2.5], None])
def test_bad_channels_are_refused(channels: Any) -> None:
    with pytest.raises(ValueError, match="accepted is a list of whole numbers, 1 and more"):
        CNN(bins=4, num_classes=2, channels=channels)


def test_a_dense_layer_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="dense=0: accepted are 1 and more"):
        CNN(bins=4, num_classes=2, dense=0)


def test_layers_of_crnn_are_the_published_ones() -> None:
    network = CRNN(bins=129, num_classes=4)
    filters = [(layer.out_channels, layer.kernel_size) for layer in network.blocks.convolutions]
    assert filters == [(16, (7, 7)), (32, (5, 5)), (64, (3, 3)), (128, (3, 3)), (256, (3, 3))]
    assert network.lstm.hidden_size == 256
    assert network.output.in_features == 512


@pytest.mark.parametrize(("pool_time", "steps"), [(True, 4), (False, 16)])
def test_without_pooling_over_time_the_lstm_hears_every_frame(pool_time: bool, steps: int) -> None:
    network = CRNN(bins=8, num_classes=2, channels=[2, 3], units=4, pool_time=pool_time)
    heard: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        heard.append(inputs[0])

    network.lstm.register_forward_pre_hook(keep)
    network(torch.randn(1, 16, 8), torch.tensor([16]))
    assert heard[0].shape[:2] == (1, steps)


def test_units_of_crnn_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="units=0: accepted are 1 and more"):
        CRNN(bins=4, num_classes=2, units=0)
