"""Tests of langid/training/callbacks.py, in real runs."""

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from torch import Tensor

from langid.commands.main import main
from langid.data.dataset import Batch
from langid.training.callbacks import StepSeed
from langid.training.checkpoint import read_checkpoint
from langid.training.identifier import LanguageIdentifier

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "model.network.dropout=0.3",
    "augment=spec_augment", "+trainer.accumulate_grad_batches=4", "~callbacks.pictures",
)  # fmt: skip


def test_every_process_has_masks_of_its_own() -> None:
    drawn = set()
    for rank, batch in itertools.product(range(4), range(50)):
        trainer = SimpleNamespace(current_epoch=0, num_training_batches=50, global_rank=rank)
        StepSeed(3).on_train_batch_start(trainer, None, None, batch)  # type: ignore[arg-type]
        drawn.add(float(torch.rand(1, dtype=torch.float64)))
    assert len(drawn) == 200


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


def test_an_epochs_pace_counts_padding_and_gradients_before_they_are_clipped(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[Tensor] = []
    norms: list[float] = []
    step = LanguageIdentifier.training_step
    clip = LanguageIdentifier.configure_gradient_clipping

    def watched_step(self: LanguageIdentifier, batch: Batch, index: int) -> Tensor:
        lengths.append(batch.lengths)
        return step(self, batch, index)

    def watched_clip(self: LanguageIdentifier, *values: Any, **more: Any) -> None:
        of = [one.grad.norm() for one in self.parameters() if one.grad is not None]
        norms.append(float(torch.stack(of).norm()))
        clip(self, *values, **more)

    monkeypatch.setattr(LanguageIdentifier, "training_step", watched_step)
    monkeypatch.setattr(LanguageIdentifier, "configure_gradient_clipping", watched_clip)
    keys = [f"store={store_path}", f"output={tmp_path}/run", "trainer.max_epochs=1"]
    assert main(["train", *TINY, *keys]) == 0
    shown: dict[str, float] = {}
    for file in (tmp_path / "run" / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            shown[tag.removeprefix("train/")] = events.Scalars(tag)[-1].value
    places = sum(len(one) * int(one.max()) for one in lengths)
    frames = sum(int(one.sum()) for one in lengths)
    assert 0 < shown["padding"] == pytest.approx(1 - frames / places, abs=1e-5)
    assert 0 < shown["gradient_norm"] == pytest.approx(sum(norms) / len(norms), rel=1e-4)
    assert shown["frames_per_second"] > 0
