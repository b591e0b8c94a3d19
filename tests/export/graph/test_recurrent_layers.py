"""Recurrent layers as an export sees them."""

import pytest
import torch
from torch import nn

from langid.export.graph.recurrent_layers import WholeLayers


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_layer_is_one_operator_whatever_its_frames(cell: type[nn.RNNBase]) -> None:
    real = cell(5, 7, batch_first=True)(torch.zeros(2, 9, 5))
    layer = cell(5, 7, batch_first=True, device="meta")  # which knows shapes, as an export does
    with torch.profiler.profile() as profile, WholeLayers():
        outputs, after = layer(torch.zeros(2, 9, 5, device="meta"))
    assert outputs.shape == real[0].shape
    pairs = zip(after, real[1], strict=True) if cell is nn.LSTM else [(after, real[1])]
    assert all(ours.shape == theirs.shape for ours, theirs in pairs)
    counts = {event.key: event.count for event in profile.key_averages()}
    assert counts[f"langid::{cell.__name__.lower()}"] == 1
    assert not {"aten::linear", "aten::mm", "aten::addmm", "aten::tanh"} & set(counts)
