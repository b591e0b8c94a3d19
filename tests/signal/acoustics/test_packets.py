"""Tests of langid/signal/acoustics/packets.py."""

import numpy as np
import pytest

from langid.signal.acoustics.packets import PacketLoss, lost_packets
from langid.signal.acoustics.sound import Sound


@pytest.mark.parametrize(("share", "burst"), [(0.01, 1), (0.1, 3), (0.3, 2)])
def test_packets_are_lost_by_their_share_in_runs(share: float, burst: float) -> None:
    lost = lost_packets(100_000, share, burst, np.random.default_rng(0))
    runs = np.diff(np.flatnonzero(np.diff(np.pad(lost, 1).astype(int))))[::2]
    assert lost.mean() == pytest.approx(share, rel=0.1)
    assert runs.mean() == pytest.approx(burst, rel=0.1)
    assert not lost_packets(100, 0, 1, np.random.default_rng(0)).any()


@pytest.mark.parametrize(("share", "burst"), [(0.7, 1), (0.9, 1), (0.9, 3)])
def test_where_most_are_lost_runs_are_longer(share: float, burst: float) -> None:
    lost = lost_packets(100_000, share, burst, np.random.default_rng(0))
    assert lost.mean() == pytest.approx(share, rel=0.02)


def test_any_share_and_burst_can_be_drawn() -> None:
    for share in np.random.default_rng(0).uniform(0.5, 0.9, 300):
        assert len(lost_packets(10, share, 1, np.random.default_rng(0))) == 10


def test_in_their_place_is_silence_or_the_packet_before(sound: Sound) -> None:
    seen = set()
    for seed in range(8):
        called, told = PacketLoss(1, [0.2, 0.2], [2, 2])(sound, np.random.default_rng(seed))
        packets, before = (each.samples.reshape(-1, 320) for each in (called, sound))
        lost = (packets != before).any(1)
        assert 0.05 < lost.mean() < 0.4 and np.array_equal(called.speech, sound.speech)
        for number in np.flatnonzero(lost[1:]) + 1:
            expected = packets[number - 1] / 2 if told["instead"] == "the packet before" else 0
            assert np.allclose(packets[number], expected, atol=1e-7)
        seen.add(told["instead"])
    assert seen == {"silence", "the packet before"}
