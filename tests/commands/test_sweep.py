"""Tests of langid/commands/sweep.py: real sweeps of a small network on real speech."""

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from forked import Forked
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from tensorboard.backend.event_processing.plugin_event_multiplexer import (  # type: ignore[import-untyped]
    EventMultiplexer,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (  # type: ignore[import-untyped]
    HParamsPluginData,
)

from langid.commands import train
from langid.commands.main import main
from langid.commands.sweep import job_folder

TINY = (
    "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
    "~callbacks.pictures",
)  # fmt: skip
SILENCES = "silence=mask,label,remove"
WEIGHTS = "loss.class_weights=[1,2,3]"  # three weights are one too few under silence=label


def sweep(store: Path, output: Path, *overrides: str) -> int:
    return main(["train", "-m", *TINY, f"store={store}", f"output={output}", *overrides])


def records(output: Path) -> dict[Path, dict[str, Any]]:
    return {path: json.loads(path.read_text()) for path in sorted(output.glob("*/run.json"))}


@pytest.fixture(scope="module")
def swept(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of which the second of three jobs has failed."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    assert sweep(store_path, folder, WEIGHTS, SILENCES) == 1
    return folder


def test_a_failed_job_does_not_stop_the_rest(swept: Path) -> None:
    assert [record["silence"] for record in records(swept).values()] == ["mask", "remove"]
    assert {record["status"] for record in records(swept).values()} == {"finished"}


def test_started_again_it_skips_what_is_finished(
    swept: Path, store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in swept.rglob("*.ckpt")}
    assert len(before) == 4
    assert sweep(store_path, swept, WEIGHTS, SILENCES) == 1
    captured = capsys.readouterr()
    assert {path: path.stat().st_mtime_ns for path in swept.rglob("*.ckpt")} == before
    assert (
        "job 1 (silence=label) failed: loss.class_weights=[1, 2, 3]: accepted are" in captured.err
    )
    lines = captured.out.splitlines()
    assert lines[-1] == "3 jobs: 2 skipped, was finished, 1 failed"
    assert sum("silence=mask" in line and "skipped" in line for line in lines) == 1
    assert any("silence=label" in line and "failed: " in line for line in lines)
    # order of overrides does not matter, and neither does the way to write -m
    arguments = [SILENCES.replace(",label", ""), WEIGHTS, "-m", f"store={store_path}", *TINY]
    assert main(["train", *arguments, f"output={swept}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 jobs: 2 skipped, was finished"


def test_half_a_job_goes_on_from_its_last_checkpoint(
    swept: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed job has a record that says started; without a checkpoint it starts again."""
    folder = tmp_path / "sweep"
    shutil.copytree(swept, folder)
    (first, half), (second, none) = records(folder).items()
    for path, record in ((first, half), (second, none)):
        record["config"]["output"] = str(path.parent)
        text = json.dumps(record | {"status": "started"}).replace(str(swept), str(folder))
        path.write_text(text)
    (second.parent / "checkpoints" / "last.ckpt").unlink()
    assert sweep(store_path, folder, WEIGHTS, SILENCES.replace(",label", "")) == 0
    resumed, again = records(folder).values()
    assert resumed["status"] == again["status"] == "finished"
    assert resumed["config"]["resume"] == str(first.parent / "checkpoints" / "last.ckpt")
    assert again["config"]["resume"] is None
    assert (second.parent / "checkpoints" / "last.ckpt").is_file()
    for name in ("loss", "accuracy"):
        assert resumed["best"][name] == pytest.approx(half["best"][name])
        assert again["best"][name] == pytest.approx(none["best"][name])


def test_another_configuration_in_the_same_folder_is_refused(
    swept: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(swept, folder)
    path, record = next(iter(records(folder).items()))
    record["config"]["optimizer"]["lr"] = 0.5
    path.write_text(json.dumps(record))
    assert sweep(store_path, folder, WEIGHTS, "silence=mask,remove") == 1
    error = capsys.readouterr().err
    assert "holds another run (optimizer.lr: the run has 0.5, asked is 0.001" in error
    record["config"]["optimizer"]["lr"] = 0.001
    path.write_text(json.dumps(record | {"fingerprint": "0123456789abcdef"}))
    assert sweep(store_path, folder, WEIGHTS, "silence=mask,remove") == 1
    assert "fingerprint of the store: the run has 0123456789ab, asked is" in capsys.readouterr().err


def test_a_job_that_ran_with_other_workers_is_finished(
    swept: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(swept, folder)
    path, record = next(iter(records(folder).items()))
    record["config"]["data"]["workers"] = 3
    record["config"]["trainer"] |= {"accelerator": "gpu", "devices": 2}
    path.write_text(json.dumps(record))
    assert sweep(store_path, folder, WEIGHTS, "silence=mask,remove") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 jobs: 2 skipped, was finished"


def test_without_output_the_folders_are_the_same_each_time(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments = ["train", *TINY, "name=small", "-m", f"store={store_path}", "seed=0,1"]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 jobs: 2 skipped, was finished"
    folders = [path.parent for path in records(tmp_path / "runs" / "small")]
    assert [folder.name.split("seed=")[1].split(",")[0] for folder in folders] == ["0", "1"]


def test_ctrl_c_stops_the_whole_sweep(store_path: Path, tmp_path: Path) -> None:
    command = ["-m", "langid", "train", "-m", *TINY, "trainer.max_epochs=200", "seed=0,1,2"]
    places = (f"store={store_path}", f"output={tmp_path}/sweep")
    with Forked([*command, *places], stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch   0"):
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130, "".join(lines)
    assert lines[-1] == "langid: interrupted; finished work is kept\n"
    assert "3 jobs: 1 interrupted, 2 not begun\n" in lines
    (record,) = records(tmp_path / "sweep").values()
    assert record["status"] == "started"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["trainer.devices=2", "seed=0,1"], "trainer.devices=2: a job of a sweep runs on one"),
        (["trainer.devices=1,2"], "trainer.devices=2: a job of a sweep runs on one device"),
        (["trainer.devices=[0,1]", "seed=0,1"], "trainer.devices=[0, 1]: a job"),
        (["trainer.devices=auto", "seed=0,1"], "trainer.devices=auto: a job"),
        (["+trainer.num_nodes=2", "seed=0,1"], "trainer.num_nodes=2: a job"),
        (["resume=a/last.ckpt", "seed=0,1"], "resume= belongs to a single run"),
        (["silence=mask,cut"], "cut"),
    ],
)
def test_what_a_sweep_cannot_do_is_refused_before_it_starts(
    overrides: list[str], expected: str, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert sweep(store_path, tmp_path / "sweep", *overrides) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.out == ""
    assert not list(tmp_path.rglob("run.json"))


def test_one_device_by_list_is_accepted(store_path: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.h5"
    arguments = [f"output={tmp_path / 'x'}", "trainer.devices=[0]", "seed=0,1"]
    assert main(["train", "-m", f"store={absent}", *arguments]) == 1  # began, and found no store


def test_an_error_that_is_not_the_users_is_shown_whole_and_the_rest_go_on(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def run(config: Any) -> int:
        if config.seed == 0:
            raise ZeroDivisionError("by zero")
        return 0

    monkeypatch.setattr(train, "run", run)
    assert sweep(store_path, tmp_path / "sweep", "seed=0,1") == 1
    captured = capsys.readouterr()
    assert "Traceback" in captured.err
    assert captured.out.splitlines()[-1] == "2 jobs: 1 failed, 1 finished"


def test_a_value_that_follows_another_makes_one_folder(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that the job is told of, by the value that it has."""
    folders = []
    monkeypatch.setattr(
        train, "run", lambda _: folders.append(Path(HydraConfig.get().runtime.output_dir))
    )
    store = f"store={tmp_path}/layer${{seed}}.h5"
    for name in ("layer0.h5", "layer1.h5"):
        (tmp_path / name).symlink_to(store_path)
    assert main(["train", "-m", store, f"output={tmp_path / 'sweep'}", "seed=0,1"]) == 0
    assert sorted(path for path in (tmp_path / "sweep").iterdir() if path.is_dir()) == folders
    assert [path.name for path in folders] == ["seed=0,store=layer0", "seed=1,store=layer1"]


def test_folder_names() -> None:
    config = OmegaConf.create({"seed": 3, "store": "layers/${seed}.h5", "x": "${seed}"})

    def named(*overrides: str) -> str:
        return job_folder(overrides, _root_=config)

    assert named("silence=mask", "output=runs/a", "seed=0") == "seed=0,silence=mask"
    assert named("store='/a b/trio.h5'", "+x=a/b") == "+x=a_b,store=trio"
    assert named("seed=3", "store=layers/${seed}.h5", "+x=${seed}") == "+x=3,seed=3,store=3"
    long = [f"key{number}=value" for number in range(100)]
    assert len(named(*long).encode()) <= 200
    assert named(*long) != named(*long, "seed=1")
    assert named(*long) == named(*long[::-1])


def test_tensorboard_shows_every_run_with_its_final_figures(swept: Path) -> None:
    columns: set[str] = set()
    for path, record in records(swept).items():
        sessions = []
        for file in (path.parent / "tensorboard").glob("events*"):
            events = EventAccumulator(str(file)).Reload()
            # TensorBoard would take one run's list of columns for all runs.
            assert "_hparams_/experiment" not in events.summary_metadata
            for tag in ("loss", "accuracy", "balanced_accuracy"):
                if f"val_best/{tag}" in events.Tags()["scalars"]:
                    [value] = events.Scalars(f"val_best/{tag}")
                    assert value.value == pytest.approx(record["best"][tag], abs=1e-6)
                    columns.add(tag)
            metadata = events.summary_metadata.get("_hparams_/session_start_info")
            if metadata is not None:
                data = HParamsPluginData.FromString(metadata.plugin_data.content)
                sessions.append(dict(data.session_start_info.hparams))
        (session,) = sessions
        assert session["silence.policy"].string_value == record["silence"]
    assert columns == {"loss", "accuracy", "balanced_accuracy"}
    everything = EventMultiplexer().AddRunsFromDirectory(str(swept)).Reload()
    assert len(everything.Runs()) == 2
