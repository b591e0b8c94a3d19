from pathlib import Path

import pytest
import torch

from langid.audio.decode import read_audio
from langid.signal.clip_features import MFCCLibrosa
from langid.signal.features import MFCC, LogMel
from langid.signal.front_end import FrontEnd
from langid.signal.speech_detector import Detector, EnergyDetector, EveryFrame, LibrosaDetector


@pytest.mark.parametrize("hops", [1, 10])
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("detector", [EnergyDetector, EveryFrame])
def test_steps_give_the_same_as_the_whole(
    real_clips: list[Path], hops: int, stride: int, detector: type[Detector]
) -> None:
    front_end = FrontEnd(LogMel(), detector(160), stride)
    samples = torch.from_numpy(read_audio(real_clips[5], 16000))[None, :48000]
    features, speech = front_end(samples)
    assert features.shape[:2] == speech.shape
    state = front_end.initial_state(1)
    pieces = []
    for chunk in torch.split(samples, hops * front_end.hop_samples, dim=1):
        *piece, state = front_end.step(chunk, state)
        pieces.append(piece)
    assert torch.allclose(torch.cat([piece[0] for piece in pieces], 1), features, atol=1e-5)
    assert torch.equal(torch.cat([piece[1] for piece in pieces], 1), speech)


def test_obstacles_name_what_cannot_be_streamed() -> None:
    assert FrontEnd(MFCC(), EnergyDetector(160)).obstacles == []
    (features,) = FrontEnd(MFCCLibrosa(), EnergyDetector(160)).obstacles
    assert "MFCCLibrosa are not causal" in features and "features=mfcc" in features
    (detector,) = FrontEnd(MFCC(), LibrosaDetector(160)).obstacles
    assert "LibrosaDetector" in detector and "detector=learned or energy" in detector
    both = FrontEnd(MFCCLibrosa(), LibrosaDetector(160))
    assert len(both.obstacles) == 2
    features_, speech = both(torch.randn(1, 16000))
    assert features_.shape == (1, 100, 64) and speech.shape == (1, 100)


def test_a_stride_makes_one_frame_of_several(real_clips: list[Path]) -> None:
    samples = torch.from_numpy(read_audio(real_clips[5], 16000))[None, :40300]
    one, four = (FrontEnd(LogMel(), EnergyDetector(160), stride) for stride in (1, 4))
    assert (four.hop_samples, four.bins) == (640, 4 * one.bins)
    features, speech = four(samples)
    filled = torch.cat([samples, samples[:, -1:].expand(-1, 20)], dim=1)  # 63 hops of 640
    single, marks = one(filled)
    assert torch.equal(features[0].reshape(-1, 64), single[0])
    several = marks.reshape(-1, 4).sum(1)
    assert torch.equal(speech[0], several > 2)
    assert 2 in several  # which is half of a frame, and not most of it


def test_of_features_that_look_ahead_the_last_frame_is_repeated() -> None:
    front_end = FrontEnd(MFCCLibrosa(), LibrosaDetector(160), 4)
    features, speech = front_end(torch.randn(1, 16000 + 160))
    assert features.shape == (1, 26, 256) and speech.shape == (1, 26)
    *_, last = features[0].reshape(-1, 4, 64)
    assert torch.equal(last[1:], last[:1].expand(3, -1)) and not torch.equal(last[0], last[1] + 1)
