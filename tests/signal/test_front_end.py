from pathlib import Path

import pytest
import torch

from langid.audio.decode import read_audio
from langid.signal.clip_features import MFCCLibrosa
from langid.signal.features import MFCC, LogMel
from langid.signal.front_end import FrontEnd
from langid.signal.speech_detector import Detector, EnergyDetector, EveryFrame, LibrosaDetector


@pytest.mark.parametrize("hops", [1, 10])
@pytest.mark.parametrize("detector", [EnergyDetector, EveryFrame])
def test_steps_give_the_same_as_the_whole(
    real_clips: list[Path], hops: int, detector: type[Detector]
) -> None:
    front_end = FrontEnd(LogMel(), detector(160))
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
    assert "LibrosaDetector" in detector and "detector=energy" in detector
    both = FrontEnd(MFCCLibrosa(), LibrosaDetector(160))
    assert len(both.obstacles) == 2
    features_, speech = both(torch.randn(1, 16000))
    assert features_.shape == (1, 100, 64) and speech.shape == (1, 100)
