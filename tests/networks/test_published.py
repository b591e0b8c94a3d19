"""Tests of langid/networks/published.py; what utterance networks have in common: test_cnn.py."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from langid.networks.network import UtteranceNetwork
from langid.networks.published import (
    DeepLanguageCNN,
    DeepLanguageMFCC,
    VoiceAgeCNN,
    VoiceAgeTCN,
    fixed_length,
)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_fixed_length_cuts_what_is_longer_and_clears_what_lies_behind_the_end() -> None:
    features = torch.arange(1.0, 25).reshape(2, 6, 2)
    features[1, 3:] = torch.nan  # padding of the batch may hold anything
    lengths = torch.tensor([6, 3])
    cut = fixed_length(features, lengths, 4)
    assert torch.equal(cut[0], features[0, :4])
    assert torch.equal(cut[1, :3], features[1, :3])
    assert torch.equal(cut[1, 3:], torch.zeros(1, 2))
    longer = fixed_length(features, lengths, 8)
    assert longer.shape == (2, 8, 2)
    assert torch.equal(longer[0, :6], features[0])
    assert torch.count_nonzero(longer[0, 6:]) == torch.count_nonzero(longer[1, 3:]) == 0


# With bins, classes and frames as published. Batch norm: a weight and a bias per channel.
CONVOLUTION = {
    "deeplanguage_cnn": 16 * 9 + 16 + 32 * 16 * 9 + 32,
    "deeplanguage_mfcc": 64 * 9 + 64 + 128 * 64 * 9 + 128 + 256 * 128 * 9 + 256 + 2 * 448,
    "voice_age_cnn": 32 * 9 + 32 + 16 * 32 * 25 + 16 + 8 * 16 * 4 + 8 + 2 * 40,
}
DENSE = {
    "deeplanguage_cnn": 32 * (625 // 4) * (129 // 4) * 64 + 64 + 64 * 4 + 4,
    "deeplanguage_mfcc": 256 * (157 // 4) * (13 // 4) * 512 + 512 + 512 * 4 + 4,
    "voice_age_cnn": 8 * 255 * 31 * 6 + 6,  # the code's Linear(8 * 31 * 255, 6)
}
FIXED: dict[str, Callable[[], UtteranceNetwork]] = {
    "deeplanguage_cnn": lambda: DeepLanguageCNN(bins=129, num_classes=4),
    "deeplanguage_mfcc": lambda: DeepLanguageMFCC(bins=13, num_classes=4),
    "voice_age_cnn": lambda: VoiceAgeCNN(bins=64, num_classes=6),
}


@pytest.mark.parametrize("name", FIXED)
def test_parameters_are_those_of_the_layers(name: str) -> None:
    assert parameters(FIXED[name]()) == CONVOLUTION[name] + DENSE[name]


def test_published_parameter_counts() -> None:
    assert parameters(VoiceAgeCNN(bins=64, num_classes=6)) == 393_182
    # As its notebook prints: convolutions, norms, LSTM and output.
    tcn = VoiceAgeTCN(bins=80, num_classes=6)
    assert [parameters(layer) for layer in tcn.convolutions] == [
        24, 136, 272, 528, 1_056, 2_080, 4_160, 8_256,
    ]  # fmt: skip
    assert [parameters(layer) for layer in tcn.norms] == [16, 32, 64, 128]
    assert (parameters(tcn.lstm), parameters(tcn.output)) == (99_328, 774)
    assert parameters(tcn) == 116_854
    assert [layer.dilation for layer in tcn.convolutions] == [(2**i,) for i in range(8)]


def test_voice_age_cnn_has_the_feature_maps_of_its_code() -> None:
    maps = VoiceAgeCNN(bins=64, num_classes=6).convolutions(torch.randn(2, 1, 512, 64))
    assert maps.shape == (2, 8, 255, 31)


@torch.no_grad()
def test_the_tcn_hears_samples_and_looks_at_none_behind_a_step() -> None:
    torch.manual_seed(1)
    network = VoiceAgeTCN(bins=80, num_classes=6).eval()
    samples = torch.randn(1, 30 * 80)
    frames, lengths = samples.reshape(1, 30, 80), torch.tensor([30])
    logits = network(frames, lengths)
    assert logits.shape == (1, 1, 6)
    # However the samples are dealt to frames, they are the same samples.
    torch.testing.assert_close(
        network(samples.reshape(1, 60, 40), torch.tensor([60])), logits, rtol=0, atol=1e-6
    )
    # 2,400 samples are 9 steps of 256 and a rest of 96, which fills no step.
    changed = samples.clone()
    changed[:, 9 * 256 :] = 5
    assert torch.equal(network(changed.reshape(1, 30, 80), lengths), logits)
    changed[:, 9 * 256 - 1] = 5
    assert not torch.allclose(network(changed.reshape(1, 30, 80), lengths), logits)


TINY: dict[str, Callable[[], UtteranceNetwork]] = {
    "deeplanguage_cnn": lambda: DeepLanguageCNN(16, 3, frames=20, channels=[3, 4], dense=8),
    "deeplanguage_mfcc": lambda: DeepLanguageMFCC(
        16, 3, frames=20, channels=[3, 4, 5], dense=8, dropout=0.0
    ),
    "voice_age_cnn": lambda: VoiceAgeCNN(16, 3, frames=20),
    "voice_age_tcn": lambda: VoiceAgeTCN(16, 3, channels=[3, 4, 5, 6], units=5),
}


@pytest.mark.parametrize("name", TINY)
def test_steps_along_the_gradient_lower_the_loss(name: str) -> None:
    torch.manual_seed(1)
    network = TINY[name]()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    features, lengths = torch.randn(6, 24, 16), torch.tensor([24, 20, 15, 9, 6, 24])
    targets, losses = torch.tensor([0, 1, 2, 0, 1, 2]), []
    for _ in range(6):
        loss = nn.functional.cross_entropy(network(features, lengths)[:, 0], targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.01


@torch.no_grad()
@pytest.mark.parametrize("name", ["deeplanguage_cnn", "deeplanguage_mfcc", "voice_age_cnn"])
def test_what_is_longer_than_the_fixed_length_is_not_heard(name: str) -> None:
    torch.manual_seed(1)
    network, features = TINY[name]().eval(), torch.randn(2, 30, 16)
    logits = network(features, torch.tensor([30, 30]))
    assert torch.equal(network(features[:, :20], torch.tensor([20, 20])), logits)
    assert not torch.equal(network(features, torch.tensor([19, 19])), logits)


WRONG: list[tuple[type[UtteranceNetwork], dict[str, Any], str]] = [
    (DeepLanguageCNN, {"channels": [4]}, r"channels=\[4\]: accepted are those of two"),
    (DeepLanguageCNN, {"channels": [4, 0]}, r"channels=\[4, 0\]: accepted is a list of whole"),
    (DeepLanguageCNN, {"frames": 3}, "frames=3 of 16 bins: accepted are 4 and more of each"),
    (DeepLanguageCNN, {"dense": -1}, "dense=-1: accepted are 1 and more"),
    (DeepLanguageMFCC, {"channels": 16}, "channels=16: accepted is a list of whole numbers"),
    (DeepLanguageMFCC, {"frames": 2.5}, r"frames=2\.5 of 16 bins: accepted are 4 and more"),
    (DeepLanguageMFCC, {"channels": [2] * 6}, "frames=157 of 16 bins: accepted are 32 and more"),
    (VoiceAgeCNN, {"frames": 0}, "frames=0 of 16 bins: accepted are 4 and more"),
    (VoiceAgeTCN, {"channels": []}, r"channels=\[\]: accepted is a list of whole numbers"),
    (VoiceAgeTCN, {"units": 0}, "units=0: accepted are 1 and more"),
]


@pytest.mark.parametrize(("network", "keys", "message"), WRONG)
def test_sizes_that_make_no_network_are_refused(
    network: Callable[..., UtteranceNetwork], keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        network(bins=16, num_classes=2, **keys)
