"""Tests of langid/commands/train.py: real runs of a small network on real speech."""

import json
import os
import resource
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (  # type: ignore[import-untyped]
    HParamsPluginData,
)

import langid as package
from langid.commands.main import main
from langid.training.identifier import LanguageIdentifier

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
)  # fmt: skip


def train(store: Path, output: Path, *overrides: str) -> int:
    return main(["train", *TINY, f"store={store}", f"output={output}", *overrides])


def last(output: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(output / "checkpoints" / "last.ckpt", weights_only=True)
    return checkpoint


def same(left: Any, right: Any) -> bool:
    """Return whether nested plain data are equal, tensors bit for bit."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@pytest.fixture(scope="module")
def sequence_run(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sequence") / "run"
    assert train(store_path, folder, "split=sequence") == 0
    return folder


# What a run leaves


def test_run_record_is_complete(run_path: Path, store_path: Path) -> None:
    record = json.loads((run_path / "run.json").read_text())
    with h5py.File(store_path) as file:
        assert record["fingerprint"] == file.attrs["fingerprint"]
    assert record["status"] == "finished"
    assert record["seed"] == 0
    assert record["config"]["model"]["network"]["units"] == 24
    assert record["config"]["output"] == str(run_path)
    assert {"python", "torch", "langid-speech"} <= set(record["versions"])
    assert record["split_summary"]["shared"] == {
        "speakers": 0, "recordings": 0, "utterances": 0, "unknown_speakers": 0
    }  # fmt: skip
    parts = record["split_summary"]["parts"]
    assert sum(part["Hindi"]["clips"] for part in parts.values()) == 12
    assert record["epochs"] == 2
    assert {"loss", "accuracy", "balanced_accuracy", "macro_f1"} <= set(record["best"])


def test_a_leaky_split_is_told(sequence_run: Path) -> None:
    shared = json.loads((sequence_run / "run.json").read_text())["split_summary"]["shared"]
    assert shared["speakers"] > 20
    assert shared["utterances"] > 20


def test_balanced_weights_come_from_the_training_frames(run_path: Path) -> None:
    record = json.loads((run_path / "run.json").read_text())
    frames = record["class_frames"]
    expected = [sum(frames) / (3 * count) for count in frames]
    assert record["class_weights"] == pytest.approx(expected, abs=1e-5)


def test_tensorboard_holds_curves_picture_and_hyperparameters(run_path: Path) -> None:
    scalars: set[str] = set()
    pictures: set[str] = set()
    hyperparameters: dict[str, Any] = {}
    for file in (run_path / "tensorboard").glob("events*"):
        events = EventAccumulator(str(file)).Reload()
        scalars |= set(events.Tags()["scalars"])
        for tag in events.Tags()["images"]:
            pictures.add(tag)
            assert all(image.width > 100 for image in events.Images(tag))
        metadata = events.summary_metadata.get("_hparams_/session_start_info")
        if metadata is not None:
            data = HParamsPluginData.FromString(metadata.plugin_data.content)
            hyperparameters = dict(data.session_start_info.hparams)
    assert {"train/loss", "val/loss", "train/frame_accuracy", "val/frame_accuracy", "val/accuracy",
            "val/balanced_accuracy", "val/macro_f1", "lr-Adam"} <= scalars  # fmt: skip
    assert {"val/confusion", "val/posteriors"} <= pictures
    assert hyperparameters["optimizer.lr"].number_value == 0.001
    assert hyperparameters["silence.policy"].string_value == "mask"
    assert {"val_best/loss", "val_best/balanced_accuracy"} <= scalars


def test_the_projector_shows_the_validation_part_by_the_best_network(
    run_path: Path, store_path: Path, tmp_path: Path
) -> None:
    arguments = [f"checkpoint={run_path}/checkpoints/best.ckpt", f"store={store_path}"]
    assert main(["embed", *arguments, f"output={tmp_path}", "part=validation"]) == 0
    board = run_path / "tensorboard"
    shown = pd.read_csv(board / "embeddings.tsv", sep="\t")
    expected = pd.read_csv(tmp_path / "embeddings.tsv", sep="\t")
    same = ["utterance_id", "class", "speaker"]
    pd.testing.assert_frame_equal(shown[same], expected[same])
    vectors = np.loadtxt(board / "tensors.tsv", delimiter="\t")
    np.testing.assert_allclose(vectors, np.load(tmp_path / "embeddings.npy"), atol=1e-5)
    assert 'metadata_path: "embeddings.tsv"' in (board / "projector_config.pbtxt").read_text()


def test_validation_figures_are_those_of_evaluate(
    run_path: Path, store_path: Path, tmp_path: Path
) -> None:
    best = torch.load(run_path / "checkpoints" / "best.ckpt", weights_only=True)
    arguments = [f"checkpoint={run_path}/checkpoints/best.ckpt", f"store={store_path}"]
    assert main(["evaluate", *arguments, f"output={tmp_path}", "part=validation"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert best["langid_validation"][name] == pytest.approx(report[name]["value"], abs=1e-6)


def test_paths_with_special_characters_are_printed_whole_and_the_next_line_works(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a long folder, seed=1 [bold]" / ("x" * 60)
    code = main(["train", *TINY, f"store={store_path}", f'output="{output}"'])
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert any(line.startswith("epoch   0  train/loss") and "balanced" in line for line in lines)
    assert f"best      {output}/checkpoints/best.ckpt" in lines
    command = next(line for line in lines if line.startswith("next"))
    assert main(shlex.split(command)[2:]) == 0
    assert (output / "test" / "report.json").is_file()


# Seeds and resuming


def test_same_seed_same_weights_and_another_seed_others(store_path: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        code = train(store_path, tmp_path / name, f"seed={seed}", "model.network.dropout=0.2")
        assert code == 0
    a, b, c = (last(tmp_path / name)["state_dict"] for name in "abc")
    assert same(a, b)
    assert not same(a, c)


def test_a_killed_run_goes_on_to_the_same_weights(store_path: Path, tmp_path: Path) -> None:
    overrides = (
        "model.network.dropout=0.3", "model.network.layers=2", "trainer.max_epochs=6",
        "scheduler.patience=0", "+scheduler.threshold=0.9", "callbacks.early_stopping.patience=99",
        "~callbacks.pictures", "augment=spec_augment", "balance=undersample", "loss=focal",
    )  # fmt: skip
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = ["-m", "langid", "train", *TINY, f"store={store_path}", f"output={killed}"]
    with forked.Forked([*command, *overrides]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   1"):
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait() == -signal.SIGKILL
    assert last(killed)["epoch"] < 5
    checkpoint = killed / "checkpoints" / "last.ckpt"
    arguments = [*TINY, *overrides, f"store={store_path}", f"resume={checkpoint}"]
    assert main(["train", *arguments]) == 0  # the folder is that of the checkpoint
    assert train(store_path, whole, *overrides) == 0
    resumed, expected = last(killed), last(whole)
    assert resumed["epoch"] == 5
    for key in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert same(resumed[key], expected[key]), key
    assert expected["optimizer_states"][0]["param_groups"][0]["lr"] < 2e-4  # the plateau was met
    best = [
        torch.load(run / "checkpoints" / "best.ckpt", weights_only=True) for run in (killed, whole)
    ]
    assert same(best[0]["state_dict"], best[1]["state_dict"])


def test_a_finished_run_can_be_given_more_epochs(store_path: Path, tmp_path: Path) -> None:
    assert train(store_path, tmp_path / "a") == 0
    resume = f"resume={tmp_path}/a/checkpoints/last.ckpt"
    assert main(["train", *TINY, f"store={store_path}", resume, "trainer.max_epochs=2"]) == 0
    assert train(store_path, tmp_path / "b", "trainer.max_epochs=2") == 0
    assert same(last(tmp_path / "a")["state_dict"], last(tmp_path / "b")["state_dict"])


def test_a_run_goes_on_with_other_workers_and_no_curves(store_path: Path, tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert train(store_path, whole, "trainer.max_epochs=2") == 0
    assert train(store_path, resumed) == 0
    overrides = [*TINY, f"store={store_path}", f"resume={resumed}/checkpoints/last.ckpt"]
    overrides += ["trainer.max_epochs=2", "data.workers=1", "+trainer.num_nodes=1", "~logger"]
    overrides += ["+trainer.strategy=auto", "+trainer.enable_progress_bar=true"]
    assert main(["train", *overrides]) == 0
    for key in ("state_dict", "optimizer_states", "lr_schedulers"):
        assert same(last(resumed)[key], last(whole)[key]), key


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("data.batch_size=4", "data.batch_size: the checkpoint has 16, asked is 4"),
        ("seed=5", "seed: the checkpoint has 0, asked is 5"),
        ("model.network.units=9", "model.network.units: the checkpoint has 24, asked is 9"),
        ("silence=keep", "silence: the checkpoint has mask, asked is keep"),
        ("optimizer.lr=0.1", "optimizer.lr: the checkpoint has 0.001, asked is 0.1"),
        ("split.seed=7", "split.seed: the checkpoint has 0, asked is 7"),
        ("select=val/accuracy", "select: the checkpoint has val/loss, asked is val/accuracy"),
        ("balance=subclasses", "balance._target_: the checkpoint has langid.data.balance.Every"),
        ("augment=spec_augment", "augment.time_masks: the checkpoint has 0, asked is 2"),
    ],
)
def test_resuming_another_run_is_refused(
    run_path: Path,
    store_path: Path,
    capsys: pytest.CaptureFixture[str],
    override: str,
    difference: str,
) -> None:
    before = (run_path / "run.json").read_bytes()
    resume = f"resume={run_path}/checkpoints/last.ckpt"
    assert main(["train", "experiment=gru", f"store={store_path}", resume, override]) == 2
    assert difference in capsys.readouterr().err
    assert (run_path / "run.json").read_bytes() == before


def test_resuming_with_another_store_is_refused(
    run_path: Path, other_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    resume = f"resume={run_path}/checkpoints/last.ckpt"
    assert main(["train", "experiment=gru", f"store={other_store}", resume]) == 2
    assert "fingerprint: the checkpoint has" in capsys.readouterr().err


@pytest.fixture(scope="module")
def other_store(real_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with one clip fewer."""
    folder = tmp_path_factory.mktemp("other")
    lines = real_manifest.read_text().splitlines()
    (folder / "other.tsv").write_text("\n".join(lines[:-1]) + "\n")
    arguments = [f"corpus.path={folder}/other.tsv", f"store={folder}/other.h5", "workers=1"]
    assert main(["prepare", "corpus=manifest", *arguments]) == 0
    return folder / "other.h5"


def test_a_folder_with_a_run_is_refused(
    run_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run_path / "checkpoints" / "last.ckpt").read_bytes()
    assert train(store_path, run_path) == 2
    assert "a run is already there; go on with resume=" in capsys.readouterr().err
    assert train(store_path, tmp_path / "run") == 0
    assert train(store_path, run_path, f"resume={tmp_path}/run/checkpoints/last.ckpt") == 2
    assert "a run is already there" in capsys.readouterr().err
    assert (run_path / "checkpoints" / "last.ckpt").read_bytes() == before


# Choices


@pytest.mark.parametrize("policy", ["keep", "remove", "label"])  # mask is that of run_path
def test_silence_policies(store_path: Path, tmp_path: Path, policy: str) -> None:
    assert train(store_path, tmp_path / "run", f"silence={policy}") == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    identifier = package.load(tmp_path / "run" / "checkpoints" / "best.ckpt")
    assert identifier.silence.name == policy
    outputs = 4 if policy == "label" else 3
    assert identifier.network(torch.zeros(1, 5, 64), torch.tensor([5])).shape[-1] == outputs
    assert len(record["class_frames"]) == outputs
    posteriors = identifier.posteriors(torch.randn(1, 16000))[0]
    assert posteriors.shape[-1] == 3
    torch.testing.assert_close(posteriors.sum(-1), torch.ones_like(posteriors[..., 0]))


def test_augmented_balanced_and_focal(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = ("loss=focal", "balance=oversample", "loss.class_weights=none")
    assert train(store_path, tmp_path / "run", "augment=spec_augment", *choices) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    there, per_epoch = record["sequences"]["there"], record["sequences"]["per_epoch"]
    assert len(set(there)) > 1 and per_epoch == [max(there)] * 3
    assert f"sequences an epoch: English {max(there)} (of {there[0]}), Hindi" in printed
    assert "imbalance twice" not in printed
    assert record["steps"] == -(-3 * max(there) // 8)
    assert record["config"]["augment"]["time_masks"] == 2
    # The masks change what is learnt, and validation hears none of them.
    assert train(store_path, tmp_path / "plain", "augment=none", *choices) == 0
    assert not same(last(tmp_path / "run")["state_dict"], last(tmp_path / "plain")["state_dict"])
    test_validation_figures_are_those_of_evaluate(tmp_path / "run", store_path, tmp_path)


def test_an_imbalance_corrected_twice_is_told(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(store_path, tmp_path / "run", "balance=undersample") == 0
    printed = capsys.readouterr().out
    assert "warning: balance and loss.class_weights correct the imbalance twice" in printed


def test_subclasses_that_are_not_there_are_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(store_path, tmp_path / "run", "balance=subclasses", "balance.fold=9") == 2
    error = capsys.readouterr().err
    assert "balance.fold=9: the training part makes 2 balanced sets; accepted are 0 to 1" in error


def test_a_failing_job_of_a_sweep_does_not_take_the_others(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, choices = f"output={tmp_path / 'sweep'}", "loss.class_weights=[1,2],none"
    code = main(["train", "-m", *TINY, f"store={store_path}", output, choices])
    captured = capsys.readouterr()
    assert code != 0
    assert "job 0" in captured.err
    assert "loss.class_weights=[1, 2]: accepted are balanced, effective, none, or a" in captured.err
    finished = list((tmp_path / "sweep").glob("*class_weights=none*/checkpoints/best.ckpt"))
    assert len(finished) == 1
    assert len(list((tmp_path / "sweep").glob("*/checkpoints"))) == 1


@pytest.mark.parametrize(
    ("select", "mode"),
    [("val/nll", "min"), ("val/balanced_accuracy", "max"), ("val/frame_accuracy", "max")],
)
def test_one_key_chooses_the_best_epoch_and_its_direction(
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    select: str,
    mode: str,
) -> None:
    """For early stopping too."""
    overrides = ("trainer.max_epochs=4", "optimizer.lr=0.01", "callbacks.early_stopping.patience=9")
    run, name = tmp_path / "run", select.removeprefix("val/")
    assert train(store_path, run, *overrides, f"select={select}") == 0
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    figure = best["langid_validation"][name]
    watching = [state for key, state in last(run)["callbacks"].items() if select in key]
    scores = [state.get("best_score", state.get("best_model_score")) for state in watching]
    assert [float(score) for score in scores] == pytest.approx([figure, figure])
    record = json.loads((run / "run.json").read_text())
    assert (record["select"], record["best"][name]) == (select, figure)
    events = [EventAccumulator(str(file)).Reload() for file in run.rglob("events.*")]
    logged = [of.Scalars(select) for of in events if select in of.Tags()["scalars"]]
    values = [event.value for event in logged[0]]
    assert figure == pytest.approx({"min": min, "max": max}[mode](values))
    assert f"best epoch {best['epoch']} by {select}: validation loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer._target_=os.system", "_target_=os.system: refused"),
        ("model.network._target_=builtins.eval", "network._target_=builtins.eval: refused"),
        ("split._target_=subprocess.Popen", "_target_=subprocess.Popen: refused"),
        ("model.network._target_=langid.networks.recurrent.GRUU", "no such class"),
        ("+optimizer.speed=1", "Adam takes no speed; accepted are params, lr"),
        ("+model.network.size=1", "GRU takes no size; accepted are bins"),
        ("model.network.units=0", "units=0: accepted are 1 and more"),
        ("data.batch_size=0", "data.batch_size=0: accepted are 1 and more"),
        ("balance._target_=langid.data.disk.Disk", "_target_=langid.data.disk.Disk: refused"),
        ("+balance.fold=1", "EverySequence takes no fold"),
        ("loss.label_smoothing=1", "loss.label_smoothing=1: accepted are numbers from 0"),
        ("augment.time_masks=-1", "augment.time_masks=-1: accepted are whole numbers from 0"),
        ("seed=-1", "seed=-1: accepted are whole numbers"),
        ("seed=null", "seed=None: expected a whole number"),
        ("callbacks.best.monitor=val/los", "trainer or callbacks: "),
        ("select=val/los", "select=val/los: accepted are val/loss, val/nll (the lowest is best)"),
        ("select=loss", "and val/accuracy, val/balanced_accuracy, val/macro_f1, val/frame_accur"),
        ("select=null", "select=null: accepted are val/loss"),
        ("resume=nowhere/checkpoints/last.ckpt", "last.ckpt: no such file"),
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
    "features",
    [
        {"_target_": "os.getcwd"},
        {"_target_": "langid.signal.features.MFCC", "n_mels": "${oc.env:HOME}"},
    ],
)
def test_a_store_that_names_other_code_is_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], features: dict[str, str]
) -> None:
    store = tmp_path / "changed.h5"
    store.write_bytes(store_path.read_bytes())
    with h5py.File(store, "r+") as file:
        description = json.loads(file.attrs["description"]) | {"features": features}
        file.attrs["description"] = json.dumps(description)
    assert train(store, tmp_path / "run") == 2
    assert "refused" in capsys.readouterr().err


# What goes wrong on the way


def test_a_loss_that_is_not_finite_stops_the_run(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ("optimizer.lr=1e30", "trainer.max_epochs=3")
    assert train(store_path, tmp_path / "run", *overrides) == 2
    error = capsys.readouterr().err
    assert "langid: the loss is nan in epoch 0, step" in error
    assert "common_voice_" in error  # the utterances of the batch
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "started"


def test_an_interrupted_run_says_so(
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LanguageIdentifier, "on_validation_epoch_start", interrupt)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert train(store_path, tmp_path / "run") == 130
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored
    assert "interrupted" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_checkpoint(
    store_path: Path, tmp_path: Path, langid: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    limit = 300_000  # bytes a file; enough for the curves, not for this network

    result = langid(
        "train", *TINY, "model.network.units=200", f"store={store_path}", f"output={tmp_path}/run",
        "~callbacks.pictures",
        limits={resource.RLIMIT_FSIZE: limit},
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert result.returncode == 2
    assert "best.ckpt: cannot be written (File too large); free space" in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
