"""Tests of langid/data/pieces.py."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from langid.data.pieces import cut_whole, piece_batches
from langid.data.silence_policy import silence_policy
from langid.data.store import Store

UNITS = np.array([3, 3, 3, 7, 8, 8, 10, 11, 12, 12, 12, 12])
LENGTHS = np.array([9, 9, 2, 5, 9, 9, 3, 8, 9, 9, 9, 1])


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_place_goes_on_until_its_unit_ends(size: int) -> None:
    batches = piece_batches(UNITS, LENGTHS, size)
    assert sorted(index for batch in batches for index in batch) == list(range(len(UNITS)))
    assert max(map(len, batches)) <= size
    before: Sequence[int] = ()
    for batch in batches:
        goes_on = [index - 1 for index in batch] == list(before[: len(batch)])
        if not goes_on:  # then all begin, and all of the batch before have ended
            assert all(UNITS[index] not in UNITS[:index] for index in batch)
            assert all(UNITS[index] not in UNITS[index + 1 :] for index in before)
        else:  # those that do not go on have ended
            ended = before[len(batch) :]
            assert all(UNITS[index] not in UNITS[index + 1 :] for index in ended)
        before = batch


def test_units_of_like_length_share_a_batch() -> None:
    firsts = [batch for batch in piece_batches(UNITS, LENGTHS, 2) if batch[0] in (0, 3, 4, 6, 7, 8)]
    assert [sorted(UNITS[batch].tolist()) for batch in firsts[:2]] == [[7, 10], [8, 11]]


def test_processes_have_whole_units() -> None:
    shares = [
        [index for batch in piece_batches(UNITS, LENGTHS, 2, rank, processes=2) for index in batch]
        for rank in (0, 1)
    ]
    assert sorted(shares[0] + shares[1]) == list(range(len(UNITS)))
    assert not set(UNITS[shares[0]]) & set(UNITS[shares[1]])
    assert min(len(set(UNITS[share])) for share in shares) == 3


def test_no_unit_makes_no_batch() -> None:
    assert piece_batches(np.zeros(0, int), np.zeros(0, int), 4) == []


@pytest.mark.parametrize("frames_per_second", [100.0, 50.0])
def test_pieces_last_as_long_at_any_frame_rate(
    frames_per_second: float, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an encoder's 50 frames a second, of which as many would be twice the time."""
    monkeypatch.setattr(Store, "frames_per_second", frames_per_second)
    monkeypatch.setattr("langid.data.pieces.HELD_OUT_S", 0.5)
    pieces = cut_whole(Store(store_path), silence_policy("keep"))
    lengths = (pieces["stop"] - pieces["start"]).tolist()
    assert max(lengths) == frames_per_second / 2 and len(lengths) > len(set(pieces["row"]))
