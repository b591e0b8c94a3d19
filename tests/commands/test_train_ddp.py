"""Tests of trainer=ddp: two real processes on the CPU, against one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from forked import Forked

from langid.commands.main import main

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=4", "optimizer.lr=0.01",
)  # fmt: skip
TWO = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")


def last(output: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(output / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint


def start(overrides: Sequence[str], store: Path, output: Path | str) -> Forked:
    command = ["-m", "langid", "train", *TINY, *overrides, f"store={store}", f"output={output}"]
    return Forked(command, stderr=subprocess.STDOUT)


def running(output: Path) -> list[int]:
    """Return the processes that have a folder in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if str(output) in command:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def one(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of one process."""
    output = tmp_path_factory.mktemp("one") / "run"
    arguments = [*TINY, f"store={store_path}", f"output={output}", "trainer.accelerator=cpu"]
    assert main(["train", *arguments]) == 0
    return output


def check_same(one: Path, two: Path) -> None:
    """Check that a run of two processes came to what that of one came to."""
    expected, got = last(one), last(two)
    assert got["global_step"] == expected["global_step"]
    for name, value in expected["langid_validation"].items():
        assert got["langid_validation"][name] == pytest.approx(value, abs=1e-3), name
    for name, weight in expected["state_dict"].items():
        torch.testing.assert_close(got["state_dict"][name], weight, atol=1e-3, rtol=0)
    assert sorted(path.name for path in (two / "checkpoints").iterdir()) == [
        "best.ckpt", "last.ckpt"
    ]  # fmt: skip
    assert {path.parent for path in two.rglob("events*")} == {two / "tensorboard"}
    records = [json.loads((run / "run.json").read_text()) for run in (one, two)]
    for key in ("status", "epochs", "steps", "sequences", "class_frames", "fingerprint"):
        assert records[1][key] == records[0][key], key


def test_two_processes_come_to_what_one_comes_to(one: Path, store_path: Path) -> None:
    """They start, log and write as one, end by Ctrl-C, go on, and leave nothing behind."""
    output = one.with_name("two, with a comma")
    process = start(TWO, store_path, f'"{output}"')
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("epoch   1"):  # so last.ckpt of epoch 0 is there
            process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert printed.count("parameters: ") == printed.count("epoch   1") == 1
    assert printed.endswith("langid: interrupted; finished work is kept\n")
    assert running(output) == []
    resume = f'resume="{output}/checkpoints/last.ckpt"'
    before = dict(os.environ) | {"HYDRA_FULL_ERROR": "1"}
    # In this process, which stays as it was.
    assert main(["train", *TINY, *TWO, f"store={store_path}", resume]) == 0
    assert dict(os.environ) == before
    assert not torch.distributed.is_initialized()
    check_same(one, output)


def test_torchrun_starts_them_as_well(one: Path, store_path: Path) -> None:
    output = one.with_name("torchrun")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    arguments = [*TINY, *TWO, f"store={store_path}", f"output={output}"]
    command = [*torchrun, "-m", "langid", "train", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch   3") == 1
    check_same(one, output)


def test_when_a_process_is_killed_the_other_ends(store_path: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    overrides = [*TWO, "trainer.max_epochs=999", "callbacks.early_stopping.patience=999"]
    process = start([*overrides, "~callbacks.pictures"], store_path, output)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if line.startswith("epoch   1"):  # so last.ckpt of epoch 0 is there
            (other,) = (pid for pid in running(output) if pid != process.pid)
            os.kill(other, signal.SIGKILL)
    assert process.wait(60) == 2
    assert printed.count("langid: ") == 1
    assert "langid: process 1 of this run ended by signal 9; checkpoints of earlier" in printed
    assert "Traceback" not in printed
    assert last(output)["epoch"] >= 0


def test_a_loss_that_is_not_finite_is_told_once(
    store_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The loss explodes in epoch 1; what epoch 0 left is there."""
    overrides = [*TINY, *TWO, "scheduler=exponential", "scheduler.gamma=1e30"]
    assert main(["train", *overrides, f"store={store_path}", f"output={tmp_path}/run"]) == 2
    error = capfd.readouterr().err
    assert error.count("langid: ") == 1
    assert "langid: the loss is nan in epoch 1, step" in error
    assert "Traceback" not in error
    named = json.loads((tmp_path / "run" / "diverged.json").read_text())["utterances"]
    assert 4 < len(named) <= 8  # the whole batch of 8 sequences: each process has 4
    assert last(tmp_path / "run")["epoch"] == 0


@pytest.mark.parametrize(
    ("overrides", "together", "message"),
    [
        (TWO, {}, "data.batch_size=7: 2 processes share each batch evenly, so it must be a"),
        ((), {"WORLD_SIZE": "2"}, "2 processes were started, and trainer.devices=1 times trainer"),
        (TWO, {"SLURM_STEP_NUM_TASKS": "4"}, "4 processes were started, and trainer.devices=2"),
    ],
)
def test_numbers_of_processes_that_do_not_fit_are_refused(
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    overrides: Sequence[str],
    together: dict[str, str],
    message: str,
) -> None:
    for name, value in together.items():
        monkeypatch.setenv(name, value)
    arguments = [*TINY, "data.batch_size=7", f"store={store_path}", f"output={tmp_path}/run"]
    assert main(["train", *arguments, *overrides]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()


def test_processes_started_together_need_one_folder(
    store_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", *TINY, *TWO, f"store={store_path}"]) == 2
    assert "several processes were started for one run: add output=DIR" in capsys.readouterr().err
