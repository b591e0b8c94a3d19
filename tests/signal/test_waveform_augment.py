"""Tests of langid/signal/waveform_augment.py."""

from typing import Any

import pytest
import torch

from langid.signal.waveform_augment import RandomGain


def test_every_sequence_gets_a_gain_of_its_own_within_the_limits() -> None:
    samples = torch.randn(500, 40)
    torch.manual_seed(3)
    louder = RandomGain(gain_db=6).train()(samples)
    gains = 20 * (louder / samples).log10()
    assert torch.allclose(gains, gains[:, :1].expand_as(gains), atol=1e-3)
    assert -6 <= gains.min() < -5 and 5 < gains.max() <= 6 + 1e-3
    assert abs(gains.mean()) < 1
    torch.manual_seed(3)
    assert torch.equal(RandomGain(gain_db=6).train()(samples), louder)


def test_in_evaluation_samples_stay_as_they_are() -> None:
    samples = torch.randn(3, 40)
    assert RandomGain().eval()(samples) is samples


@pytest.mark.parametrize("value", [0, -1, 61, "6", True, None])
def test_odd_gains_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"waveform\.gain_db=.*: accepted are more than 0"):
        RandomGain(value)
