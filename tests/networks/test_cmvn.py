"""Tests of langid/networks/cmvn.py; in a stream and with frames cut out: test_parity.py."""

import torch

from langid.networks.cmvn import CMVN, utterance_cmvn
from langid.networks.ecapa_tdnn import ECAPATDNN
from langid.networks.padding import RealFrames, frame_mask
from langid.networks.recurrent import GRU
from langid.networks.running_statistics import BLOCK, PRIOR


def test_mean_and_deviation_are_those_of_the_faded_frames_so_far() -> None:
    features = 3 * torch.randn(1, BLOCK + 100, 2, generator=torch.Generator().manual_seed(1)) + 5
    normalised, memory = CMVN(2, 50)(features, torch.zeros(1, 5))
    total, squares, weight = torch.zeros(2), PRIOR * torch.ones(2), PRIOR
    for frame, ours in zip(features[0], normalised[0], strict=True):
        total, weight = total * 0.98 + frame, (weight - PRIOR) * 0.98 + 1 + PRIOR
        squares = (squares - PRIOR) * 0.98 + frame**2 + PRIOR
        deviation = (squares / weight - (total / weight) ** 2).sqrt()
        expected = (frame - total / weight) / deviation
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)
    expected = torch.cat([total, squares - PRIOR, torch.tensor([weight - PRIOR])])
    torch.testing.assert_close(memory, expected[None], rtol=1e-4, atol=1e-3)


def test_what_a_channel_does_is_soon_nearly_gone_from_what_a_network_says() -> None:
    torch.manual_seed(1)
    plain, normalising = GRU(4, 3, units=8), GRU(4, 3, units=8, cmvn_frames=200)
    normalising.load_state_dict(plain.state_dict())
    features, length = torch.randn(1, 300, 4), torch.tensor([300])
    changed = 1.5 * features + torch.tensor([2.0, -1.0, 0.5, 3.0])
    both = [(net(changed, length) - net(features, length)).abs()[0] for net in (plain, normalising)]
    assert both[1][200:].max() < 0.3 * both[0][200:].max()
    assert both[1][0].max() > 0.3 * both[0][0].max()  # one frame tells little


def test_silence_of_one_value_stays_finite() -> None:
    frames = torch.full((1, 5000, 3), -4.0)
    assert CMVN(3, 20)(frames, torch.zeros(1, 7))[0].isfinite().all()


def test_an_utterance_has_mean_0_and_deviation_1_in_every_bin() -> None:
    features = 3 * torch.randn(2, 9, 4) + 5
    normalised = utterance_cmvn(features, RealFrames(frame_mask(torch.tensor([9, 5]), 9)))
    for row, length in enumerate((9, 5)):
        frames = normalised[row, :length]
        torch.testing.assert_close(frames.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
        torch.testing.assert_close(frames.std(0, correction=0), torch.ones(4))
    assert (utterance_cmvn(torch.full((1, 3, 4), 7.0), None) == 0).all()  # silence of one value


def test_what_a_channel_does_is_gone_from_what_a_network_of_utterances_says() -> None:
    torch.manual_seed(1)
    sizes = {"channels": 16, "aggregated": 8, "embedding": 4, "bottleneck": 4}
    network = ECAPATDNN(4, 3, **sizes, cmvn=True).eval()
    features, lengths = torch.randn(2, 40, 4), torch.tensor([40, 25])
    changed = 1.5 * features + torch.tensor([2.0, -1.0, 0.5, 3.0])
    torch.testing.assert_close(network(changed, lengths), network(features, lengths))
    network.cmvn = False
    assert (network(changed, lengths) - network(features, lengths)).abs().max() > 1e-3
