"""The fused module against the identifier that it was made of."""

from typing import Any

import numpy as np
import pytest
import torch

from langid.export.graph.fused_graph import FusedModule
from langid.export.streaming_module import TorchModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ...conftest import described

MFCC = {"_target_": "langid.signal.features.MFCC", "n_mels": 32, "n_mfcc": 20}
LOG_MEL = {"_target_": "langid.signal.features.LogMel", "n_mels": 24}
SHORT = LOG_MEL | {"window_ms": 10.0, "n_mels": 12}
ENERGY = {"_target_": "langid.signal.speech_detector.EnergyDetector"}
LEARNED = {"_target_": "langid.signal.learned_detector.LearnedDetector"}
EVERY_FRAME = {"_target_": "langid.signal.speech_detector.EveryFrame"}
GRU = {"_target_": "langid.networks.recurrent.GRU", "units": [12, 8], "dense": 10}
POOLED = GRU | {"cmvn_frames": 50, "pooling_frames": 10}
LSTM = {"_target_": "langid.networks.recurrent.LSTM", "units": 12, "dense": 0}
RNN = {"_target_": "langid.networks.recurrent.RNN", "units": 12, "activation": "tanh"}
TCN = {"_target_": "langid.networks.tcn.TCN", "channels": 8, "layers": 2, "dense": 10}


def untrained(
    features: dict[str, Any],
    detector: dict[str, Any],
    network: dict[str, Any],
    silence: str,
    clip: np.ndarray,
) -> LanguageIdentifier:
    """Return an identifier with random weights and biases, normalised on a clip."""
    torch.manual_seed(0)
    identifier = build_identifier(
        described(
            features=features,
            detector=detector,
            classes=["English", "Hindi", "Mandarin"],
            silence=silence,
            model={
                "_target_": "langid.training.identifier.LanguageIdentifier",
                "network": network,
            },
        )
    ).eval()
    frames = identifier.front_end(torch.from_numpy(clip)[None])[0][0]
    identifier.normaliser.fit(frames.mean(0), frames.std(0))
    with torch.no_grad():
        identifier.network.output.weight.mul_(10)  # type: ignore[union-attr, operator]
    return identifier


@pytest.mark.parametrize(
    ("features", "detector", "network", "silence"),
    [
        (MFCC, ENERGY, GRU, "mask"),
        (MFCC, ENERGY, LSTM, "remove"),
        (LOG_MEL, ENERGY, RNN, "label"),
        (MFCC, ENERGY, TCN, "remove"),
        (MFCC, LEARNED, GRU, "remove"),
        (LOG_MEL, LEARNED, LSTM, "label"),
        (LOG_MEL, LEARNED, POOLED, "remove"),
        (SHORT, LEARNED, GRU, "mask"),  # windows hold no two ticks of the detector
        (LOG_MEL, EVERY_FRAME, TCN, "mask"),  # a front end that it does not know
        (MFCC, EVERY_FRAME, GRU, "mask"),
    ],
)
def test_it_computes_what_the_identifier_does(
    features: dict[str, Any],
    detector: dict[str, Any],
    network: dict[str, Any],
    silence: str,
    clips: list[np.ndarray],
) -> None:
    clip = clips[0][16000:32000].copy()
    clip[5000:9000] = 0  # silence longer than the hangover
    identifier = untrained(features, detector, network, silence, clip)
    weights = {name: value.clone() for name, value in identifier.state_dict().items()}
    stepper = TorchModel(FusedModule(identifier)).stepper()
    pieces = [stepper.step(clip[None, start : start + 1600]) for start in range(0, 16000, 1600)]
    posteriors, speech = (np.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True))
    expected, marked = identifier.posteriors(torch.from_numpy(clip)[None])
    np.testing.assert_array_equal(speech, marked.numpy())
    assert speech.all() == (detector is EVERY_FRAME)
    assert np.ptp(posteriors, axis=1).max() > 0.05  # or there is nothing to compare
    np.testing.assert_allclose(posteriors, expected.numpy(), rtol=0, atol=1e-5)
    for name, value in identifier.state_dict().items():
        assert torch.equal(value, weights[name]), name
