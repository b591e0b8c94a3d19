from pathlib import Path

import numpy as np
import pytest
import torch
from librosa.effects import split

from langid.signal.audio import read_audio
from langid.signal.silence import EnergyDetector, EveryFrame, LibrosaDetector

HOP = 160


def noise(seconds: float, level_db: float, seed: int = 0) -> torch.Tensor:
    """Return white noise of a level in dB of full scale, ``(1, samples)``."""
    samples = torch.randn(1, int(seconds * 16000), generator=torch.Generator().manual_seed(seed))
    return samples * 10 ** (level_db / 20)


@pytest.fixture
def speech(real_clips: list[Path]) -> torch.Tensor:
    """Return four seconds of two real clips, one after the other in each row, ``(2, samples)``."""
    clips = [read_audio(clip, 16000)[:32000] for clip in (real_clips[3], real_clips[15])]
    return torch.from_numpy(np.stack([np.concatenate(clips), np.concatenate(clips[::-1])]))


def test_speech_stands_out_of_noise() -> None:
    loud = noise(1, -35)
    samples = torch.cat([noise(2, -55), loud, noise(2, -55, seed=1)], dim=1)
    speech = EnergyDetector(HOP)(samples)[0]
    assert speech.shape == (500,)
    assert not speech[:200].any()
    assert speech[205:300].all()
    assert speech[300:315].all()  # the hangover
    assert not speech[325:].any()


def test_levels_that_decide_whatever_the_floor() -> None:
    assert EnergyDetector(HOP)(noise(2, -25)).float().mean() > 0.95
    quiet = torch.cat([torch.zeros(1, 16000), noise(1, -65)], dim=1)
    assert not EnergyDetector(HOP)(quiet).any()
    assert EnergyDetector(HOP, quiet_db=-75)(quiet)[0, 110:].all()


@pytest.mark.parametrize("hops", [1, 7, 100])
def test_chunks_do_not_change_the_mask(speech: torch.Tensor, hops: int) -> None:
    detector = EnergyDetector(HOP)
    whole = detector(speech)
    assert 0.1 < whole.float().mean() < 1.0
    state = detector.initial_state(2)
    masks = []
    for chunk in torch.split(speech, hops * HOP, dim=1):
        mask, state = detector.step(chunk, state)
        masks.append(mask)
    assert torch.equal(torch.cat(masks, dim=1), whole)


def test_no_frame_hears_a_later_sample(speech: torch.Tensor) -> None:
    detector = EnergyDetector(HOP)
    changed = torch.cat([speech[:, :16000], noise(2, -3).expand(2, -1)], dim=1)
    assert torch.equal(detector(changed)[:, :100], detector(speech)[:, :100])
    assert detector(speech[:, :16001]).shape == (2, 101)


@pytest.mark.parametrize("name", ["smooth_frames", "floor_frames", "hangover_frames"])
def test_settings_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"detector.{name}=0: accepted are 1 and more"):
        EnergyDetector(HOP, **{name: 0})  # type: ignore[arg-type]
    shortest = EnergyDetector(HOP, **{name: 1})  # type: ignore[arg-type]
    assert shortest(noise(1, -20)).shape == (1, 100)


def test_librosas_detector_is_its_split_and_cannot_be_streamed(speech: torch.Tensor) -> None:
    detector = LibrosaDetector(HOP, top_db=30)
    mask = detector(speech)
    assert mask.shape == (2, 400) and 0.1 < mask.float().mean() < 1
    intervals = split(speech[0].numpy(), top_db=30, frame_length=640, hop_length=160)
    expected = np.zeros(400, bool)
    for start, stop in intervals // HOP:
        expected[start:stop] = True
    assert np.array_equal(mask[0].numpy(), expected)
    assert not detector.causal
    with pytest.raises(TypeError, match="LibrosaDetector is not causal"):
        detector.initial_state(1)
    with pytest.raises(TypeError, match="LibrosaDetector is not causal"):
        detector.step(speech, ())


@pytest.mark.parametrize("hops", [1, 7])
def test_every_frame_is_speech(hops: int) -> None:
    detector, samples = EveryFrame(HOP), torch.zeros(2, 21 * HOP)
    state = detector.initial_state(2)
    for chunk in torch.split(samples, hops * HOP, dim=1):
        mask, state = detector.step(chunk, state)
        assert mask.shape == (2, hops) and mask.dtype == torch.bool and mask.all()
    assert state == ()
    for count, frames in ((0, 1), (1, 1), (HOP - 1, 1), (HOP, 2), (21 * HOP + 1, 22)):
        mask = detector(samples[:, :1].expand(-1, count))  # of as many frames as any features have
        assert mask.shape == (2, frames) and mask.dtype == torch.bool and mask.all()
