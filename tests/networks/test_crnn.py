"""Tests of langid/networks/crnn.py; what utterance networks have in common is in test_cnn.py."""

import pytest
import torch
from torch import Tensor, nn

from langid.networks.crnn import CRNN


def test_layers_are_the_published_ones() -> None:
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


def test_units_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="units=0: accepted are 1 and more"):
        CRNN(bins=4, num_classes=2, units=0)
