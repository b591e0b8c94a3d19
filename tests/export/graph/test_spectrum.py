"""The transform of the exported graph against that of the features."""

from typing import Any

import pytest
import torch

from langid.export.graph.spectrum import FastMel
from langid.signal.features import LogMel


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sample_rate": 8000, "n_mels": 40},  # 256 points, the window is no whole number of rows
        {"window_ms": 32.0},  # four hops reach beyond the 512 points
        {"window_ms": 10.0, "n_mels": 20},  # no hop before the first
    ],
)
def test_mel_power_is_that_of_the_features(settings: dict[str, Any]) -> None:
    features = LogMel(**settings)
    assert FastMel.fits(features)
    mel = FastMel(features)
    samples = 0.1 * torch.randn(2, 30 * features.hop_samples, generator=torch.manual_seed(0))
    rows = mel.rows(samples)
    before = rows[:, :1, :1, :1].expand(-1, mel.reach, *rows.shape[2:])
    hops = torch.cat([before, rows], dim=1)
    first, second = (hops[:, : mel.reach + 7], rows[:, :7]), (hops[:, 7:], rows[:, 7:])
    pieces = [mel(mel.windows(*piece)) for piece in (first, second)]
    found = torch.cat(pieces, 1).clamp(min=features.floor).log()
    torch.testing.assert_close(found, features(samples), rtol=0, atol=2e-5)


def test_features_of_another_spectrum_are_left_alone() -> None:
    class Magnitude(LogMel):
        def _power(self, samples: torch.Tensor) -> torch.Tensor:
            return super()._power(samples).sqrt()

    assert not FastMel.fits(Magnitude())
    assert not FastMel.fits(LogMel(sample_rate=11025, hop_ms=10.0, window_ms=20.0, n_mels=32))
