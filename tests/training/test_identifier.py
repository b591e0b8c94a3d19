"""Tests of langid/training/identifier.py; whole runs are tested in commands/test_train.py."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

import langid as package
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.signal.audio import read_audio
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier


def untrained(checkpoint_path: Path, silence: str) -> LanguageIdentifier:
    description: dict[str, Any] = package.load(checkpoint_path).description
    torch.manual_seed(0)
    return build_identifier(description | {"silence": silence}).eval()


@pytest.mark.parametrize("silence", ["keep", "mask", "remove", "label"])
def test_posteriors_are_over_languages_alone(checkpoint_path: Path, silence: str) -> None:
    identifier = untrained(checkpoint_path, silence)
    logits = torch.tensor([1.0, 2.0, 3.0, 99.0][: 4 if silence == "label" else 3])
    posteriors = identifier.language_posteriors(logits)
    torch.testing.assert_close(posteriors, torch.tensor([1.0, 2.0, 3.0]).softmax(0))


def test_under_remove_silent_frames_are_not_heard(
    checkpoint_path: Path, real_clips: list[Path]
) -> None:
    identifier = untrained(checkpoint_path, "remove")
    samples = torch.from_numpy(read_audio(str(real_clips[0]), 16000))[None]
    posteriors, speech = identifier.posteriors(samples)
    assert 0 < int(speech.sum()) < speech.numel()
    with torch.inference_mode():
        features = identifier.front_end(samples)[0][speech][None]
        logits = identifier(features, torch.tensor([features.shape[1]]))
        expected = identifier.language_posteriors(logits)
    torch.testing.assert_close(posteriors[speech][None], expected, atol=1e-5, rtol=0)


def test_frame_accuracy_counts_speech_frames(checkpoint_path: Path) -> None:
    identifier = untrained(checkpoint_path, "mask")
    logits = torch.tensor([[[9.0, 0, 0], [0, 9, 0], [9, 0, 0], [0, 0, 9]]])
    speech = torch.tensor([[True, True, True, False]])
    empty = torch.zeros(0)
    batch = Batch(empty, torch.tensor([4]), empty, speech, torch.tensor([0]), torch.tensor([0]))
    assert float(identifier._frame_accuracy(logits, batch)) == pytest.approx(2 / 3)


def test_validation_accuracy_is_that_of_mean_posteriors(
    checkpoint_path: Path, store_path: Path
) -> None:
    """The figures in the checkpoint are computed again here, clip by clip, without Lightning."""
    identifier = package.load(checkpoint_path)
    data = LanguageDataModule(store_path, SpeakerSplit(), "mask")
    predicted, targets = [], []
    for start, stop, target in data.sequences["validation"][["start", "stop", "target"]].to_numpy():
        features, speech = data.store.read(int(start), int(stop))
        frames = torch.from_numpy(features).float()[None]
        with torch.inference_mode():
            posteriors = identifier(frames, torch.tensor([len(speech)])).softmax(-1)
        predicted.append(int(posteriors[0, speech].mean(0).argmax()))
        targets.append(int(target))
    pair = torch.tensor(predicted), torch.tensor(targets)
    held = torch.load(checkpoint_path, weights_only=True)["langid_validation"]
    assert held["accuracy"] == pytest.approx(
        sum(map(int.__eq__, predicted, targets)) / len(targets), abs=1e-6
    )
    balanced = multiclass_accuracy(*pair, num_classes=3, average="macro")
    assert held["balanced_accuracy"] == pytest.approx(float(balanced), abs=1e-6)


def test_normaliser_was_fitted_to_the_training_speakers_alone(
    checkpoint_path: Path, store_path: Path
) -> None:
    identifier = package.load(checkpoint_path)
    data = LanguageDataModule(store_path, SpeakerSplit(), "mask")
    rows = data.parts["row"][data.parts["part"] == "train"]
    frames = []
    for first, count in data.store.utterances.iloc[rows][["first_frame", "frames"]].to_numpy():
        features, speech = data.store.read(int(first), int(first + count))
        frames.append(torch.from_numpy(features[speech]).double())
    speech_frames = torch.cat(frames)
    torch.testing.assert_close(
        -(identifier.normaliser.shift / identifier.normaliser.scale).double(),
        speech_frames.mean(0),
        atol=1e-4,
        rtol=1e-4,
    )
    scale = 1 / speech_frames.std(0, correction=0)
    torch.testing.assert_close(identifier.normaliser.scale.double(), scale, atol=1e-4, rtol=1e-3)
