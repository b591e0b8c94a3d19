"""Tests of langid/training/weight_average.py, alone and in real runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import langid as package
from langid.commands.main import main
from langid.evaluation.predictions import predict_part
from langid.evaluation.scoring import score
from langid.training.weight_average import LEARNING, WeightAverage

TINY = (
    "experiment=gru", "model.network.units=6", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "~callbacks.pictures",
    "optimizer.lr=0.01", "callbacks=ema", "callbacks.average.decay=0.9",
)  # fmt: skip


def test_the_average_is_that_of_the_steps() -> None:
    module: Any = torch.nn.Linear(1, 1, bias=False)
    module.frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    callback, trainer = WeightAverage(decay=0.5), SimpleNamespace(global_step=0)

    def learn(weight: float, step: int) -> None:
        module.weight.data.fill_(weight)
        trainer.global_step = step
        callback.on_train_batch_end(trainer, module)  # type: ignore[arg-type]

    module.weight.data.fill_(1.0)
    callback.on_train_start(trainer, module)  # type: ignore[arg-type]
    assert list(callback.average) == ["weight"]
    learn(12.0, 0)  # no step of the optimiser yet
    assert callback.average["weight"].item() == 1
    learn(12.0, 1)  # it keeps 2 / 11 of what it is
    assert callback.average["weight"].item() == pytest.approx(10.0)
    learn(0.0, 20)  # and then half
    assert callback.average["weight"].item() == pytest.approx(5.0)
    callback.on_validation_start(trainer, module)  # type: ignore[arg-type]
    assert module.weight.item() == pytest.approx(5.0)
    callback.on_validation_end(trainer, module)  # type: ignore[arg-type]
    assert module.weight.item() == 0 and callback.average["weight"].item() == pytest.approx(5.0)
    with pytest.raises(ValueError, match="decay=1: accepted are numbers from 0 to below 1"):
        WeightAverage(decay=1)


def train(store: Path, output: Path, *overrides: str) -> dict[str, Any]:
    """Return the last checkpoint of a run."""
    assert main(["train", *TINY, f"store={store}", f"output={output}", *overrides]) == 0
    checkpoint: dict[str, Any] = torch.load(output / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint


def test_a_run_validates_keeps_and_resumes_the_average(store_path: Path, tmp_path: Path) -> None:
    whole = train(store_path, tmp_path / "whole", "trainer.max_epochs=2")
    train(store_path, tmp_path / "parts", "trainer.max_epochs=1")
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    resumed = train(store_path, tmp_path / "parts", "trainer.max_epochs=2", f"resume={last}")
    for name, weights in whole["state_dict"].items():
        assert torch.equal(weights, resumed["state_dict"][name]), name
    assert whole[LEARNING].keys() == resumed[LEARNING].keys()
    for name, weights in whole[LEARNING].items():
        assert torch.equal(weights, resumed[LEARNING][name]), name
        assert not torch.equal(weights, whole["state_dict"][name]), name
    best = tmp_path / "whole" / "checkpoints" / "best.ckpt"
    loaded = package.load(best)
    assert not any(name.startswith("average") for name in loaded.state_dict())
    held = torch.load(best, weights_only=True)["langid_validation"]
    predictions = predict_part([best], store_path, "validation")
    speakers = predictions.table["speaker"].tolist()
    figures = score(predictions.targets, predictions.posteriors, speakers, predictions.classes)
    assert figures["nll"]["value"] == pytest.approx(held["nll"], rel=1e-5)


def test_without_an_average_the_weights_that_learn_go_on(store_path: Path, tmp_path: Path) -> None:
    whole = train(store_path, tmp_path / "whole", "trainer.max_epochs=2")
    train(store_path, tmp_path / "parts", "trainer.max_epochs=1")
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    plain = [part for part in TINY if not part.startswith("callbacks")]
    arguments = [f"store={store_path}", f"output={tmp_path}/parts", f"resume={last}"]
    assert main(["train", *plain, "callbacks=every_epoch", *arguments, "trainer.max_epochs=2"]) == 0
    resumed = torch.load(last, weights_only=True)
    assert LEARNING not in resumed
    for name, weights in whole[LEARNING].items():
        assert torch.equal(weights, resumed["state_dict"][name]), name
