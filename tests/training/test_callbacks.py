"""Tests of langid/training/callbacks.py, in real runs."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from langid.commands.main import main
from langid.training.checkpoint import read_checkpoint
from langid.training.identifier import LanguageIdentifier

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "model.network.dropout=0.3",
    "augment=spec_augment", "+trainer.accumulate_grad_batches=4", "~callbacks.confusion",
)  # fmt: skip


def test_every_batch_has_masks_of_its_own_also_where_gradients_are_accumulated(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, ...]] = []
    prepared = LanguageIdentifier.prepared

    def watched(self: LanguageIdentifier, features: Tensor, lengths: Tensor) -> Tensor:
        if self.training:  # what the masks of this batch are made of
            state = torch.get_rng_state()
            drawn.append(tuple(torch.rand(4).tolist()))
            torch.set_rng_state(state)
        return prepared(self, features, lengths)

    monkeypatch.setattr(LanguageIdentifier, "prepared", watched)
    arguments = ["train", *TINY, f"store={store_path}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*arguments, f"output={whole}", "trainer.max_epochs=2"]) == 0
    assert len(set(drawn)) == len(drawn) > 16
    of_whole = drawn.copy()
    drawn.clear()
    assert main([*arguments, f"output={stopped}", "trainer.max_epochs=1"]) == 0
    last = stopped / "checkpoints" / "last.ckpt"
    assert main([*arguments, f"resume={last}", "trainer.max_epochs=2"]) == 0
    assert drawn == of_whole
    expected = read_checkpoint(whole / "checkpoints" / "last.ckpt")["state_dict"]
    found = read_checkpoint(last)["state_dict"]
    assert all(torch.equal(expected[name], found[name]) for name in expected)
