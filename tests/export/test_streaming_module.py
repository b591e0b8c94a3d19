"""The stateful function of PCM that is exported, in PyTorch."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from langid.errors import LangidError
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.networks.network import Network
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import variant


class WholeUtterance(Network):
    """A network that cannot be streamed."""

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return features.mean(1, keepdim=True)[..., :3]


def test_a_network_without_steps_is_refused(trained: LanguageIdentifier) -> None:
    identifier = LanguageIdentifier(
        WholeUtterance(), trained.front_end, trained.classes, trained.silence, trained.described
    )
    with pytest.raises(LangidError, match="WholeUtterance needs the whole utterance: train model="):
        StreamingModule(identifier)


def test_all_reasons_are_given_at_once(trained: LanguageIdentifier) -> None:
    identifier = variant(
        trained,
        features={"_target_": "langid.signal.clip_features.MFCCLibrosa"},
        detector={"_target_": "langid.signal.speech_detector.LibrosaDetector"},
    )
    with pytest.raises(LangidError, match=r"MFCCLibrosa .*; .*LibrosaDetector"):
        StreamingModule(identifier)


def test_streaming_switches_dropout_off(trained: LanguageIdentifier) -> None:
    identifier = variant(trained)
    identifier.train()
    module = StreamingModule(identifier)
    assert not any(part.training for part in module.modules() if isinstance(part, nn.Dropout))


@pytest.mark.parametrize("policy", ["keep", "mask", "label", "remove"])
def test_steps_of_any_length_equal_one_step(
    trained: LanguageIdentifier, clips: list[np.ndarray], policy: str
) -> None:
    torch.manual_seed(0)
    identifier = build_identifier(replace(trained.described, silence=policy))
    model = TorchModel(StreamingModule(identifier))
    samples = np.stack([clip[8000:16000] for clip in clips[:2]])
    samples[:, :3200] *= 1e-4  # so that there is silence to hold the state over
    whole, speech = model.stepper(2).step(samples)
    assert 0 < speech.sum() < speech.size
    assert whole.shape == (2, 50, 3)  # the class silence of the policy label is left out
    np.testing.assert_allclose(whole.sum(-1), 1, atol=1e-5)
    stepper = model.stepper(2)
    pieces = [
        stepper.step(samples[:, start:stop])[0]
        for start, stop in pairwise((0, 160, 480, 1600, 8000))
    ]
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole, atol=1e-5)
    backwards = model.stepper(2).step(samples[:, ::-1].copy()[:, ::-1])[0]  # the same, as a view
    np.testing.assert_allclose(backwards, whole, atol=1e-5)


def test_removed_frames_hold_the_posteriors(
    trained: LanguageIdentifier, clips: list[np.ndarray]
) -> None:
    model = TorchModel(StreamingModule(variant(trained, silence="remove")))
    samples = np.concatenate([clips[0][16000:24000], np.zeros(16000, np.float32)])[None]
    posteriors, speech = model.stepper().step(samples)
    last = int(np.flatnonzero(speech[0])[-1])
    assert last < len(posteriors[0]) - 20
    after = posteriors[0, last + 1 :]
    np.testing.assert_allclose(after, np.broadcast_to(posteriors[0, last], after.shape), atol=1e-6)
