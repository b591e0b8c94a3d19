"""Tests of langid/training/schedulers.py, alone and in real runs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from langid.commands.main import main
from langid.training.schedulers import InverseTime

TINY = (
    "model.network.units=4", "model.network.dense=4", "data.batch_size=8", "trainer.max_epochs=2",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "~callbacks.confusion",
    "scheduler=inverse_time", "scheduler.decay=0.01",
)  # fmt: skip


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
    whole = train(store_path, tmp_path / "whole")
    steps = whole["global_step"]
    assert steps > 4
    assert rate(whole) == pytest.approx(0.001 / (1 + 0.01 * steps), rel=1e-12)
    first = train(store_path, tmp_path / "parts", "trainer.max_epochs=1")
    assert rate(first) == pytest.approx(0.001 / (1 + 0.01 * steps / 2), rel=1e-12)
    last = tmp_path / "parts" / "checkpoints" / "last.ckpt"
    resumed = train(store_path, tmp_path / "parts", f"resume={last}")
    assert rate(resumed) == rate(whole)
    assert resumed["lr_schedulers"] == whole["lr_schedulers"]
    assert all(map(torch.equal, resumed["state_dict"].values(), whole["state_dict"].values()))


def test_steps_are_those_of_the_optimiser(store_path: Path, tmp_path: Path) -> None:
    run = train(store_path, tmp_path / "run", "+trainer.accumulate_grad_batches=3")
    batches = run["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["completed"]
    assert run["global_step"] < batches
    assert rate(run) == pytest.approx(0.001 / (1 + 0.01 * run["global_step"]), rel=1e-12)
