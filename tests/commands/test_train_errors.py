"""Tests of what langid train says of bad input and of what goes wrong on the way."""

import json
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
import torch
from stores import seal

import langid as package
from langid.commands.main import main
from langid.data.text_columns import columns_of

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
)  # fmt: skip
Command = Callable[..., subprocess.CompletedProcess[str]]


def train(store: Path, output: Path, *overrides: str) -> int:
    return main(["train", *TINY, f"store={store}", f"output={output}", *overrides])


# Bad input


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("experiment=gruu", "experiment=gruu: no such option. Accepted for experiment are: "),
        ("experiment=gruu", "Did you mean gru?"),
        ("model=bigruu", "Did you mean bigru?"),
        ("task=langage", "task=langage: no such option. Accepted for task are: accent, age, "),
        ("task=langage", "Did you mean language?"),
        ("~callbacks", "callbacks.best is missing, which writes checkpoints/best.ckpt"),
        ("~callbacks.last", "callbacks.last is missing"),
        ("trainer.fast_dev_run=true", "Key 'fast_dev_run' is not in struct"),
        ("+trainer.fast_dev_run=true", "it writes no checkpoint; for a short run take trainer.max"),
        ("+trainer.check_val_every_n_epoch=2", "1 epochs and 14 steps without a validation"),
        ("+trainer.max_steps=2", "take more trainer.max_steps"),
        ("+trainer.limit_val_batches=0", "where the first epoch is not validated"),
    ],
)
def test_bad_input(
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    override: str,
    message: str,
) -> None:
    assert train(store_path, tmp_path / "run", override) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "overrides",
    [
        ["~logger"],
        ["~scheduler"],
        ["+trainer.check_val_every_n_epoch=2", "trainer.max_epochs=3", "scheduler.patience=0"],
        ["+trainer.max_steps=2", "+trainer.val_check_interval=1"],
    ],
)
def test_what_can_be_left_out_or_done_seldom(
    store_path: Path, tmp_path: Path, overrides: list[str]
) -> None:
    assert train(store_path, tmp_path / "run", *overrides) == 0
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    assert (tmp_path / "run" / "tensorboard").exists() == (overrides != ["~logger"])


def test_the_plateau_counts_validations_and_not_epochs(store_path: Path, tmp_path: Path) -> None:
    """Nothing is ever better: the rate is halved at the second validation, in epoch 3."""
    overrides = ("trainer.max_epochs=4", "scheduler.patience=0", "+scheduler.threshold=0.9")
    assert train(store_path, tmp_path / "a", *overrides, "+trainer.check_val_every_n_epoch=2") == 0
    checkpoint = torch.load(tmp_path / "a" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(5e-4)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_class_that_is_not_in_training_is_told_with_where_it_is(
    official: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    store = official(part)
    assert train(store, tmp_path / "run", "split=official") == 2
    where = "0 in validation, 3 in test" if part == "test" else "3 in validation, 0 in test"
    expected = f"langid: the training part has no utterance of Hindi ({where}); change the split,"
    assert expected in capsys.readouterr().err
    assert train(store, tmp_path / "run", "split=official", "task.classes=[English,Mandarin]") == 0


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("validation", "its recall is not in val/balanced_accuracy, and best.ckpt is chosen"),
        ("test", "evaluate cannot tell how well it is recognised"),
    ],
)
def test_a_class_that_is_not_validated_or_tested_is_announced(
    official: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    part: str,
    what: str,
) -> None:
    store = official("train", "test" if part == "validation" else "validation")
    assert train(store, tmp_path / "run", "split=official") == 0
    printed = capsys.readouterr().out
    assert f"warning: no speech of Hindi in {part}: {what}" in printed
    assert "or leave the class out (task.classes)" in printed
    assert printed.count("warning:") == 1
    row = next(line for line in printed.splitlines() if "Hindi" in line and "│" in line)
    assert row.count("–") == 1 and "0 / 0" not in printed
    summary = json.loads((tmp_path / "run" / "run.json").read_text())["split_summary"]
    held_out = {"validation", "test"} - {part}
    assert summary["missing"] == {"train": [], part: ["Hindi"], held_out.pop(): []}


def test_speakers_that_are_not_known_are_not_counted_as_speakers(
    official: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = official("train", "validation", "test", speaker="")
    assert train(store, tmp_path / "run", "split=official") == 0
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if "Hindi" in line and "│" in line)
    assert row.count("1 / unknown") == 3
    assert "6 clips of validation and test have no known speaker" in printed


def test_a_split_without_a_test_part_warns_of_none(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(store_path, tmp_path / "run", "split.fractions=[0.8,0.2,0]") == 0
    printed = capsys.readouterr().out
    assert "no speech of" not in printed and "0 / 0" not in printed


# What goes wrong on the way


def test_a_loss_that_becomes_infinite_keeps_earlier_checkpoints_and_names_the_batch(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The learning rate explodes after epoch 0."""
    overrides = ("scheduler=exponential", "scheduler.gamma=1e30", "trainer.max_epochs=3")
    assert train(store_path, tmp_path / "run", *overrides) == 2
    error = capsys.readouterr().err
    path = tmp_path / "run" / "diverged.json"
    assert "langid: the loss is nan in epoch 1, step" in error
    assert "take a smaller optimizer.lr" in error
    assert f"all utterances of the batch: {path}" in error
    named = json.loads(path.read_text())["utterances"]
    with h5py.File(store_path) as file:
        known = set(columns_of(file)["utterance_id"])
    assert 4 < len(named) == len(set(named)) <= 8  # of a batch of 8 sequences
    assert set(named) <= known
    for name in ("best.ckpt", "last.ckpt"):
        assert package.load(tmp_path / "run" / "checkpoints" / name).classes


def test_features_that_are_not_finite_are_named(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one bad utterance is named, whichever part it is in."""
    run = tmp_path / "run"
    store = tmp_path / "not_finite.h5"
    store.write_bytes(store_path.read_bytes())
    with h5py.File(store, "r+") as file:
        first = int(file["offsets"][0])
        file["features"][first : int(file["offsets"][1]), 0] = float("nan")
        bad = columns_of(file)["utterance_id"][0]
    seal(store)
    assert train(store, run, "data.normalise=false", "data.batch_size=999") == 2
    error = capsys.readouterr().err
    assert f"the features of {bad} are not finite; leave these out, or prepare" in error


def test_a_batch_that_does_not_fit_is_told(
    store_path: Path, tmp_path: Path, langid: Command
) -> None:
    """The first layer alone asks for more than the process may have."""
    limit = 12 * 2**30  # bytes of address space; libraries take less than half
    overrides = ("data.batch_size=9999", "data.sequence_frames=9999", "trainer.accelerator=cpu")
    result = langid(
        "train", "model=cnn", "model.network.channels=[4096,4]", *overrides,
        f"store={store_path}", f"output={tmp_path}/run",
        limits={resource.RLIMIT_AS: limit},
    )  # fmt: skip
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "langid: a batch does not fit into memory (" in result.stderr
    assert "data.batch_size=9999 sequences of up to data.sequence_frames=9999" in result.stderr
    assert "Checkpoints of earlier epochs are kept" in result.stderr
