"""Every streaming network as an ONNX file, and the refusal of those that need whole utterances."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.errors import LangidError
from langid.export.onnx import export_onnx
from langid.export.parity import feed_clip
from langid.streaming.streamer import StreamingIdentifier
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import described

SMALL: dict[str, dict[str, Any]] = {
    "recurrent.RNN": {"units": [12, 8], "dense": 10},
    "recurrent.GRU": {"units": [12, 8], "dense": 10},
    "recurrent.LSTM": {"units": [12, 8], "dense": 10},
    "tcn.TCN": {"channels": 8, "layers": 2, "dense": 10},
    "conformer.Conformer": {
        "width": 8, "layers": 1, "heads": 2, "kernel": 3, "context_frames": 20
    },
    "recurrent.GRU cmvn": {"units": [12, 8], "dense": 10, "cmvn_frames": 50},
    "recurrent.GRU pooling": {"units": [12, 8], "dense": 10, "pooling_frames": 50},
    "recurrent.GRU cmvn and pooling": {
        "units": [12, 8], "dense": 10, "cmvn_frames": 250, "pooling_frames": 25
    },
    "recurrent.GRU pauses": {
        "units": [12, 8], "dense": 10, "cmvn_frames": 250, "pooling_frames": 25, "pause_frames": 3
    },
    "recurrent.GRU convolutions": {"units": [12, 8], "dense": 10, "convolutions": [4, 6]},
    "tcn.TCN cmvn": {"channels": 8, "layers": 2, "dense": 10, "cmvn_frames": 50},
    "conformer.Conformer cmvn": {
        "width": 8, "layers": 1, "heads": 2, "kernel": 3, "context_frames": 20, "cmvn_frames": 50
    },
}  # fmt: skip


FEATURES = {  # by silence policy, so that both kinds meet every network
    "mask": {"_target_": "langid.signal.features.MFCC", "n_mels": 24, "n_mfcc": 20},
    "remove": {"_target_": "langid.signal.features.LogMel", "n_mels": 24},
    "label": {"_target_": "langid.signal.features.LogMel", "n_mels": 24},
}


ENERGY = {"_target_": "langid.signal.speech_detector.EnergyDetector"}
LEARNED = {"_target_": "langid.signal.learned_detector.LearnedDetector"}


def untrained(
    network: str,
    silence: str,
    clip: np.ndarray,
    stride: int = 1,
    detector: dict[str, str] = ENERGY,
    features: dict[str, Any] | None = None,
) -> LanguageIdentifier:
    """Return an identifier with confident posteriors, normalised on a clip."""
    torch.manual_seed(0)
    target, _, setting = network.partition(" ")
    sizes = SMALL[network] if setting else SMALL.get(network, {})
    if "convolutions" in sizes:
        sizes = sizes | {"stacked": stride}
    identifier = build_identifier(
        described(
            features=features or FEATURES[silence],
            detector=detector,
            classes=["English", "Hindi", "Mandarin"],
            silence=silence,
            model={
                "_target_": "langid.training.identifier.LanguageIdentifier",
                "network": {"_target_": f"langid.networks.{target}", **sizes},
                "stride": stride,
            },
        )
    ).eval()
    frames = identifier.front_end(torch.from_numpy(clip)[None])[0]
    identifier.normaliser.fit(frames[0].mean(0), frames[0].std(0))
    with torch.no_grad():
        logits = identifier(frames, torch.tensor([frames.shape[1]]))
        output: Any = identifier.network.output
        output.bias.sub_(logits[0].mean(0))  # or some posterior would be 1 in all frames
        for weights in output.parameters():
            weights.div_(logits.std(1).mean())
    return identifier


def with_silence(clip: np.ndarray) -> np.ndarray:
    """Return a second of speech, and a tenth that is not a whole number of hops, with a pause."""
    excerpt = clip[16000:33603].copy()
    excerpt[6000:9000] = 0
    return excerpt


# RNN and GRU take steps alike, and the fixture ``exported`` is a GRU with either policy.
# Pauses are those of test_stride.py.
CASES = [
    *((name, "remove", ENERGY) for name in SMALL if "pauses" not in name),
    *(
        (name, "mask", ENERGY) for name in [*SMALL][2:-2] if "pauses" not in name
    ),  # one cmvn will do
    *(("recurrent.GRU", silence, LEARNED) for silence in ("remove", "mask")),
]


@pytest.mark.parametrize(("network", "silence", "detector"), CASES)
def test_onnx_equals_pytorch(
    network: str, silence: str, detector: dict[str, str], clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = untrained(network, silence, clips[0], detector=detector)
    path = tmp_path / "model.onnx"
    differences = export_onnx(identifier, path, [with_silence(clips[0])])
    assert max(differences.values()) <= 1e-4
    stream, heard = StreamingIdentifier.load(path), with_silence(clips[5])
    expected, speech = (
        tensor[0].numpy() for tensor in identifier.posteriors(torch.from_numpy(heard)[None])
    )
    assert 0 < speech.sum() < len(speech)
    assert np.ptp(expected, axis=0).max() > 0.1  # or there is nothing to compare
    for chunk in (1, 37, 160, 1600, len(heard)):
        stream.reset()
        pieces = [stream.feed(heard[i : i + chunk]) for i in range(0, len(heard), chunk)]
        posteriors = np.concatenate([*pieces, stream.flush()])
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "timing", [{"sample_rate": 8000}, {"hop_ms": 20.0}, {"hop_ms": 12.5}], ids=str
)
def test_the_learned_detector_in_files_of_other_rates_and_hops(
    timing: dict[str, float], clips: list[np.ndarray], tmp_path: Path
) -> None:
    features = FEATURES["remove"] | timing
    identifier = untrained("recurrent.GRU", "remove", clips[0], 1, LEARNED, features)
    path, heard = tmp_path / "model.onnx", with_silence(clips[5])
    assert max(export_onnx(identifier, path, [with_silence(clips[0])]).values()) <= 1e-4
    expected, speech = identifier.posteriors(torch.from_numpy(heard)[None])
    assert 0 < speech.sum() < speech.numel()
    for chunk in (37, 1600):
        posteriors = feed_clip(StreamingIdentifier.load(path), heard, chunk)
        np.testing.assert_allclose(posteriors, expected[0].numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("network", ["recurrent.BiGRU", "recurrent.BiLSTM"])
def test_both_directions_are_refused(network: str, clips: list[np.ndarray], tmp_path: Path) -> None:
    identifier = untrained(network, "mask", clips[0])
    name = network.partition(".")[2]
    message = f"cannot be streamed: the network {name} needs the whole utterance: train model=gru"
    with pytest.raises(LangidError, match=message):
        export_onnx(identifier, tmp_path / "model.onnx", clips[:1])
    assert list(tmp_path.iterdir()) == []
