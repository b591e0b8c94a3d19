"""Tests of langid/networks/spectral_convolutions.py; in a stream and cut frames: test_parity.py."""

import re
from typing import Any

import pytest
import torch

from langid.networks.recurrent import GRU
from langid.networks.spectral_convolutions import UNITS, SpectralConvolutions


def test_a_frame_hears_itself_and_the_two_before() -> None:
    torch.manual_seed(0)
    convolutions = SpectralConvolutions(12, [4, 5], stacked=2)
    features = torch.randn(1, 9, 12, requires_grad=True)
    hidden, memory = convolutions(features, torch.zeros(1, 2, 12))
    assert hidden.shape == (1, 9, UNITS)
    assert torch.equal(memory, features[:, -2:])
    (gradient,) = torch.autograd.grad(hidden[:, 6, 0], features)
    assert gradient[0].abs().sum(1).nonzero().flatten().tolist() == [4, 5, 6]


def test_what_lies_two_bins_higher_is_heard_alike() -> None:
    torch.manual_seed(0)
    first = SpectralConvolutions(64, [4]).convolutions[0]
    low = torch.zeros(1, 1, 3, 64)
    low[..., 20:24] = torch.randn(3, 4)
    torch.testing.assert_close(first(low.roll(2, 3)), first(low).roll(1, 3))


def test_stacked_frames_are_channels() -> None:
    torch.manual_seed(0)
    convolutions = SpectralConvolutions(12, [4], stacked=2)
    frames = torch.randn(1, 3, 12)
    (convolution,) = convolutions.convolutions
    found = convolution(frames.unflatten(2, (2, 6)).transpose(1, 2)).relu()
    hidden, _ = convolutions(frames[:, 2:], frames[:, :2])
    expected = convolutions.projection(found.transpose(1, 2).flatten(2))
    expected = torch.nn.functional.layer_norm(expected, (UNITS,))
    torch.testing.assert_close(hidden, expected)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"convolutions": [4], "stacked": 4}, "stacked=4: accepted is what divides the 6 bins"),
        ({"convolutions": [4], "stacked": 0}, "stacked=0: accepted are 1 and more"),
        ({"convolutions": [4, 0]}, "convolutions=[4, 0]: accepted are lists of 1 and more"),
        ({"convolutions": ["4"]}, "convolutions=['4']: accepted are lists of 1 and more"),
        ({"convolutions": 4}, "convolutions=4: accepted are lists of 1 and more"),
    ],
)
def test_what_is_no_size_is_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        GRU(6, 3, units=8, **sizes)
