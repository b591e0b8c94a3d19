"""Tests of langid/signal/clip_features.py: equal to the libraries that published systems used."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from langid.audio.decode import read_audio
from langid.signal.clip_features import (
    ClipFeatures,
    MelSpectrogram,
    MFCCLibrosa,
    Samples,
    Spectrogram,
)
from langid.signal.front_end import FrontEnd
from langid.signal.speech_detector import EveryFrame, LibrosaDetector
from langid.signal.torchaudio_loader import torchaudio

ALL = {
    "mfcc_librosa": MFCCLibrosa,
    "mel_power": MelSpectrogram,
    "mel_db": lambda **more: MelSpectrogram(48000, top_db=100.0, **more),
    "spectrogram": Spectrogram,
    "samples": Samples,
}


@pytest.fixture
def speech(real_clips: list[Path]) -> torch.Tensor:
    """Return two seconds of two real clips, ``(2, samples)``, not a whole number of hops."""
    clips = [read_audio(clip, 16000)[8000:40033] for clip in (real_clips[1], real_clips[30])]
    return torch.from_numpy(np.stack(clips))


def test_librosas_mfcc_is_librosas_and_cannot_be_streamed(speech: torch.Tensor) -> None:
    features = MFCCLibrosa()
    expected = librosa.feature.mfcc(
        y=speech.numpy(), sr=16000, n_mfcc=64, n_fft=400, hop_length=160
    )
    assert np.array_equal(features(speech).numpy(), expected.transpose(0, 2, 1))
    louder = torch.cat([speech[:, :16000], 100 * speech[:, 16000:]], dim=1)
    assert not torch.allclose(features(louder)[:, :90], features(speech)[:, :90], atol=1)


@pytest.mark.parametrize("name", ALL)
def test_none_can_be_streamed(name: str, speech: torch.Tensor) -> None:
    features: ClipFeatures = ALL[name]()
    assert not features.causal
    with pytest.raises(TypeError, match="is not causal"):
        features.initial_state(1)
    with pytest.raises(TypeError, match="is not causal"):
        features.step(speech, torch.zeros(1))


def test_intervals_of_speech_are_joined_before_the_mfcc(speech: torch.Tensor) -> None:
    clip = speech[:1].clone()
    clip[:, 9000:20000] *= 1e-4  # a pause
    intervals = librosa.effects.split(clip[0].numpy(), top_db=40)
    assert len(intervals) > 1
    joined = np.concatenate([clip[0, start:stop].numpy() for start, stop in intervals])
    assert 0 < len(joined) < clip.shape[1]
    expected = librosa.feature.mfcc(y=joined, sr=16000, n_mfcc=64, n_fft=400, hop_length=160)
    assert np.array_equal(MFCCLibrosa(join_top_db=40.0)(clip)[0].numpy(), expected.T)
    # Joined first, then of one length; the detector hears the same samples.
    short = MFCCLibrosa(join_top_db=40.0, clip_s=0.5)
    features, mask = FrontEnd(short, LibrosaDetector(160))(clip)
    cut = librosa.feature.mfcc(y=joined[:8000], sr=16000, n_mfcc=64, n_fft=400, hop_length=160)
    assert np.array_equal(features[0].numpy(), cut.T[:50])
    assert torch.equal(mask, LibrosaDetector(160)(torch.from_numpy(joined[None, :8000])))


def test_a_clip_without_any_interval_stays_as_it_is(speech: torch.Tensor) -> None:
    nothing = torch.full((1, 4000), float("nan"))  # louder than no threshold
    assert MFCCLibrosa(join_top_db=40.0).clip(nothing).shape == (1, 4000)
    zeros = torch.zeros(1, 4000)
    assert torch.equal(MFCCLibrosa(join_top_db=40.0).clip(zeros), zeros)
    assert MFCCLibrosa(join_top_db=40.0).clip(torch.cat([speech, 0 * speech])).shape == (4, 32033)


@pytest.mark.parametrize("settings", [(32000, 1024, 512, 64), (16000, 400, 200, 20)])
def test_mel_power_is_torchaudios(speech: torch.Tensor, settings: tuple[int, ...]) -> None:
    rate, n_fft, hop, n_mels = settings
    reference = torchaudio.transforms.MelSpectrogram(rate, n_fft, hop_length=hop, n_mels=n_mels)
    features = MelSpectrogram(*settings)
    assert features.bins == n_mels
    torch.testing.assert_close(features(speech), reference(speech).transpose(1, 2))
    decibels = torchaudio.transforms.AmplitudeToDB(top_db=30.0)
    values = MelSpectrogram(*settings, top_db=30.0)(torch.stack([speech[0], 0.01 * speech[1]]))
    for row, factor in ((0, 1.0), (1, 0.01)):  # every clip has a loudest value of its own
        expected = decibels(reference(factor * speech[row]))
        torch.testing.assert_close(values[row], expected.T, atol=1e-3, rtol=0)
        assert values[row].max() - values[row].min() == pytest.approx(30.0, abs=1e-4)


def test_the_spectrogram_is_torchaudios(speech: torch.Tensor) -> None:
    reference = torchaudio.transforms.Spectrogram(256, hop_length=128)
    values = Spectrogram()(speech)
    assert values.shape == (2, 251, 129)
    torch.testing.assert_close(values, reference(speech).transpose(1, 2))


def test_samples_are_cut_into_hops(speech: torch.Tensor) -> None:
    features = Samples(sample_rate=8000, hop_ms=10)
    values = features(speech)
    assert features.bins == features.hop_samples == 80
    assert values.shape == (2, 401, 80)
    assert torch.equal(values.flatten(1)[:, :32033], speech)
    assert not values[:, -1, 33:].any()


@pytest.mark.parametrize(
    ("name", "clip_s", "frames"),
    [("mfcc_librosa", 5, 501), ("mel_power", 5, 313), ("mel_db", 5.46, 512),
     ("spectrogram", 5, 626), ("samples", 5.46, 546)],
)  # fmt: skip
@pytest.mark.parametrize("share", [0.4, 1.0, 1.7])
def test_clips_are_made_one_length(name: str, clip_s: float, frames: int, share: float) -> None:
    features = ALL[name](clip_s=clip_s)
    length = round(clip_s * features.sample_rate)
    samples = torch.rand(1, int(share * length), generator=torch.Generator().manual_seed(0)) - 0.5
    values, speech = FrontEnd(features, EveryFrame(features.hop_samples))(samples)
    assert values.shape == (1, frames, features.bins) and speech.shape == (1, frames)
    assert speech.all()
    exact = torch.nn.functional.pad(samples, (0, max(0, length - samples.shape[1])))[:, :length]
    assert torch.equal(values, ALL[name]()(exact))
    assert torch.equal(values, features(samples))


@pytest.mark.filterwarnings("ignore:n_fft=400 is too large")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("count", [1, 100, 700])
def test_clips_shorter_than_a_window(name: str, count: int) -> None:
    features = ALL[name]()
    samples = torch.rand(1, count)
    values, speech = FrontEnd(features, EveryFrame(features.hop_samples))(samples)
    assert values.shape[1] == speech.shape[1] > 0
    assert torch.isfinite(values).all()


def test_power_is_stored_in_a_wider_range() -> None:
    stored = {name: ALL[name]().stored_as for name in ALL}
    assert stored == {
        "mfcc_librosa": "float16", "mel_power": "float32", "mel_db": "float16",
        "spectrogram": "float32", "samples": "float16",
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_nothing_of_the_features_is_kept_in_a_checkpoint(name: str) -> None:
    assert not ALL[name]().state_dict()


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (MFCCLibrosa, {"clip_s": 0}, "clip_s=0: accepted are null and more than 0"),
        (Samples, {"clip_s": -1}, "clip_s=-1"),
        (MFCCLibrosa, {"join_top_db": 0}, "join_top_db=0: accepted are null and more than 0"),
        (MelSpectrogram, {"top_db": -3}, "top_db=-3: accepted are null and more than 0"),
        (Spectrogram, {"hop_samples": 0}, "hop_samples=0: accepted are 1 and more"),
        (Samples, {"hop_ms": 0}, "hop_samples=0"),
        (MFCCLibrosa, {"n_mfcc": 0}, "bins=0"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    make: type[ClipFeatures], settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**settings)  # type: ignore[arg-type]
