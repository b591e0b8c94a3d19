"""Tests of langid/networks/tcn.py. What holds for every network of frames: test_parity.py."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from langid.networks.tcn import TCN


@pytest.mark.parametrize(("layers", "kernel"), [(1, 2), (3, 2), (3, 3), (2, 5)])
def test_a_frame_hears_as_far_back_as_the_dilations_reach(layers: int, kernel: int) -> None:
    torch.manual_seed(0)
    tcn = TCN(bins=4, num_classes=3, channels=16, layers=layers, kernel=kernel).eval()
    features = torch.randn(1, 60, 4, requires_grad=True)
    logits = tcn(features, torch.tensor([60]))
    (gradient,) = torch.autograd.grad(logits[0, -1].sum(), features)
    heard = torch.nonzero(gradient[0].abs().sum(-1)).flatten()
    assert 60 - int(heard.min()) == 1 + 2 * (kernel - 1) * (2**layers - 1)


def test_state_is_what_each_convolution_hears_again() -> None:
    tcn = TCN(bins=4, num_classes=3, channels=8, layers=3, kernel=3)
    shapes = [tuple(tensor.shape) for tensor in tcn.initial_state(5)]
    assert shapes == [(5, 2, 4), (5, 2, 8), (5, 4, 8), (5, 4, 8), (5, 8, 8), (5, 8, 8), (5, 3)]
    features = torch.randn(5, 30, 4)
    state = tcn.eval().step(features, tcn.initial_state(5))[1]
    assert torch.equal(state[0], features[:, -2:])


def test_every_dilated_convolution_has_weight_norm() -> None:
    tcn = TCN(bins=4, num_classes=3, channels=8, layers=2)
    convolutions = [module for module in tcn.modules() if isinstance(module, nn.Conv1d)]
    dilated = [module for module in convolutions if module.kernel_size == (3,)]
    assert [module.dilation for module in dilated] == [(1,), (1,), (2,), (2,)]
    assert all(is_parametrized(module, "weight") for module in dilated)
    assert len(convolutions) == 5  # and one around the first block, where the width changes


def test_dropout_takes_whole_channels_in_training_only() -> None:
    torch.manual_seed(0)
    tcn = TCN(bins=4, num_classes=3, channels=32, layers=1, dropout=0.5)
    block = tcn.blocks[0]
    dropped = block.dropout(torch.ones(2, 32, 50))  # type: ignore[operator, union-attr]
    assert torch.equal(dropped.amin(2), dropped.amax(2))
    assert 0 < (dropped == 0).float().mean() < 1
    features, lengths = torch.randn(2, 9, 4), torch.tensor([9, 9])
    assert not torch.equal(tcn(features, lengths), tcn(features, lengths))
    tcn.eval()
    assert torch.equal(tcn(features, lengths), tcn(features, lengths))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"channels": 0}, "channels=0: accepted are 1 and more"),
    ({"layers": 0}, "layers=0: accepted are 1 and more"),
    ({"dense": 0}, "dense=0: accepted are 1 and more"),
    ({"kernel": 1}, "kernel=1: accepted are 2 and more"),
]


@pytest.mark.parametrize(("keys", "message"), WRONG)
def test_sizes_that_make_no_network_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TCN(bins=4, num_classes=2, **keys)
