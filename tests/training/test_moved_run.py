"""Tests of langid/training/moved_run.py: runs that are moved, linked or copied, then resumed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from langid.commands.main import main

# So fast a learning rate that the first of four epochs stays the best.
OVERRIDES = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.accelerator=cpu", "optimizer.lr=1",
    "~callbacks.pictures", "~logger", "callbacks.early_stopping.patience=9",
)  # fmt: skip


def checkpoint(run: Path, name: str) -> dict[str, Any]:
    held: dict[str, Any] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return held


def best(run: Path) -> dict[str, Any]:
    return json.loads((run / "run.json").read_text())["best"]  # type: ignore[no-any-return]


def stopping(run: Path) -> dict[str, Any]:
    """Return what early stopping remembers in the last checkpoint of a run."""
    states = checkpoint(run, "last")["callbacks"]
    [key] = [key for key in states if key.startswith("EarlyStopping")]
    return {name: states[key][name] for name in ("best_score", "wait_count")}


def go_on(store: Path, path: Path, *overrides: str) -> int:
    arguments = [*OVERRIDES, f"store={store}", f"resume={path}", "trainer.max_epochs=4"]
    return main(["train", *arguments, *overrides])


def two_epochs(store: Path, folder: Path) -> Path:
    arguments = [*OVERRIDES, f"store={store}", f"output={folder}", "trainer.max_epochs=2"]
    assert main(["train", *arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def half(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of two epochs of training. Tests copy it, and then the old one is gone."""
    folder = two_epochs(store_path, tmp_path_factory.mktemp("half") / "parent" / "run")
    return folder.parent.rename(folder.parents[1] / "gone") / "run"


@pytest.fixture(scope="module")
def stayed(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of two epochs and, where it was, two more."""
    folder = two_epochs(store_path, tmp_path_factory.mktemp("stayed") / "run")
    assert go_on(store_path, folder / "checkpoints" / "last.ckpt") == 0
    assert best(folder)["epoch"] < 2 < checkpoint(folder, "last")["epoch"]
    return folder


def assert_same_end(run: Path, stayed: Path) -> None:
    assert best(run) == best(stayed)
    assert checkpoint(run, "best")["epoch"] == best(stayed)["epoch"]
    assert stopping(run) == stopping(stayed)
    held, expected = (checkpoint(of, "best")["state_dict"] for of in (run, stayed))
    assert all(torch.equal(held[name], expected[name]) for name in expected)


def test_a_moved_run_keeps_its_best(
    half: Path, stayed: Path, store_path: Path, tmp_path: Path
) -> None:
    run = tmp_path / "moved" / "elsewhere"
    shutil.copytree(half, run)
    assert go_on(store_path, run / "checkpoints" / "last.ckpt") == 0
    assert_same_end(run, stayed)
    [state] = [
        state for key, state in checkpoint(run, "last")["callbacks"].items() if "'val/loss'" in key
        and key.startswith("ModelCheckpoint")
    ]  # fmt: skip
    assert state["best_model_path"] == str(run / "checkpoints" / "best.ckpt")


def test_a_run_below_a_renamed_folder_and_behind_a_link_keeps_its_best(
    store_path: Path, stayed: Path, tmp_path: Path
) -> None:
    run = two_epochs(store_path, tmp_path / "parent" / "run")
    run.parent.rename(tmp_path / "renamed")
    (tmp_path / "link").symlink_to(tmp_path / "renamed")
    assert go_on(store_path, tmp_path / "link" / "run" / "checkpoints" / "last.ckpt") == 0
    assert_same_end(tmp_path / "renamed" / "run", stayed)


def test_a_better_file_than_the_last_checkpoint_knows_of_is_kept(
    half: Path, stayed: Path, store_path: Path, tmp_path: Path
) -> None:
    """Such as beside a last.ckpt that was copied back from before the best epoch."""
    run = tmp_path / "run"
    shutil.copytree(half, run)
    last = checkpoint(run, "last")
    for state in last["callbacks"].values():
        if state.get("monitor") == "val/loss":
            state["best_k_models"] = {path: torch.tensor(99.0) for path in state["best_k_models"]}
            state["best_model_score"] = state["kth_value"] = torch.tensor(99.0)
    torch.save(last, run / "checkpoints" / "last.ckpt")
    assert go_on(store_path, run / "checkpoints" / "last.ckpt") == 0
    assert_same_end(run, stayed)


def test_where_only_the_last_checkpoint_is_left_the_best_is_sought_anew(
    half: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(half / "checkpoints" / "last.ckpt", run / "checkpoints")
    assert go_on(store_path, run / "checkpoints" / "last.ckpt") == 0
    warning = f"warning: {run}/checkpoints/best.ckpt is not there; the best is sought from this"
    assert warning in capsys.readouterr().out
    assert best(run)["epoch"] == checkpoint(run, "best")["epoch"] >= 2


def test_a_checkpoint_that_lies_alone_needs_a_folder_to_go_on_in(
    half: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copy(half / "checkpoints" / "last.ckpt", tmp_path))
    assert go_on(store_path, copy) == 2
    assert "it does not lie in RUN/checkpoints, so the folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [copy]
    assert go_on(store_path, copy, f"output={tmp_path / 'new'}") == 0
    assert best(tmp_path / "new")["epoch"] >= 2
