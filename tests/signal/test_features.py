from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from langid.audio.decode import read_audio
from langid.signal.features import MFCC, LogMel

CAUSAL = {"log_mel": LogMel, "mfcc": MFCC}


@pytest.fixture
def speech(real_clips: list[Path]) -> torch.Tensor:
    """Return two seconds of two real clips, ``(2, samples)``, not a whole number of hops."""
    clips = [read_audio(clip, 16000)[8000:40033] for clip in (real_clips[1], real_clips[30])]
    return torch.from_numpy(np.stack(clips))


@pytest.mark.parametrize("name", CAUSAL)
def test_frames_and_bins(name: str, speech: torch.Tensor) -> None:
    features = CAUSAL[name]()
    values = features(speech)
    assert values.shape == (2, 201, features.bins)
    assert features.bins == 64
    assert torch.isfinite(values).all() and values.std() > 0.5
    assert MFCC(n_mfcc=13)(speech).shape == (2, 201, 13)


@pytest.mark.parametrize("name", CAUSAL)
def test_no_frame_hears_a_later_sample(name: str, speech: torch.Tensor) -> None:
    features = CAUSAL[name]()
    samples = speech.clone().requires_grad_()
    frame = 77
    features(samples)[:, frame].sum().backward()
    assert samples.grad is not None
    heard = samples.grad.abs().sum(0).nonzero().flatten()
    stop = (frame + 1) * features.hop_samples
    assert heard.max() < stop
    assert heard.min() >= stop - features.window_samples
    louder = torch.cat([speech[:, :stop], 100 * speech[:, stop:]], dim=1)  # nothing clip-relative
    assert torch.equal(features(louder)[:, : frame + 1], features(speech)[:, : frame + 1])


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("hops", [1, 3, 50])
def test_steps_give_the_same_as_the_whole(name: str, hops: int, speech: torch.Tensor) -> None:
    features = CAUSAL[name]()
    speech = speech[:, :32000]
    state = features.initial_state(2)
    frames = []
    for chunk in torch.split(speech, hops * features.hop_samples, dim=1):
        values, state = features.step(chunk, state)
        frames.append(values)
    assert torch.allclose(torch.cat(frames, dim=1), features(speech), atol=1e-4)


@pytest.mark.parametrize("offset", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("name", CAUSAL)
def test_a_constant_is_not_heard(name: str, offset: float, speech: torch.Tensor) -> None:
    features = CAUSAL[name]()
    for features.use_fft in (False, True):  # from the first frame to the last, which is cut off
        torch.testing.assert_close(features(speech + offset), features(speech), rtol=0, atol=2e-3)
    silence = features(torch.zeros(1, 400))
    torch.testing.assert_close(features(torch.full((1, 400), offset)), silence)
    assert torch.isfinite(silence).all()


def test_nothing_gives_no_frames() -> None:
    assert MFCC()(torch.zeros(2, 0)).shape == (2, 0, 64)


def test_log_mel_of_a_full_scale_sine_is_its_power() -> None:
    features = LogMel()
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    values = features(sine)[0, 10:]
    loudest = int(features.filters[31].argmax())  # 1000 Hz is line 32 of 31.25 Hz; line 0 is cut
    assert (values.argmax(1) == loudest).all()
    softer = features(0.1 * sine)[0, 10:]
    assert torch.allclose(values[:, loudest] - softer[:, loudest], torch.tensor(100.0).log())
    assert torch.allclose(features(0 * sine), torch.tensor(1e-8).log())  # the absolute floor


def test_mfcc_is_the_orthonormal_dct_of_log_mel(speech: torch.Tensor) -> None:
    import scipy.fft

    expected = scipy.fft.dct(LogMel()(speech).numpy(), norm="ortho")
    assert np.allclose(MFCC()(speech).numpy(), expected, atol=1e-3)
    assert np.allclose(MFCC(n_mfcc=20)(speech).numpy(), expected[..., :20], atol=1e-3)


@pytest.mark.parametrize(("window_ms", "rate"), [(25, 16000), (32, 16000), (25, 8000), (20, 48000)])
def test_the_power_spectrum_is_that_of_the_fft(
    speech: torch.Tensor, window_ms: float, rate: int
) -> None:
    features = LogMel(sample_rate=rate, window_ms=window_ms, n_mels=32)
    size, hop = features.window_samples, features.hop_samples
    window = torch.hann_window(size, dtype=torch.float64)
    samples = torch.nn.functional.pad(speech.double(), (size - hop, 0), mode="replicate")
    frames = samples.unfold(1, size, hop)
    frames = (frames - (frames * window).sum(-1, keepdim=True) / window.sum()) * window
    frames /= window.square().sum().sqrt()
    power = torch.fft.rfft(frames, n=features.n_fft).abs().square()
    filters = librosa.filters.mel(
        sr=rate, n_fft=features.n_fft, n_mels=32, fmin=20, htk=True, norm=None
    )
    expected = (power @ torch.from_numpy(filters.T).double()).clamp(min=features.floor).log()
    for features.use_fft in (False, True):
        values = features(speech)[:, : expected.shape[1]]
        assert torch.allclose(values.double(), expected, atol=1e-3)


def test_no_mel_filter_is_empty() -> None:
    assert (LogMel().filters.sum(0) > 0).all()
    with pytest.raises(ValueError, match="n_mels=300 is too many for a 25 ms window"):
        LogMel(n_mels=300)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hop_ms": 0}, "hop_ms=0: accepted are more than 0 and at most window_ms=25"),
        ({"hop_ms": 30}, "hop_ms=30"),
        ({"window_ms": 25.03, "sample_rate": 16000}, None),
        ({"window_ms": 25.07}, "window_ms=25.07: an even number"),
        ({"n_mfcc": 65}, "n_mfcc=65: accepted are 1 to n_mels=64"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, float], message: str | None
) -> None:
    if message is None:
        assert MFCC(**settings).window_samples == 400  # type: ignore[arg-type]
        return
    with pytest.raises(ValueError, match=message):
        MFCC(**settings)  # type: ignore[arg-type]
