"""Tests of training with carried state: langid/training/inference.py, data.carry_state=true."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import langid as package
from langid.commands.main import main
from langid.data.dataset import Batch
from langid.training.checkpoint import build_identifier, read_checkpoint
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import CarriedState

NETWORKS: dict[str, dict[str, Any]] = {
    "recurrent.GRU": {"units": 8, "dense": 4, "layers": 2},
    "recurrent.LSTM": {"units": 8, "dense": 4},
    "tcn.TCN": {},
    "conformer.Conformer": {"width": 16, "layers": 1, "heads": 2, "context_frames": 20},
}
TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "data.carry_state=true",
    "~callbacks.pictures", "callbacks.early_stopping.patience=99",
)  # fmt: skip


@pytest.fixture(params=NETWORKS)
def identifier(request: pytest.FixtureRequest, checkpoint_path: Path) -> LanguageIdentifier:
    """Return an untrained identifier with each kind of streaming network."""
    description = package.load(checkpoint_path).described
    network = {"_target_": f"langid.networks.{request.param}"} | NETWORKS[request.param]
    torch.manual_seed(0)
    return build_identifier(replace(description, model=description.model | {"network": network}))


def process(
    carried: CarriedState, identifier: LanguageIdentifier, features: list[Tensor]
) -> Tensor:
    """Return logits of sequences ``(time, bins)``, padded with what must not be heard."""
    lengths = torch.tensor([len(frames) for frames in features])
    padded = torch.full((len(features), int(lengths.max()), features[0].shape[1]), 9.0)
    for row, frames in zip(padded, features, strict=True):
        row[: len(frames)] = frames
    there = torch.arange(padded.shape[1]) < lengths[:, None]
    return carried.process(identifier.prepared(padded, lengths), there)


def test_carried_state_is_that_of_one_long_sequence(identifier: LanguageIdentifier) -> None:
    identifier.eval()
    lanes = torch.randn(3, 60, identifier.front_end.bins)
    carried = CarriedState(identifier.network)  # type: ignore[arg-type]
    cuts = [[0, 20, 30, 60], [0, 11, 37, 60], [0, 25, 40, 40]]  # the last batch lacks a lane
    parts: list[list[Tensor]] = [[], [], []]
    for step in range(3):
        spans = [(own[step], own[step + 1]) for own in cuts]
        sequences = [lane[a:b] for lane, (a, b) in zip(lanes, spans, strict=True) if b > a]
        with torch.no_grad():
            logits = process(carried, identifier, sequences)
        for place, frames in enumerate(sequences):
            parts[place].append(logits[place, : len(frames)])
    for lane, own in zip(lanes, parts, strict=True):
        heard = torch.cat(own)
        with torch.no_grad():
            expected = identifier(lane[None, : len(heard)], torch.tensor([len(heard)]))[0]
        torch.testing.assert_close(heard, expected, atol=1e-5, rtol=1e-4)


def test_every_second_place_begins_afresh_where_half_is_carried(
    identifier: LanguageIdentifier,
) -> None:
    identifier.eval()
    batches = torch.randn(3, 4, 20, identifier.front_end.bins)
    carried = CarriedState(identifier.network, half=True)  # type: ignore[arg-type]
    with torch.no_grad():
        logits = torch.cat([process(carried, identifier, list(batch)) for batch in batches], dim=1)
        in_a_row = identifier(torch.cat(list(batches), dim=1), torch.full((4,), 60))
        afresh = [identifier(batch, torch.full((4,), 20)) for batch in batches]
    torch.testing.assert_close(logits[1::2], in_a_row[1::2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits[::2], torch.cat(afresh, dim=1)[::2], atol=1e-5, rtol=1e-4)


def test_gradients_end_where_a_batch_begins(identifier: LanguageIdentifier) -> None:
    first, second = (torch.randn(1, 15, identifier.front_end.bins) for _ in range(2))
    first.requires_grad_()
    second.requires_grad_()
    carried = CarriedState(identifier.network)  # type: ignore[arg-type]
    carried.process(first)
    assert carried.state is not None and any(tensor.abs().sum() > 0 for tensor in carried.state)
    carried.process(second).sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is None
    assert second.grad is not None and second.grad.abs().sum() > 0


def weights(output: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = read_checkpoint(output / "checkpoints" / "last.ckpt")["state_dict"]
    return found


@pytest.mark.parametrize("more", [(), ("data.crop_s=[0.5,1.5]", "data.by_length=true")])
def test_a_run_begins_each_epoch_afresh_and_can_be_resumed(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    begun: list[bool] = []
    step = LanguageIdentifier.training_step

    def watched(self: LanguageIdentifier, batch: Batch, number: int) -> Tensor:
        assert self.carried is not None and self.carried.half == bool(more)
        begun.append(self.carried.state is None)
        return step(self, batch, number)

    monkeypatch.setattr(LanguageIdentifier, "training_step", watched)
    arguments = ["train", *TINY, *more, f"store={store_path}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*arguments, f"output={whole}", "trainer.max_epochs=2"]) == 0
    steps = len(begun) // 2
    assert [number for number, afresh in enumerate(begun) if afresh] == [0, steps]
    assert main([*arguments, f"output={stopped}", "trainer.max_epochs=1"]) == 0
    resume = f"resume={stopped}/checkpoints/last.ckpt"
    assert main([*arguments, resume, "trainer.max_epochs=2"]) == 0
    expected, found = weights(whole), weights(stopped)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert read_checkpoint(stopped / "checkpoints" / "last.ckpt")["langid"].data["carry_state"]


def test_a_network_for_whole_utterances_is_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"store={store_path}", f"output={tmp_path}/run", "data.carry_state=true"]
    assert main(["train", "model=bigru", *arguments]) == 2
    assert "carry_state=true: the network BiGRU hears whole" in capsys.readouterr().err


def test_pauses_that_no_network_meets_are_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["model=gru", "model.network.pooling_frames=25", "model.network.pause_frames=13"]
    arguments += [f"store={store_path}", f"output={tmp_path}/run"]
    assert main(["train", *arguments, "silence=mask"]) == 2
    assert "pause_frames=13: with silence=mask the network hears pauses" in capsys.readouterr().err
    assert main(["train", *arguments, "silence=remove", "data.carry_state=true"]) == 2
    assert "pause_frames=13: data.carry_state=true lets one" in capsys.readouterr().err
