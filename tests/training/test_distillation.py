"""Tests of langid/training/distillation.py."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from langid.data.silence_policy import IGNORED
from langid.errors import LangidError
from langid.training.distillation import Distillation
from langid.training.losses import CrossEntropy

WEIGHTS = [1.0, 2.0, 4.0]


def loss_of(**settings: Any) -> Distillation:
    return Distillation([1, 1, 1], WEIGHTS, **settings)


@pytest.fixture
def said() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 5, 3).log_softmax(-1)


ALL = torch.ones(2, 5, dtype=torch.bool)
NONE = torch.full((2, 5), IGNORED)


def test_it_is_a_mean_over_speech_of_labels_and_divergence(said: Tensor) -> None:
    logits, targets, speech = torch.randn(2, 5, 3), torch.randint(3, (2, 5)), ALL.clone()
    speech[0, 3:] = False
    targets[~speech] = IGNORED
    targets[1] = IGNORED  # a clip without a label
    loss, due = loss_of(temperature=3.0, label_weight=0.25).taught(logits, targets, speech, said)
    total, weights, per_class = 0.0, 0.0, torch.tensor(WEIGHTS)
    for row, frame in speech.nonzero().tolist():
        teacher, student = ((of[row, frame] / 3).softmax(0) for of in (said, logits))
        weight = float(said[row, frame].exp() @ per_class)
        total += 0.75 * 9 * weight * float((teacher * (teacher / student).log()).sum())
        weights += weight
        if (target := int(targets[row, frame])) != IGNORED:
            own = -float(logits[row, frame].log_softmax(0)[target])
            total += 0.25 * WEIGHTS[target] * own
    assert float(due) == pytest.approx(weights, rel=1e-5)
    assert float(loss) == pytest.approx(total / weights, rel=1e-5)


def test_a_student_that_says_the_same_has_nothing_to_learn(said: Tensor) -> None:
    logits = (said + 7).requires_grad_()
    loss, _ = loss_of(label_weight=0.0).taught(logits, NONE, ALL, said.half())
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5) and logits.grad is not None
    assert logits.grad.abs().max() < 1e-3


def test_silence_as_a_class_is_not_compared(said: Tensor) -> None:
    logits = torch.randn(2, 5, 4)
    loss = Distillation([1] * 4, "none", label_weight=0.0)
    first, _ = loss.taught(logits, NONE, ALL, said)
    logits[..., 3] += 5
    assert torch.equal(loss.taught(logits, NONE, ALL, said)[0], first)


def test_a_batch_of_unlabelled_or_silent_frames_is_finite(said: Tensor) -> None:
    logits = torch.randn(2, 5, 3, requires_grad=True)
    for speech in (ALL, ~ALL):
        loss, due = loss_of().taught(logits, NONE, speech, said)
        loss.backward()
        assert loss.isfinite() and logits.grad is not None and logits.grad.isfinite().all()
        assert bool(due) == bool(speech.any())


def test_hidden_frames_are_regressed_onto_states(said: Tensor) -> None:
    output, states = nn.Linear(6, 3), torch.randn(2, 5, 2)
    loss = loss_of(state_weight=0.5, label_weight=1.0)
    loss.project(output, 6, width=2)
    hidden = torch.randn(2, 5, 6)
    logits = output(hidden)
    found, due = loss.taught(logits, NONE, ALL, torch.cat([said, states], dim=2))
    weight = said.exp() @ torch.tensor(WEIGHTS)
    distance = (hidden @ loss.projection.weight.T + loss.projection.bias - states).square().mean(-1)
    assert float(found) == pytest.approx(0.5 * float((weight * distance).sum() / due), rel=1e-5)
    assert loss.hidden is None
    loss.eval()
    output(hidden)
    assert loss.hidden is None  # nothing is kept of what is scored


@pytest.mark.parametrize("delay", [0, 2, 5])
def test_hidden_frames_tell_clusters_some_frames_later(said: Tensor, delay: int) -> None:
    output, numbers = nn.Linear(6, 3), torch.randint(4, (2, 5))
    loss = loss_of(cluster_weight=0.5, clusters=4, label_weight=1.0, delay=delay)
    loss.project(output, 6, width=4)
    hidden, speech = torch.randn(2, 5, 6), ALL.clone()
    speech[1, 3:] = False
    both = torch.cat([said, numbers[..., None]], dim=2).half()
    found, due = loss.taught(output(hidden), NONE, speech, both)
    total, per_class = 0.0, torch.tensor(WEIGHTS)
    for row, frame in speech.nonzero().tolist():
        if frame >= delay:
            told = loss.projection(hidden[row, frame]).log_softmax(0)[numbers[row, frame - delay]]
            total -= float(said[row, frame - delay].exp() @ per_class) * float(told.detach())
    assert float(due) == pytest.approx(float((said.exp() @ per_class * speech).sum()), rel=1e-3)
    assert float(found.detach()) == pytest.approx(0.5 * total / float(due), rel=2e-3)


@pytest.mark.parametrize("label_weight", [0.0, 0.3, 1.0])
def test_of_an_encoder_there_are_labels_and_clusters_alone(label_weight: float) -> None:
    output, numbers = nn.Linear(6, 3), torch.randint(4, (2, 5, 1))
    loss = loss_of(cluster_weight=2.0, clusters=4, label_weight=label_weight)
    loss.project(output, 6, width=4)
    hidden, targets = torch.randn(2, 5, 6), torch.randint(3, (2, 5))
    logits = output(hidden)
    found, due = loss.taught(logits, targets, ALL, numbers.half())
    labels = nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), torch.tensor(WEIGHTS), reduction="sum"
    )
    told = nn.functional.cross_entropy(loss.projection(hidden).flatten(0, 1), numbers.flatten())
    assert float(due) == 10
    found.backward()
    assert output.weight.grad is not None  # several processes wait for it
    expected = (label_weight * labels / 10 + 2 * told).detach()
    assert float(found.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_without_a_teacher_it_is_the_loss_of_labels() -> None:
    logits, targets = torch.randn(2, 5, 3), torch.randint(3, (2, 5))
    expected = CrossEntropy([1, 1, 1], WEIGHTS, label_smoothing=0.1)(logits, targets)
    assert torch.equal(loss_of(label_smoothing=0.1)(logits, targets), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "loss.temperature=0: accepted are numbers, more than 0"),
        ({"temperature": math.nan}, "loss.temperature=nan"),
        ({"temperature": "warm"}, "loss.temperature=warm"),
        ({"label_weight": 1.5}, "loss.label_weight=1.5: accepted are numbers, 0 to 1"),
        ({"state_weight": -1}, "loss.state_weight=-1: accepted are numbers, 0 and more"),
        ({"cluster_weight": "much"}, "loss.cluster_weight=much: accepted are numbers, 0 and more"),
        ({"clusters": 1}, "loss.clusters=1: accepted are whole numbers from 2 to 2048"),
        ({"clusters": 4000}, "loss.clusters=4000: accepted are whole numbers from 2 to 2048"),
        ({"clusters": 2.5}, "loss.clusters=2.5: accepted are whole numbers from 2 to 2048"),
        ({"delay": 0.5}, "loss.delay=0.5: accepted are numbers of frames, 0 and more"),
        ({"state_weight": 1, "cluster_weight": 1}, "loss.cluster_weight=1: hidden frames become"),
        ({"delay": 3}, "loss.delay=3: is of hidden frames, of which the teacher tells nothing"),
        ({"label_weight": 1}, "nothing is left to learn from the teacher"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LangidError, match=message):
        loss_of(**settings)
