"""Tests of langid/networks/ecapa_tdnn.py; see test_cnn.py as well."""

import pytest
import torch

from langid.networks.ecapa_tdnn import ECAPATDNN, AttentiveStatisticsPooling
from langid.networks.padding import RealFrames, frame_mask, masked_mean


@pytest.mark.parametrize(("channels", "millions"), [(512, 6.2), (1024, 14.7)])
def test_parameters_are_the_published_ones(channels: int, millions: float) -> None:
    """Table 1 of the paper: 80 bins, without the layer that tells the speakers apart."""
    network = ECAPATDNN(bins=80, num_classes=1, channels=channels)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert round(count / 1e6, 1) == millions


def test_even_attention_gives_mean_and_deviation_of_the_valid_frames() -> None:
    pooling = AttentiveStatisticsPooling(channels=4, bottleneck=3).eval()
    torch.nn.init.zeros_(pooling.attention[-1].weight)  # type: ignore[arg-type]
    hidden = torch.randn(2, 4, 9)
    pooled = pooling(hidden, RealFrames(frame_mask(torch.tensor([9, 5]), 9)))
    for row, length in enumerate((9, 5)):
        frames = hidden[row, :, :length]
        expected = torch.cat([frames.mean(1), frames.std(1, correction=0)])
        torch.testing.assert_close(pooled[row], expected)


def test_attention_weighs_frames() -> None:
    torch.manual_seed(0)
    pooling = AttentiveStatisticsPooling(channels=4, bottleneck=3).eval()
    hidden = torch.randn(1, 4, 9)
    pooled = pooling(hidden)[0, :4]
    assert (pooled - hidden[0].mean(1)).abs().max() > 1e-3


def test_masked_mean_leaves_padding_out() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [99.0]], [[5.0], [99.0], [99.0]]])
    means = masked_mean(hidden, frame_mask(torch.tensor([2, 1]), 3))
    assert means.tolist() == [[2.0], [5.0]]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": 100}, "channels=100: accepted are multiples of 8"),
        ({"channels": 0}, "channels=0: accepted are multiples of 8"),
        ({"aggregated": 0}, "aggregated=0: accepted are 1 and more"),
        ({"embedding": 0}, "embedding=0: accepted are 1 and more"),
        ({"bottleneck": 0}, "bottleneck=0: accepted are 1 and more"),
    ],
)
def test_bad_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ECAPATDNN(bins=4, num_classes=2, **sizes)
