"""Tests of langid/training/scores.py."""

import torch

from langid.training.scores import UtteranceScores


def test_mean_over_speech_frames_of_all_pieces() -> None:
    scores = UtteranceScores(units=4, classes=2)
    posteriors = torch.tensor(
        [[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], [[0.4, 0.6], [0.3, 0.7], [0.9, 0.1]]]
    )
    speech = torch.tensor([[True, False, True], [True, True, False]])
    scores.update(posteriors, speech, torch.tensor([2, 0]), torch.tensor([0, 1]))
    # another piece of utterance 2, twice in one batch, and one of utterance 3 without speech
    speech = torch.tensor([[True, True, True], [False, False, False]])
    scores.update(posteriors, speech, torch.tensor([2, 3]), torch.tensor([0, 1]))
    both = torch.ones(2, 3).bool()
    scores.update(posteriors[[1, 1]], both, torch.tensor([2, 2]), torch.tensor([0, 0]))
    seen, means, frames, right = scores.compute()
    assert seen.tolist() == [0, 2]
    assert frames.tolist() == [2, 11]
    assert right.tolist() == [2, 1 + 2 + 1 + 1]  # of two equal posteriors the first counts
    first = (1.0 + 0.2 + 1.0 + 0.5 + 0.2 + 2 * (0.4 + 0.3 + 0.9)) / 11
    expected = torch.tensor([[0.35, 0.65], [first, 1 - first]], dtype=torch.float64)
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=0)


def test_one_frame_of_posteriors_counts_by_the_speech_frames_of_its_piece() -> None:
    scores = UtteranceScores(units=2, classes=2)
    posteriors = torch.tensor([[[0.9, 0.1]], [[0.3, 0.7]], [[0.5, 0.5]]])
    speech = torch.tensor([[True, True, True], [False, True, False], [False, False, False]])
    scores.update(posteriors, speech, torch.tensor([1, 1, 0]), torch.tensor([0, 0, 1]))
    seen, means, frames, right = scores.compute()
    assert (seen.tolist(), frames.tolist(), right.tolist()) == ([1], [4], [3])
    first = (3 * 0.9 + 0.3) / 4
    expected = torch.tensor([[first, 1 - first]], dtype=torch.float64)
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=0)
