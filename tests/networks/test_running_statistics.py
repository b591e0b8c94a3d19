"""Tests of langid/networks/running_statistics.py; of features, normalised by it: test_cmvn.py."""

import pytest
import torch

from langid.networks.recurrent import GRU, BiGRU
from langid.networks.running_statistics import LEAST, PRIOR, StatisticsPooling


def test_pooled_are_mean_and_deviation_of_the_faded_frames_so_far() -> None:
    hidden = torch.randn(1, 40, 2, generator=torch.Generator().manual_seed(1))
    pooled, memory = StatisticsPooling(2, 20)(hidden, torch.zeros(1, 5))
    for frame in range(40):
        faded = 0.95 ** torch.arange(frame, -1, -1.0)[:, None]
        mean = (faded * hidden[0, : frame + 1]).sum(0) / (faded.sum() + PRIOR)
        square = (faded * hidden[0, : frame + 1] ** 2).sum(0) / (faded.sum() + PRIOR)
        expected = torch.cat([mean, (square - mean**2).clamp(min=LEAST).sqrt()])
        torch.testing.assert_close(pooled[0, frame], expected, rtol=1e-4, atol=1e-5)
    assert memory.shape == (1, 5)


def test_a_frame_that_is_skipped_has_what_was_pooled_before() -> None:
    pooling, hidden = StatisticsPooling(2, 20), torch.randn(1, 3, 2)
    before = torch.rand(1, 5) + 1
    kept, memory = pooling(hidden[:, :1], before)
    pooled, after = pooling(hidden, before, torch.tensor([[0, 1, 1]]))
    assert torch.equal(after, memory)
    assert torch.equal(pooled[:, 1], kept[:, 0]) and torch.equal(pooled[:, 2], kept[:, 0])
    assert not torch.equal(pooled[:, 0], kept[:, 0])


def test_answers_settle_on_what_was_heard_for_long() -> None:
    torch.manual_seed(1)
    frames = torch.cat([torch.randn(1, 400, 4), torch.randn(1, 5, 4) + 3], dim=1)
    length = torch.tensor([405])
    moved = []
    for network in (GRU(4, 3, units=8), GRU(4, 3, units=8, pooling_frames=200)):
        logits = network(frames, length)[0].detach()
        moved.append(float((logits[-1] - logits[399]).abs().max() / logits[:400].std(0).max()))
    assert moved[1] < 0.5 * moved[0]


def test_whole_utterances_are_not_pooled_so() -> None:
    with pytest.raises(ValueError, match=r"pooling_frames=50: accepted is 0 .*it is for rnn, gru"):
        BiGRU(4, 3, pooling_frames=50)
