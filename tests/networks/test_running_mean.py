"""Tests of langid/networks/running_mean.py; in a stream and with frames cut out: test_parity.py."""

import torch

from langid.networks.recurrent import GRU
from langid.networks.running_mean import BLOCK, PRIOR, RunningMean


def test_what_is_taken_off_is_the_faded_mean_of_the_frames_so_far() -> None:
    features = torch.randn(1, BLOCK + 100, 2, generator=torch.Generator().manual_seed(1))
    centred, memory = RunningMean(2, 50)(features, torch.zeros(1, 3))
    total, weight = torch.zeros(2), 0.0
    for frame, ours in zip(features[0], centred[0], strict=True):
        total, weight = total * 0.98 + frame, weight * 0.98 + 1
        torch.testing.assert_close(ours, frame - total / (weight + PRIOR), rtol=0, atol=1e-4)
    torch.testing.assert_close(memory, torch.cat([total, torch.tensor([weight])])[None])


def test_what_a_channel_adds_is_soon_nearly_gone_from_what_a_network_says() -> None:
    torch.manual_seed(1)
    plain, centred = GRU(4, 3, units=8), GRU(4, 3, units=8, centre_frames=200)
    centred.load_state_dict(plain.state_dict())
    features, length = torch.randn(1, 300, 4), torch.tensor([300])
    moved = features + torch.tensor([2.0, -1.0, 0.5, 3.0])
    differences = [
        (net(moved, length) - net(features, length)).abs()[0] for net in (plain, centred)
    ]
    assert differences[1][200:].max() < 0.15 * differences[0][200:].max()
    assert differences[1][0].max() > 0.5 * differences[0][0].max()  # one frame tells little
