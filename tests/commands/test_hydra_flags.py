"""Hydra's own flags on real commands: what they show, and that they do and write nothing."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from langid.commands.main import COMMANDS, main

SHELL = """
eval "$(langid --shell-completion install=bash)"
COMP_LINE='langid train model=lstm sil' COMP_POINT=27
COMP_WORDS=(langid train model=lstm sil) COMP_CWORD=3
hydra_bash_completion
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of somebody's configuration, in the current one, which holds nothing else."""
    conf = tmp_path / "conf"
    (conf / "model").mkdir(parents=True)
    (conf / "model" / "mine.yaml").write_text("defaults: [gru, _self_]\nnetwork: {units: 17}\n")
    (conf / "experiment").mkdir()
    experiment = "# @package _global_\ndefaults: [{override /model: mine}]\nseed: 5\n"
    (conf / "experiment" / "small.yaml").write_text(experiment)
    study = "defaults: [tune, _self_]\nseed: 7\nstore: their.h5\n"
    (conf / "their_study.yaml").write_text(study)
    primary = "defaults: [train, {override model: mine}, _self_]\nseed: 7\nstore: their.h5\n"
    (conf / "theirs.yaml").write_text(primary)
    monkeypatch.chdir(tmp_path)
    return conf


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(list(arguments)) == 0
    return yaml.safe_load(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    return capsys.readouterr().err


def nothing_was_written(folder: Path) -> bool:
    return list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_configuration_of_every_command_is_shown_though_keys_are_missing(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["corpus=folders"] if command == "prepare" else []
    config = shown(capsys, command, "--cfg", "job", *chosen)
    assert "hydra" not in config
    assert "???" in config.values() or command in ("download", "doctor")  # which need no key
    assert list(shown(capsys, command, *chosen, "-c", "hydra")) == ["hydra"]
    assert set(shown(capsys, command, *chosen, "--cfg=all", "--resolve")) == {*config, "hydra"}
    assert nothing_was_written(folder)


def test_a_package_of_the_configuration_is_shown_resolved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "store=a.h5", "--cfg", "job", "model=lstm", "--package"]
    assert shown(capsys, *arguments, "model.network")["units"] == 200
    output = shown(capsys, *arguments[:4], "--resolve")["output"]
    assert output.startswith("runs/run/")
    assert nothing_was_written(folder)
    assert main([*arguments, "modle"]) == 2
    assert "package 'modle' not found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--info", "defaults", "model=lstm"], "| model/lstm "),
        (["train", "--info", "defaults-tree"], "    silence: mask"),
        (["evaluate", "--info", "config", "part=validation"], "part: validation"),
        (["stream", "--info", "searchpath"], "conf/runtime"),
        (["prepare", "corpus=folders", "--info"], "Config search path"),
        (["tune", "--info", "searchpath", "hydra.searchpath=[file://conf]"], "| file://conf "),
        (["export", "--info=defaults"], "| export "),
    ],
)
def test_information_is_printed(
    arguments: list[str], expected: str, folder: Path, langid: Any
) -> None:
    result = langid(*arguments, cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert expected in result.stdout
    assert nothing_was_written(folder)


@pytest.mark.parametrize(
    "place", [["--config-dir", "conf"], ["-cd=conf"], ["hydra.searchpath=[file://conf]"]]
)
def test_options_of_another_folder_are_found(
    place: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, "train", *place, "model=mine", "--cfg", "job")["model"]["network"] == {
        **shown(capsys, "train", "--cfg", "job")["model"]["network"],
        "units": 17,
    }
    config = shown(capsys, "tune", "experiment=small", *place, "--cfg", "job")
    assert (config["seed"], config["model"]["network"]["units"]) == (5, 17)
    message = refused(capsys, "train", *place, "store=a.h5", "model=mime")
    assert "lstm, mine, pretrained, rnn" in message
    assert message.endswith("Did you mean mine?\n")
    assert "no such option" in refused(capsys, "train", "store=a.h5", "model=mine")
    assert main(["train", *place, "--help"]) == 0
    assert "    mine                      network.units\n" in capsys.readouterr().out


def test_another_primary_configuration_is_taken(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--config-dir", "conf", "--config-name", "theirs"]
    config = shown(capsys, *arguments, "--cfg", "job")
    assert (config["seed"], config["store"]) == (7, "their.h5")
    assert config["model"]["network"]["units"] == 17
    assert "store=" in refused(capsys, *arguments)  # checked as any other, and not there
    assert "their.h5" in refused(capsys, *arguments)
    message = refused(capsys, "train", "--config-name", "absent", "--cfg", "job")
    assert "--config-name absent: no such configuration" in message


def test_trainings_sweeps_and_studies_take_options_of_another_folder(
    folder: Path, store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = [
        "--config-dir", "conf", f"store={store_path}", "experiment=small", "data.batch_size=8",
        "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
        "~callbacks.pictures",
    ]  # fmt: skip
    assert main(["train", "-m", "model.network.units=6,7", "output=sweep", *tiny]) == 0
    assert main(["tune", "trials=1", "output=study", "~tune.silence", *tiny]) == 0
    *_, again = capsys.readouterr().out.splitlines()
    assert main([*shlex.split(again)[1:], "output=again"]) == 0
    assert main(["train", "--config-name", "theirs", "output=theirs", *tiny]) == 0
    runs = [json.loads(path.read_text())["config"] for path in folder.parent.rglob("run.json")]
    units = [run["model"]["network"]["units"] for run in runs]
    assert sorted(units) == [6, 7, 17, 17, 17]
    arguments = ["tune", "--config-dir", "conf", "--config-name", "their_study"]
    assert "--config-name their_study: langid tune runs" in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--cfg", "jobs"], "invalid choice: 'jobs'"),
        (["train", "--cfg"], "--cfg/-c: expected one argument"),
        (["train", "--cfg", "job", "-m", "seed=1,2"], "--multirun and --cfg do not go together"),
        (["train", "--cfg", "job", "--info", "all"], "--cfg and --info do not go together"),
        (["train", "--resolve"], "add --cfg job"),
        (["train", "--config-path", "conf"], "takes no --config-path"),
        (["evaluate", "--multirun"], "takes no --multirun"),
        (["train", "--config-dir", "absent", "--cfg", "job"], "absent: no such folder"),
        (["train", "hydra.searchpath=[pkg://no.such]", "--cfg", "job"], "pkg://no.such: not found"),
        (["train", "seed=1,2", "--cfg", "job"], "seed=1,2"),
        (["train", "sed=1", "--cfg", "job"], "Did you mean seed?"),
        (["prepare", "--cfg", "job"], "needs corpus"),
        (["train", "--shell-completion", "install=cmd"], "one of bash, fish, zsh"),
    ],
)
def test_flags_that_do_not_fit_are_named(
    arguments: list[str], expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(capsys, *arguments)
    assert nothing_was_written(folder)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("langid t", {"train", "tune"}),
        ("langid train mod", {"model=", "model."}),
        ("langid train model=la", {"model=last_frame"}),
        ("langid train model=l", {"model=last_frame", "model=linear_probe", "model=lstm"}),
        ("langid train --config-dir conf model=m", {"model=mine"}),
        ("langid train model=mine hydra.searchpath=[file://conf] see", {"seed="}),
        ("langid train -m model=gru,lstm model.network.un", {"model.network.units="}),
        ("langid prepare corpus=f", {"corpus=folders", "corpus=fleurs"}),
        ("langid evaluate --config-", {"--config-dir", "--config-name"}),
        ("langid train seed.x", set()),
        ("langid nothing ", set()),
    ],
)
def test_a_line_is_completed(
    line: str,
    expected: set[str],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert main(["--shell-completion", "query=bash"]) == 0
    assert set(capsys.readouterr().out.split()) == expected


def test_the_value_of_a_run_s_folder_is_completed_without_making_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_LINE", "langid train output=")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out.startswith("output=runs/run/")
    assert nothing_was_written(folder)


def test_bash_completes_with_what_is_installed(folder: Path) -> None:
    script = folder / "langid"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m langid "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = ["bash", "--norc", "-c", SHELL]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.stdout.split() == ["silence.", "silence="], result.stderr
