"""Tests of langid/signal/spectral_augment.py."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import langid as package
from langid.errors import LangidError
from langid.signal.spectral_augment import SpecAugment
from langid.training.checkpoint import build_identifier

FEATURES = torch.full((64, 200, 40), 7.0)
LENGTHS = torch.full((64,), 200)


def masked(
    augment: SpecAugment, lengths: Tensor = LENGTHS, features: Tensor = FEATURES
) -> tuple[Tensor, Tensor]:
    """Return where time ``(batch, time)`` and bins ``(batch, bins)`` are masked throughout."""
    torch.manual_seed(1)
    zero = augment(features, lengths) == 0
    in_time, in_frequency = zero.all(2), zero.all(1)
    assert torch.equal(zero, in_time[:, :, None] | in_frequency[:, None, :])
    return in_time, in_frequency


def stretches(mask: Tensor) -> Tensor:
    """Return how many stretches of true values each row has."""
    return (mask[:, :1].int() + (mask.int().diff(dim=1) == 1).sum(1, keepdim=True)).squeeze(1)


def test_one_mask_of_time_has_every_width_up_to_the_widest() -> None:
    augment = SpecAugment(time_masks=1, time_width=5, frequency_masks=0)
    in_time, in_frequency = masked(augment)
    assert not in_frequency.any()
    assert set(in_time.sum(1).tolist()) == {0, 1, 2, 3, 4, 5}
    assert set(stretches(in_time).tolist()) == {0, 1}
    assert len(set(in_time.int().argmax(1).tolist())) > 20  # of 64 sequences, each has its own


def test_one_mask_of_frequency_reaches_both_ends() -> None:
    augment = SpecAugment(time_masks=0, frequency_masks=1, frequency_width=6)
    in_time, in_frequency = masked(augment, features=FEATURES[..., :9])
    assert not in_time.any()
    assert set(in_frequency.sum(1).tolist()) == set(range(7))
    assert in_frequency[:, 0].any() and in_frequency[:, -1].any()


def test_several_masks() -> None:
    in_time, in_frequency = masked(SpecAugment(3, 20, 2, 8))
    assert int(stretches(in_time).max()) == 3
    assert int(stretches(in_frequency).max()) == 2
    assert int(in_time.sum(1).max()) <= 60
    assert int(in_frequency.sum(1).max()) <= 16


def test_masks_lie_within_a_fifth_of_the_sequence() -> None:
    lengths = torch.arange(64) + 1
    in_time, _ = masked(SpecAugment(1, 70, 0), lengths)
    assert (in_time.sum(1) <= lengths // 5).all()
    assert not in_time[torch.arange(200) >= lengths[:, None]].any()
    assert in_time.any()


def test_draws_are_those_of_torchs_generator() -> None:
    augment = SpecAugment()
    torch.manual_seed(5)
    first, second = augment(FEATURES, LENGTHS), augment(FEATURES, LENGTHS)
    torch.manual_seed(5)
    assert torch.equal(augment(FEATURES, LENGTHS), first)
    assert not torch.equal(first, second)


def test_nothing_is_masked_or_drawn_in_evaluation_or_without_masks() -> None:
    state = torch.get_rng_state()
    assert SpecAugment().eval()(FEATURES, LENGTHS) is FEATURES
    assert SpecAugment(time_masks=0, frequency_masks=0)(FEATURES, LENGTHS) is FEATURES
    assert torch.equal(torch.get_rng_state(), state)


def test_rotation_is_within_each_sequence() -> None:
    lengths = torch.arange(64) * 3 + 1
    features = torch.arange(200.0)[None, :, None].expand(64, -1, 2)
    augment = SpecAugment(0, 0, 0, 0, time_shift=0.4)
    torch.manual_seed(1)
    rotated = augment(features, lengths)
    shares = []
    for row, length in enumerate(lengths.tolist()):
        shift = -int(rotated[row, 0, 0])
        shift += length if -shift > length / 2 else 0
        expected = features[row, :length].roll(shift, 0)
        assert torch.equal(rotated[row, :length], expected)
        assert torch.equal(rotated[row, length:], features[row, length:])  # padding stays
        assert abs(shift) <= 0.4 * length + 0.5
        shares.append(shift / length)
    assert min(shares) < -0.3 and max(shares) > 0.3  # both ways, each sequence its own


def test_rotated_sequences_are_masked_as_well() -> None:
    in_time, _ = masked(SpecAugment(2, 51, 2, 6, time_shift=0.4))
    assert in_time.any()


def test_in_evaluation_nothing_changes_unless_asked_for() -> None:
    both = SpecAugment(time_shift=0.4, in_evaluation=True).eval()
    torch.manual_seed(3)
    changed = both(FEATURES, LENGTHS)
    assert not torch.equal(changed, FEATURES)
    torch.manual_seed(3)
    assert torch.equal(SpecAugment(time_shift=0.4)(FEATURES, LENGTHS), changed)
    assert SpecAugment(time_shift=0.4).eval()(FEATURES, LENGTHS) is FEATURES


@pytest.mark.parametrize("in_evaluation", [False, True])
def test_an_identifier_changes_batches_but_never_whole_clips(
    checkpoint_path: Path, in_evaluation: bool
) -> None:
    trained = package.load(checkpoint_path)
    augment = SpecAugment(4, 70, 4, 30, in_evaluation=in_evaluation)
    identifier = build_identifier(trained.described, augment=augment)
    identifier.load_state_dict(trained.state_dict())  # the masks add nothing to a checkpoint
    features, lengths = torch.randn(2, 100, 64), torch.tensor([100, 100])
    samples = torch.randn(1, 16000)
    for training in (True, False):
        identifier.train(training)
        same = torch.equal(identifier(features, lengths), trained(features, lengths))
        assert same != (training or in_evaluation)
        pairs = zip(identifier.posteriors(samples), trained.posteriors(samples), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@pytest.mark.parametrize("value", [-0.1, 1.1, "far", True])
def test_a_bad_shift_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=rf"augment.time_shift={value}: accepted are 0 to 1"):
        SpecAugment(time_shift=value)


def test_a_bad_switch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"augment.in_evaluation=1: accepted are true and false"):
        SpecAugment(in_evaluation=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["time_masks", "time_width", "frequency_masks", "frequency_width"])
@pytest.mark.parametrize("value", [-1, 1.5, "two", True])
def test_bad_settings_are_refused(key: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"augment.{key}={value}: accepted are whole numbers"):
        SpecAugment(**{key: value})


def test_bands_wider_than_the_features_are_refused() -> None:
    with pytest.raises(LangidError, match=r"augment\.frequency_width=41: accepted are 0 to 40"):
        SpecAugment(frequency_width=41)(FEATURES, LENGTHS)
    SpecAugment(frequency_masks=0, frequency_width=41)(FEATURES, LENGTHS)
