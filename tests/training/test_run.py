"""Tests of langid/training/run.py: a training from plain configuration, without a command."""

from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Callback, Trainer

from langid.commands.configuration import compose, resolved
from langid.errors import LangidError
from langid.training.checkpoint import load_identifier
from langid.training.run import train, training_data
from langid.training.run_record import RunRecord

from ..conftest import SMALL


@pytest.fixture
def config(store_path: Path, tmp_path: Path) -> dict[str, Any]:
    """Return the plain configuration of a short training on real clips."""
    overrides = [
        "experiment=gru",
        f"store={store_path}",
        *SMALL,
        "~logger",
        "~callbacks.epoch_line",
    ]
    return resolved(compose("train", overrides), tmp_path / "run")


class Steps(Callback):
    """Counts the steps of a training."""

    def __init__(self) -> None:
        self.count = 0

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.count = trainer.global_step


def test_a_training_needs_no_command(
    config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    steps, begun = Steps(), []
    record = train(config, [steps], begun.append)
    assert capsys.readouterr().out == ""
    assert record == RunRecord.read(Path(config["output"])) and record is not None
    assert [before.status for before in begun] == ["started"]
    assert (record.status, record.epochs, record.steps) == ("finished", 2, steps.count)
    assert record.config == config
    identifier = load_identifier(Path(config["output"]) / "checkpoints" / "best.ckpt")
    assert identifier.described.to_plain().items() <= record.to_plain().items()


def test_two_devices_need_the_command_of_the_other_process(config: dict[str, Any]) -> None:
    config["trainer"] |= {"devices": 2, "strategy": "ddp"}
    with pytest.raises(LangidError, match="this command trains on one device"):
        train(config)


@pytest.mark.parametrize("seed", [-1, 2**32, "x", None])
def test_a_seed_that_is_none_is_refused(config: dict[str, Any], seed: Any) -> None:
    with pytest.raises(LangidError, match=f"seed={seed}: accepted are whole numbers"):
        train(config | {"seed": seed})


def test_features_that_the_store_does_not_hold_are_refused(config: dict[str, Any]) -> None:
    held = training_data(config).store.description["features"]
    assert training_data(config | {"features": held}).store.bins == 64
    with pytest.raises(LangidError, match=r"its features are not those .*n_mels: the store has"):
        training_data(config | {"features": held | {"n_mels": 7}})
