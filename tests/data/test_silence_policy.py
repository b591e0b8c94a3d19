"""Tests of langid/data/silence_policy.py."""

import itertools

import numpy as np
import pytest
import torch

from langid.data.silence_policy import IGNORED, POLICIES, silence_policy
from langid.errors import LangidError

MARKS = "..##.#.."
SPEECH = np.array([mark == "#" for mark in MARKS])
TARGETS = {
    "keep": [1] * 8,
    "mask": [1 if spoken else IGNORED for spoken in SPEECH],
    "remove": [1 if spoken else IGNORED for spoken in SPEECH],
    "label": [1 if spoken else 2 for spoken in SPEECH],
}
CLASS_FRAMES = {"keep": [5, 8], "mask": [4, 3], "remove": [4, 3], "label": [4, 3, 6]}


@pytest.mark.parametrize("name", POLICIES)
def test_what_a_policy_asks_of_every_frame(name: str) -> None:
    policy = silence_policy(name)
    speech = torch.from_numpy(np.stack([SPEECH, np.zeros(8, bool)]))
    there = torch.tensor([[True] * 8, [False] * 8])  # nothing is asked of padding
    targets = policy.targets(torch.tensor([1, 0]), speech, there, classes=2)
    assert targets.tolist() == [TARGETS[name], [IGNORED] * 8]
    frames, spoken = np.array([8, 5]), np.array([3, 4])
    assert policy.class_frames(np.array([1, 0]), frames, spoken, 2) == CLASS_FRAMES[name]
    assert policy.extra_outputs == (1 if name == "label" else 0)


@pytest.mark.parametrize("name", POLICIES)
def test_what_a_network_hears_and_where_its_sequences_end(name: str) -> None:
    policy = silence_policy(name)
    kept = policy.kept(SPEECH)
    assert kept.tolist() == (SPEECH.tolist() if name == "remove" else [True] * 8)
    assert torch.equal(policy.kept(torch.from_numpy(SPEECH)), torch.from_numpy(kept))
    none = policy.kept(np.zeros((2, 3), bool))
    assert none.sum(1).tolist() == ([1, 1] if policy.removes else [3, 3])  # one frame at least
    ends = policy.ends(SPEECH, np.array([0, 8]), 2).tolist()
    assert ends == ([5, 8] if name == "remove" else [2, 4, 6, 8])


def test_another_name_is_refused() -> None:
    with pytest.raises(LangidError, match="silence=drop: accepted are keep, mask, remove, label"):
        silence_policy("drop")


@pytest.mark.parametrize("name", POLICIES)
def test_sequences_of_many_utterances_end_where_those_of_each_alone_do(name: str) -> None:
    policy, random = silence_policy(name), np.random.default_rng(0)
    offsets = np.append(0, random.integers(1, 30, 50).cumsum())
    speech = random.random(offsets[-1]) < 0.6
    speech[offsets[3] : offsets[4]] = False
    alone = [
        begin + policy.ends(speech[begin:end], np.array([0, end - begin]), 7)
        for begin, end in itertools.pairwise(offsets)
    ]
    assert len(np.concatenate(alone)) > 70
    assert policy.ends(speech, offsets, 7).tolist() == np.concatenate(alone).tolist()
