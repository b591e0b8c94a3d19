"""Tests of langid/training/schedulers.py, alone and in real runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from langid.commands.configuration import compose, plain_of
from langid.commands.main import main
from langid.errors import LangidError
from langid.training import run
from langid.training.schedulers import Cosine, InverseTime

TINY = (
    "model.network.units=4", "model.network.dense=4", "data.batch_size=8", "trainer.max_epochs=2",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "~callbacks.pictures",
)  # fmt: skip
INVERSE = ("scheduler=inverse_time", "scheduler.decay=0.01")
COSINE = ("scheduler=cosine", "scheduler.warmup=0.3", "scheduler.final=0.1")


def test_the_rate_falls_with_the_inverse_of_the_steps() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    scheduler = InverseTime(optimizer, decay=0.25)
    assert scheduler.every_step
    for step in range(9):  # Keras: lr * 1 / (1 + decay * iterations), of the first step as given
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.1 / (1 + 0.25 * step), 0.5 / (1 + 0.25 * step)])
        optimizer.step()
        scheduler.step()


def test_a_negative_decay_is_refused() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match=r"scheduler.decay=-0.1: accepted are 0 and more"):
        InverseTime(optimizer, -0.1)


def train(store: Path, output: Path, *overrides: str) -> dict[str, Any]:
    """Return the last checkpoint of a run."""
    assert main(["train", *TINY, f"store={store}", f"output={output}", *overrides]) == 0
    checkpoint: dict[str, Any] = torch.load(output / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint


def rate(checkpoint: dict[str, Any]) -> float:
    return float(checkpoint["optimizer_states"][0]["param_groups"][0]["lr"])


def test_every_step_counts_and_a_resumed_run_goes_on_with_the_same_rate(
    store_path: Path, tmp_path: Path
) -> None:
    whole = train(store_path, tmp_path / "whole", *INVERSE)
    steps = whole["global_step"]
    assert steps > 4
    assert rate(whole) == pytest.approx(0.001 / (1 + 0.01 * steps), rel=1e-12)
    first = train(store_path, tmp_path / "parts", *INVERSE, "trainer.max_epochs=1")
    assert rate(first) == pytest.approx(0.001 / (1 + 0.01 * steps / 2), rel=1e-12)
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    resumed = train(store_path, tmp_path / "parts", *INVERSE, f"resume={last}")
    assert rate(resumed) == rate(whole)
    assert resumed["lr_schedulers"] == whole["lr_schedulers"]
    assert all(map(torch.equal, resumed["state_dict"].values(), whole["state_dict"].values()))


def test_steps_are_those_of_the_optimiser(store_path: Path, tmp_path: Path) -> None:
    run = train(store_path, tmp_path / "run", *INVERSE, "+trainer.accumulate_grad_batches=3")
    batches = run["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"]
    assert run["global_step"] < batches
    assert rate(run) == pytest.approx(0.001 / (1 + 0.01 * run["global_step"]), rel=1e-12)


def test_half_a_cosine_follows_the_warm_up() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    scheduler = Cosine(optimizer, warmup=0.2, final=0.1)
    assert scheduler.every_step
    scheduler.end_at(20)
    shares = []
    for _ in range(22):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates[1] == pytest.approx(5 * rates[0])
        shares.append(rates[0] / 0.1)
        optimizer.step()
        scheduler.step()
    assert shares[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert shares[12] == pytest.approx(0.55)  # half-way between 1 and 0.1
    assert (np.diff(shares[4:21]) < 0).all()
    assert shares[20:] == pytest.approx([0.1, 0.1])  # at the end, and beyond it
    with pytest.raises(LangidError, match=r"the run has no end; take trainer.max_epochs=30"):
        scheduler.end_at(float("inf"))
    for name in ("warmup", "final"):
        with pytest.raises(ValueError, match=rf"scheduler.{name}=1.5: accepted are numbers from 0"):
            Cosine(optimizer, **{name: 1.5})


def test_a_resumed_run_goes_on_with_the_cosine(store_path: Path, tmp_path: Path) -> None:
    whole = train(store_path, tmp_path / "whole", *COSINE)
    assert rate(whole) == pytest.approx(0.001 * 0.1)
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    stopped = ["trainer.max_epochs=2", f"+trainer.max_steps={whole['global_step'] // 2}"]
    first = train(store_path, tmp_path / "first", *COSINE, *stopped)
    assert rate(first) == pytest.approx(0.001 * 0.1)  # its end is sooner
    kill_after_one_epoch(store_path, tmp_path / "parts")
    resumed = train(store_path, tmp_path / "parts", *COSINE, f"resume={last}")
    assert resumed["lr_schedulers"] == whole["lr_schedulers"]
    assert all(map(torch.equal, resumed["state_dict"].values(), whole["state_dict"].values()))


def kill_after_one_epoch(store: Path, output: Path) -> None:
    """End a run of two epochs behind the first, as a kill does."""

    class Killed(Callback):
        def on_train_epoch_start(self, trainer: Trainer, _: LightningModule) -> None:
            if trainer.current_epoch:
                raise RuntimeError("killed")

    config = compose("train", [*TINY, *COSINE, f"store={store}", f"output={output}"])
    with pytest.raises(RuntimeError, match="killed"):
        run.train(plain_of(config), [Killed()])
