"""Tests of langid/training/checkpoint_file.py."""

import errno
from pathlib import Path

import pytest
import torch

from langid.errors import LangidError
from langid.training.checkpoint_file import WholeCheckpoint


def test_a_checkpoint_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    for number in (1, 2):
        WholeCheckpoint().save_checkpoint({"number": number}, path)
        assert torch.load(path, weights_only=True) == {"number": number}
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoint().save_checkpoint({"number": 1}, path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LangidError, match=r"last\.ckpt: cannot be written \(No space left"):
        WholeCheckpoint().save_checkpoint({"number": 2}, path)
    assert torch.load(path, weights_only=True) == {"number": 1}
    assert list(tmp_path.iterdir()) == [path]
