"""Tests of langid/commands/tune.py and search.py: real studies of a small network."""

import contextlib
import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import optuna
import pytest
from forked import Forked
from optuna.trial import FrozenTrial, TrialState, create_trial
from pytorch_lightning import Callback, LightningModule, Trainer

from langid.commands.configuration import compose, resolved
from langid.commands.main import main
from langid.search.pruning import METRIC, Pruning
from langid.search.study import open_study
from langid.training.run import train

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=3", "trainer.accelerator=cpu",
    "~callbacks.pictures", "trials=3",
)  # fmt: skip
ODD = "a 100%20 {x}?b=c"  # a name that means something in a URL


def tune(store: Path, output: Path, *overrides: str) -> int:
    return main(["tune", *TINY, f"store={store}", f"output='{output}'", *overrides])


def study(output: Path) -> optuna.Study:
    return open_study(output / "study.db", optuna.pruners.MedianPruner())


def trials(output: Path) -> list[FrozenTrial]:
    return study(output).get_trials()


def record(output: Path, number: int) -> dict[str, Any]:
    path = output / f"trial-{number:03d}" / "run.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def checkpoints(output: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in output.rglob("*.ckpt")}


@pytest.fixture(scope="module")
def tuned(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study of three trials. Tests must not change it."""
    folder = tmp_path_factory.mktemp("tuned") / ODD
    assert tune(store_path, folder) == 0
    return folder


@pytest.fixture
def copied(tuned: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tuned, tmp_path / "copied"))


# What a study leaves


def test_each_trial_is_a_whole_run_with_its_score(tuned: Path) -> None:
    ended = trials(tuned)
    assert [trial.state for trial in ended] == [TrialState.COMPLETE] * 3
    assert len({trial.params["optimizer.lr"] for trial in ended}) == 3
    for trial in ended:
        run = record(tuned, trial.number)
        assert run["status"] == "finished"
        assert run["config"]["optimizer"]["lr"] == trial.params["optimizer.lr"]
        assert run["silence"] == trial.params["silence"]
        assert trial.value == run["best"]["balanced_accuracy"]
        # what the pruner compares, is what best.ckpt would be now
        assert list(trial.intermediate_values) == [0, 1, 2]
        assert trial.intermediate_values[2] == pytest.approx(trial.value)
        output = tuned / f"trial-{trial.number:03d}" / "output.txt"
        assert output.read_text().count("epoch ") >= 3


def test_the_same_line_runs_nothing_again_and_its_last_line_reproduces_the_best(
    tuned: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = checkpoints(tuned)
    assert tune(store_path, tuned) == 0
    assert checkpoints(tuned) == before
    assert len(before) == 6
    lines = capsys.readouterr().out.splitlines()
    # a key given on the command line is not searched
    assert lines[0] == "data.batch_size=8: given, so data.batch_size is not searched"
    assert lines[1:3] == [
        "search optimizer.lr: 0.0001 to 0.01, log",
        "search silence: mask, remove",
    ]
    [number] = [int(line.split()[4].strip(";")) for line in lines if line.startswith("the best is")]
    values = [trial.value or 0 for trial in trials(tuned)]
    assert values[number] == max(values)
    assert lines[-1].startswith("langid train experiment=gru model.network.units=8 ")
    _, *arguments = shlex.split(lines[-1])
    assert main([*arguments, f"output={tmp_path / 'again'}"]) == 0
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    assert again["best"] == record(tuned, number)["best"]


# Going on


Start = Callable[[list[str]], Forked]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts ``langid`` in a process of its own."""
    with contextlib.ExitStack() as processes:

        def begin(arguments: list[str]) -> Forked:
            command = ["-m", "langid", *arguments]
            return processes.enter_context(Forked(command, stderr=subprocess.STDOUT))

        yield begin


def wait_for(path: Path, process: Forked) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def test_interrupted_and_killed_it_ends_with_the_same_trials(
    tuned: Path, store_path: Path, tmp_path: Path, start: Start
) -> None:
    folder = tmp_path / "study"
    arguments = ["tune", *TINY, "trials=2", f"store={store_path}", f"output={folder}"]

    process = start(arguments)
    wait_for(folder / "trial-000" / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate()
    assert process.returncode == 130, output
    assert output.endswith("langid: interrupted; finished work is kept\n")

    process = start(arguments)
    wait_for(folder / "trial-001" / "checkpoints" / "last.ckpt", process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert [trial.state.name for trial in trials(folder)] == ["COMPLETE", "RUNNING"]
    before = checkpoints(folder / "trial-000")

    assert main(arguments) == 0
    assert checkpoints(folder / "trial-000") == before
    for number in (0, 1):  # each went on from its last epoch
        last = folder / f"trial-{number:03d}" / "checkpoints" / "last.ckpt"
        assert record(folder, number)["config"]["resume"] == str(last)
    for trial, whole in zip(trials(folder), trials(tuned)[:2], strict=True):
        assert trial.params == whole.params
        assert trial.value == whole.value
        assert trial.intermediate_values == whole.intermediate_values
        best = record(tuned, trial.number)["best"]
        assert trial.user_attrs["best"] == pytest.approx(best)


def test_killed_between_a_trials_end_and_its_entry_nothing_is_repeated(
    copied: Path, store_path: Path
) -> None:
    whole = trials(copied)[2]
    with sqlite3.connect(copied / "study.db") as database:
        database.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 2")
        database.execute("DELETE FROM trial_values WHERE trial_id = ?", (whole._trial_id,))
    before = checkpoints(copied)
    assert trials(copied)[2].state == TrialState.RUNNING
    assert tune(store_path, copied) == 0
    assert checkpoints(copied) == before
    assert trials(copied)[2].value == whole.value


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.sequence_frames=200", "data.sequence_frames: the study has 100, asked is 200"),
        (
            "tune.optimizer.lr.high=0.1",
            "tune.optimizer.lr: the study has 0.0001 to 0.01, log, asked is 0.0001 to 0.1, log",
        ),
        ("optimizer.lr=0.001", "tune.optimizer.lr: the study has 0.0001 to 0.01, log, asked is"),
    ],
)
def test_another_study_in_the_same_folder_is_refused(
    override: str, expected: str, tuned: Path, store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune(store_path, tuned, override, "trials=4") == 2
    error = capsys.readouterr().err
    assert f"{tuned} holds another study ({expected}" in error
    assert "choose another output=DIR" in error
    assert not (tuned / "trial-003").exists()


def test_another_store_is_refused(
    tuned: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    assert tune(other, tuned) == 0  # the same store in another place
    with h5py.File(other, "a") as file:
        file.attrs["fingerprint"] = "0123456789abcdef"
    assert tune(other, tuned) == 2
    assert "asked is 0123456789ab" in capsys.readouterr().err


def test_two_at_once_and_a_damaged_study_are_refused(
    tmp_path: Path, store_path: Path, held_elsewhere: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 100)
    with held_elsewhere(tmp_path):
        assert tune(store_path, tmp_path) == 2
        assert "is at work on it; wait for its end" in capsys.readouterr().err
    assert tune(store_path, tmp_path) == 2
    assert f"{tmp_path}/study.db: not a study of langid tune" in capsys.readouterr().err


# Trials that do not finish


def test_a_trial_below_the_median_is_pruned(
    copied: Path, store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trials(copied)[0]
    for _ in range(4):  # the median is 1 then
        perfect = create_trial(
            value=1.0, params=first.params, distributions=first.distributions,
            user_attrs=first.user_attrs, intermediate_values={0: 1.0, 1: 1.0, 2: 1.0},
        )  # fmt: skip
        study(copied).add_trial(perfect)
    assert tune(store_path, copied, "trials=8", "warmup_epochs=1") == 0
    assert "  pruned after epoch 1 at balanced accuracy 0." in capsys.readouterr().out
    last = trials(copied)[7]
    assert last.state == TrialState.PRUNED
    assert list(last.intermediate_values) == [0, 1]
    assert record(copied, 7)["status"] == "pruned"
    assert record(copied, 7)["best"] == {}


class Seen(Callback):
    """Keeps the balanced accuracy of every epoch."""

    def __init__(self) -> None:
        self.figures: list[float] = []

    def on_train_epoch_end(self, trainer: Trainer, _: LightningModule) -> None:
        self.figures.append(float(trainer.callback_metrics[METRIC]))


def test_what_is_reported_is_the_figure_of_the_best_checkpoint(
    store_path: Path, tmp_path: Path
) -> None:
    """With this learning rate the loss rises after the first epoch, and the accuracy changes."""
    overrides = [item for item in TINY if not item.startswith("trials")]
    overrides += [f"store={store_path}", "optimizer.lr=0.1", "split.fractions=[0.4,0.4,0.2]"]
    trial = optuna.create_study(direction="maximize").ask()
    seen = Seen()
    record = train(resolved(compose("train", overrides), tmp_path / "run"), [Pruning(trial), seen])
    assert record is not None and record.best["epoch"] == 0
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    overrides += ["trainer.max_epochs=4", f"resume={last}"]
    train(resolved(compose("train", overrides), tmp_path / "run"), [Pruning(trial), seen])
    [frozen] = trial.study.trials
    figure = pytest.approx(record.best["balanced_accuracy"])
    assert frozen.intermediate_values == {0: figure, 1: figure, 2: figure, 3: figure}
    assert len(seen.figures) == 4 and len(set(seen.figures)) > 1


def test_a_failed_trial_is_told_and_the_study_goes_on(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ("~tune.silence", "tune.optimizer.lr.high=1e36", "tune.optimizer.lr.low=1e35")
    assert tune(store_path, tmp_path / "bad", *space, "trials=2") == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.out.splitlines() if line.startswith("trial ")]
    assert len(lines) == 2
    assert all("failed: the loss is nan in epoch" in line for line in lines)
    assert "langid: no trial finished" in captured.err
    assert {trial.state for trial in trials(tmp_path / "bad")} == {TrialState.FAIL}
    assert record(tmp_path / "bad", 1)["status"] == "failed"
    assert "Traceback" in (tmp_path / "bad" / "trial-001" / "output.txt").read_text()


# What is refused before anything starts


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["+tune.optimizer.lrr={low: 1, high: 2}"],
            "search space tune=default: optimizer.lrr=1: Key 'lrr' is not in struct. Accepted",
        ),
        (["+tune.silense={choices: [mask]}"], "silense=mask: "),
        (["+tune.seed={low: 0.0, high: 1.0}"], "seed=0.0: expected a whole number"),
        (
            [
                "+tune.model={choices: [gru, tcn]}",  # tcn has no units
                "+tune.model.network={units: {low: 8, high: 16}}",
            ],
            "model.network.units=8: Key 'units' is not in struct. Accepted keys are: _target_, ch",
        ),
        (["tune.silence.choices=[mask,cut]"], "silence=cut: no such option. Accepted for silence"),
        (["tune.optimizer.lr.low=1"], "tune.optimizer.lr={'low': 1, 'high': 0.01, 'log': True}"),
        (["tune=recurent"], "tune=recurent: no such option. Accepted for tune are: default, rec"),
        (["optimizer.lr=0.1", "silence=mask", "data.batch_size=8"], "nothing is left to search"),
        (["trial=3"], "Did you mean trials?"),
        (["trials=0"], "trials=0: expected a whole number from 1"),
        (["seed=-1"], "seed=-1: expected a whole number from 0"),
        (["resume=a/last.ckpt"], "resume= belongs to a single run; a study that was killed"),
        (["trainer.devices=2"], "trainer.devices=2: a trial runs on one device"),
        (["store=absent.h5"], "absent.h5: no such file"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(
    overrides: list[str], expected: str, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output = tmp_path / "study"
    assert main(["tune", f"store={store_path}", f"output={output}", *overrides]) == 2
    assert expected in capsys.readouterr().err
    assert not list(tmp_path.rglob("trial-*"))


def test_without_optuna_it_says_what_to_install(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune(store_path, tmp_path / "study") == 2
    error = capsys.readouterr().err
    assert error == "langid: langid tune needs Optuna: pip install 'langid-speech[tune]'\n"
    assert not (tmp_path / "study").exists()
