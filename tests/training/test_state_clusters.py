"""Tests of langid/training/state_clusters.py."""

from pathlib import Path

import numpy as np
import pytest

from langid.data.teacher_outputs import SHARD_ROWS, TeacherShards
from langid.errors import LangidError
from langid.training.state_clusters import clusters_of

ROWS = SHARD_ROWS + 8


@pytest.fixture
def kinds() -> list[np.ndarray]:
    """Return of which of three kinds the frames of some rows are; one row is of a single frame."""
    draws = np.random.default_rng(0)
    return [draws.integers(3, size=1 if row == 5 else 30 + row) for row in range(ROWS)]


@pytest.fixture
def shards(tmp_path: Path, kinds: list[np.ndarray]) -> TeacherShards:
    """Return outputs with two posteriors and four states, at another place for every clip."""
    draws, places = np.random.default_rng(1), np.eye(3, 4) * [[1, 1, 1, 0]]
    outputs = []
    for of_row in kinds:
        clip = 30 * draws.normal(size=4)
        states = places[of_row] + clip + 0.05 * draws.normal(size=(len(of_row), 4))
        outputs.append(np.column_stack([draws.random((len(of_row), 2)), states]))
    shards = TeacherShards(tmp_path, {"of": "a test"}, ROWS)
    for shard in range(2):
        held = [outputs[row] for row in shards.members(shard)]
        shards.write(shards.path(shard), held, frames_per_second=50)
    return shards


def test_frames_of_one_kind_lie_in_one_cluster_in_every_clip(
    shards: TeacherShards, kinds: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.array([0, 3, 5, 17, SHARD_ROWS + 2])
    found = clusters_of(shards, rows, first=2, count=3, seed=0)
    assert "lie in 3 clusters (" in capsys.readouterr().out
    told = {}
    for row in rows:
        numbers = found.read(row)
        assert len(numbers) == len(kinds[row])
        if row != 5:  # a clip of one frame is its own mean
            for kind, number in zip(kinds[row], numbers, strict=True):
                told.setdefault(kind, set()).add(number)
    assert sorted(map(len, told.values())) == [1, 1, 1]
    assert len(set.union(*told.values())) == 3
    again = clusters_of(shards, rows, first=2, count=3, seed=0)
    assert np.array_equal(again.numbers, found.numbers)


def test_no_more_clusters_than_frames(shards: TeacherShards) -> None:
    message = r"loss.clusters=64: accepted are no more than the teacher has frames .* here 31"
    with pytest.raises(LangidError, match=message):
        clusters_of(shards, np.array([0, 5]), first=2, count=64, seed=0)
