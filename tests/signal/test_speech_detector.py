from pathlib import Path

import numpy as np
import pytest
import torch
from librosa.effects import split
from torch import nn

from langid.audio.decode import read_audio
from langid.signal.speech_detector import EnergyDetector, EveryFrame, LibrosaDetector

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
    dull = nn.functional.avg_pool1d(noise(2, -16), 8, 1)  # neighbours correlate by 7/8; -25 dB
    assert EnergyDetector(HOP)(dull).float().mean() > 0.95
    assert EnergyDetector(HOP)(0.5 * dull).float().mean() < 0.05
    assert EnergyDetector(HOP, loud_correlation=0.95)(dull).float().mean() < 0.05
    quiet = torch.cat([torch.zeros(1, 16000), noise(1, -65)], dim=1)
    assert not EnergyDetector(HOP)(quiet).any()
    rising = torch.cat([noise(1, -74), noise(1, -61.5, seed=1)], dim=1)
    assert not EnergyDetector(HOP)(rising).any()
    assert EnergyDetector(HOP, quiet_db=-75)(rising)[0, 110:].all()


def dither(seconds: float) -> torch.Tensor:
    """Return triangular noise of one step of 16 bits, rounded to them, ``(1, samples)``."""
    two = torch.rand(2, int(seconds * 16000), generator=torch.Generator().manual_seed(5))
    return (two.sum(0, keepdim=True) - 1).round() / 32768


NO_SIGNAL = {
    "10 ms of zeros": torch.zeros(1, 160),
    "15 ms of zeros": torch.zeros(1, 240),  # the second hop is half noise
    "18 ms of zeros": torch.zeros(1, 288),
    "50 ms of zeros": torch.zeros(1, 800),
    "half a second of zeros": torch.zeros(1, 8000),
    "dither": dither(0.5),
    "an offset": torch.full((1, 8000), 0.1),
}


@pytest.mark.parametrize("level_db", [-45, -50, -57])
@pytest.mark.parametrize("name", NO_SIGNAL)
def test_what_is_no_signal_is_no_noise_floor(name: str, level_db: float) -> None:
    nothing, detector = NO_SIGNAL[name], EnergyDetector(HOP)
    assert not detector(torch.cat([nothing, noise(4, level_db)], dim=1)).any()
    muted = torch.cat([noise(2, level_db), nothing, noise(4, level_db, seed=1)], dim=1)
    assert not detector(muted).any()
    alone = torch.cat([nothing] * 3, dim=1)
    assert not detector(alone).any()


def test_a_noise_gate_makes_no_speech_of_noise(speech: torch.Tensor) -> None:
    gated = noise(6, -50)
    gate = (torch.arange(gated.shape[1]) // 4000) % 2 == 0  # shut and open for 250 ms
    assert not EnergyDetector(HOP)(gated * gate).any()
    heard = EnergyDetector(HOP)(speech)
    loud = nn.functional.max_pool1d(speech.abs()[:, None], HOP, HOP) > 0.02
    gate = nn.functional.max_pool1d(loud.float(), 21, 1, 10)[:, 0].repeat_interleave(HOP, 1)
    assert EnergyDetector(HOP)(speech * gate)[heard & loud[:, 0]].float().mean() > 0.95


@pytest.mark.parametrize("offset", [0.02, 0.05, 0.1, -0.5])
def test_a_constant_is_no_level(speech: torch.Tensor, offset: float) -> None:
    detector = EnergyDetector(HOP)
    assert not detector(torch.full((1, 16100), offset)).any()
    speech = speech[:, :60100]  # the last hop is not full
    assert torch.equal(detector(speech + offset), detector(speech))
    assert not detector(noise(4, -50)[:, :60100] + offset).any()


def test_a_clip_that_begins_in_a_word_is_speech(speech: torch.Tensor) -> None:
    whole = EnergyDetector(HOP)(speech)[0]
    level = speech[0].unflatten(0, (-1, HOP)).std(1)
    starts = (whole & (level > 0.05)).nonzero().flatten()[:-100:20].tolist()
    assert len(starts) > 4
    found = expected = 0
    for start in starts:
        cut = EnergyDetector(HOP)(speech[:1, start * HOP :])[0]
        found += int((cut & whole[start:])[:50].sum())
        expected += int(whole[start : start + 50].sum())
    assert found > 0.85 * expected


@pytest.mark.parametrize("level_db", [0, -10, -20, -28, -40])
def test_white_noise_is_not_speech_however_loud(level_db: float) -> None:
    white = noise(10, level_db).clamp(-1, 1)
    assert not EnergyDetector(HOP)(white).any()
    assert not EnergyDetector(HOP)(white.round(decimals=2)).any()
    assert EnergyDetector(HOP, loud_correlation=-1)(noise(2, -20)).float().mean() > 0.95


def test_a_loud_fricative_in_a_word_is_speech() -> None:
    hiss = torch.cat([noise(1, -55), noise(0.2, -20), noise(1, -55, seed=1)], dim=1)
    assert EnergyDetector(HOP)(hiss)[0, 101:120].all()


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
    with pytest.raises(ValueError, match=r"detector\.loud_correlation=1: accepted is below 1"):
        EnergyDetector(HOP, loud_correlation=1)
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
