"""Tests of langid/training/scores.py."""

import pytest
import torch
from torch import Tensor

from langid.data.dataset import Batch
from langid.training.scores import UtteranceScores
from langid.utterance import utterance_posterior


def batch_of(
    speech: Tensor, unit: list[int], target: list[int], lengths: list[int] | None = None
) -> Batch:
    """Return what a batch says of its frames."""
    whole = torch.tensor(lengths or [speech.shape[1]] * len(speech))
    empty = torch.zeros(0)
    return Batch(empty, whole, empty, speech, torch.tensor(target), torch.tensor(unit))


def test_mean_over_speech_frames_of_all_pieces() -> None:
    scores = UtteranceScores(units=4, classes=2)
    posteriors = torch.tensor(
        [[[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], [[0.4, 0.6], [0.3, 0.7], [0.9, 0.1]]]
    )
    speech = torch.tensor([[True, False, True], [True, True, False]])
    scores.update(posteriors, batch_of(speech, [2, 0], [0, 1]))
    # another piece of utterance 2, twice in one batch, and one of utterance 3 without speech
    speech = torch.tensor([[True, True, True], [False, False, False]])
    scores.update(posteriors, batch_of(speech, [2, 3], [0, 1]))
    both = torch.ones(2, 3).bool()
    scores.update(posteriors[[1, 1]], batch_of(both, [2, 2], [0, 0]))
    seen, means, frames, right = scores.compute()
    assert seen.tolist() == [0, 2, 3]
    assert frames.tolist() == [2, 11, 0]  # of the last one all frames made the mean
    assert right.tolist() == [2, 1 + 2 + 1 + 1, 0]  # of two equal posteriors the first counts
    first = (1.0 + 0.2 + 1.0 + 0.5 + 0.2 + 2 * (0.4 + 0.3 + 0.9)) / 11
    silent = (0.4 + 0.3 + 0.9) / 3
    expected = torch.tensor(
        [[0.35, 0.65], [first, 1 - first], [silent, 1 - silent]], dtype=torch.float64
    )
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=0)


def test_one_frame_of_posteriors_counts_by_the_speech_frames_of_its_piece() -> None:
    scores = UtteranceScores(units=2, classes=2)
    posteriors = torch.tensor([[[0.9, 0.1]], [[0.3, 0.7]], [[0.5, 0.5]]])
    speech = torch.tensor([[True, True, True], [False, True, False], [False, False, False]])
    scores.update(posteriors, batch_of(speech, [1, 1, 0], [0, 0, 1]))
    seen, means, frames, right = scores.compute()
    assert (seen.tolist(), frames.tolist(), right.tolist()) == ([0, 1], [0, 4], [0, 3])
    first = (3 * 0.9 + 0.3) / 4
    expected = torch.tensor([[0.5, 0.5], [first, 1 - first]], dtype=torch.float64)
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("cumulative", [False, True])
def test_pieces_of_an_utterance_are_scored_as_the_whole(cumulative: bool) -> None:
    torch.manual_seed(0)
    posteriors = torch.randn(3, 50, 4).softmax(-1)
    speech = torch.rand(3, 50) < torch.tensor([0.5, 0.02, 0.0])[:, None]
    there = torch.arange(50) < torch.tensor([50, 30, 40])[:, None]
    speech &= there
    scores = UtteranceScores(units=3, classes=4, cumulative=cumulative)
    for start in (0, 20, 40):
        part = slice(start, start + 20)
        lengths = there[:, part].sum(1).tolist()
        piece = batch_of(speech[:, part], [0, 1, 2], [0, 1, 2], lengths)
        scores.update(posteriors[:, part], piece)
    expected = utterance_posterior(posteriors.double(), speech, there, cumulative)
    _, means, frames, _ = scores.compute()
    torch.testing.assert_close(means, expected, atol=1e-6, rtol=0)
    assert frames.tolist() == speech.sum(1).tolist()
