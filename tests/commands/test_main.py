"""The command line: help, what is wrong with an override, exit codes."""

import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl

import langid.data.shard
from langid.commands.main import COMMANDS, main
from langid.data.shard import write_shard


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return what a command says that must refuse its arguments."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("langid: ")
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_all_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS:
        [line] = [line for line in lines if line.startswith(f"  {command} ")]
        assert len(line.split(maxsplit=1)[1]) > 20


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("prepare", ["store", "add", "min_duration_s", "workers", "common_voice", "locales"]),
        (
            "train",
            ["store", "output", "resume", "seed", "units", "class_weights", "fraction", "-m"],
        ),
        ("tune", ["trials", "warmup_epochs", "store", "seed", "recurrent", "lr.low", "units"]),
        ("evaluate", ["checkpoint", "store", "output", "part", "corpora", "workers"]),
        ("compare", ["folders", "output", "part", "store"]),
        ("export", ["checkpoint", "output", "audio"]),
        (
            "stream",
            [
                "model",
                "audio",
                "rate",
                "interval_s",
                "half_life_s",
                "decide_at",
                "unknown_below",
                "languages",
                "json",
                "plot",
            ],
        ),
        ("predict", ["model", "audio", "unknown_below", "languages", "json"]),
        ("segments", ["model", "audio", "half_life_s", "languages", "json", "rttm", "plot"]),
    ],
)
def test_help_of_a_command(
    command: str, keys: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"langid {command}: ")
    assert text.count(f"\n  langid {command} ") == 2  # two examples
    listed = text.split("\nkeys:\n")[1]
    assert [key for key in keys if key not in listed] == []
    assert "(needed)" in listed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"langid {langid.__version__}\n"


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "tran", "store=a.h5")
    assert "no command tran; there are download, prepare," in message
    assert "Did you mean train?" in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "store=a.h5", "sed=1"], ["sed=1", "Accepted keys are:", "Did you mean seed?"]),
        (["train", "store=a.h5", "model=grru"], ["grru", "Accepted for model are: ", "gru?"]),
        (
            ["train", "store=a.h5", "experiment=x"],
            ["Accepted for experiment are: accent_es_advanced"],
        ),
        (["train", "store=a.h5", "optimizer.lrr=1"], ["Accepted keys are:", "Did you mean lr?"]),
        (["train", "store=a.h5", "model.network.unit=1"], ["unit=1", "Did you mean units?"]),
        (["train", "store=a.h5", "silence=cut"], ["keep, label, mask, remove"]),
        (["train", "store=a.h5", "colour=red"], ["colour=red", "Accepted keys are:", "model"]),
        (["train", "-m", "store=a.h5", "silence=cut,keep"], ["keep, label, mask, remove"]),
        (
            ["prepare", "store=a.h5", "corpus=commonvoice"],
            ["common_voice, fleurs, folders, manifest"],
        ),
        (["prepare", "corpus=folders", "corpus.rot=x", "store=a.h5"], ["Did you mean root?"]),
        (["stream", "model=m.onnx", "audio=a.wav", "jsn=true"], ["Did you mean json?"]),
        (["predict", "models=m.onnx"], ["models=m.onnx", "Did you mean model?"]),
        (["export", "checkpoint=a", "output=b", "silence=keep"], ["checkpoint, output, format"]),
        (["train", "store"], ["KEY=VALUE"]),
        (["train", "split.train_only=[a"], ["KEY=VALUE"]),
        (["train", "store=a.h5", "--config"], ["takes no --config", "--multirun"]),
        (["stream", "-m", "model=a,b", "audio=a"], ["langid stream takes no -m"]),
    ],
)
def test_a_wrong_key_or_group_is_named_with_what_is_accepted(
    arguments: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, *arguments)
    assert [words for words in expected if words not in message] == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train"], "needs store: add store=PATH.h5"),
        (["evaluate", "store=a.h5"], "needs checkpoint, output: add checkpoint=BEST.ckpt"),
        (["export"], "needs checkpoint, output"),
        (["stream", "model=m.onnx"], "needs audio: add audio=FILE"),
        (["predict"], "needs audio, model"),
        (["prepare", "corpus=folders", "store=a.h5"], "corpus.root=DIR"),
        (["prepare", "store=a.h5"], "corpus"),
    ],
)
def test_a_missing_key_is_named(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["stream", "model=m", "audio=a", "interval_s=soon"], "interval_s=soon: expected a number"),
        (["stream", "model=m", "audio=a", "interval_s=null"], "interval_s=None: expected a number"),
        (["stream", "model=m", "audio=a", "json=maybe"], "json=maybe: expected true or false"),
        (["stream", "model=m", "audio=[a,b]"], "audio=['a', 'b']: expected a path"),
        (["train", "store=a.h5", "seed=1.5"], "seed=1.5: expected a whole number"),
        (
            ["prepare", "corpus=folders", "corpus.root=.", "store=a.h5", "min_duration_s=x"],
            "min_duration_s=x: expected a number",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(capsys, *arguments)


def test_missing_files_and_folders_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent, output = tmp_path / "absent", f"output={tmp_path / 'out'}"
    for arguments in (
        ["prepare", "corpus=folders", f"corpus.root={absent}", f"store={tmp_path}/a.h5"],
        ["prepare", "corpus=common_voice", f"corpus.root={absent}", f"store={tmp_path}/a.h5"],
        ["prepare", "corpus=manifest", f"corpus.path={absent}", f"store={tmp_path}/a.h5"],
        ["train", f"store={absent}", output],
        ["evaluate", f"checkpoint={absent}", f"store={absent}", output],
        ["export", f"checkpoint={absent}", f"{output}/model.onnx"],
        ["stream", f"model={absent}", "audio=a.wav"],
        ["predict", f"model={absent}", "audio=a.wav"],
    ):
        assert str(absent) in refused(capsys, *arguments)


def test_an_evaluation_that_cannot_be_leaves_no_folder(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent, output = tmp_path / "absent", f"output={tmp_path / 'out' / 'test'}"
    for checkpoint in (absent, checkpoint_path):
        given = [f"checkpoint={checkpoint}", f"store={absent}", output]
        assert str(absent) in refused(capsys, "evaluate", *given)
        assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")  # a file where a folder is needed refuses root too
    checkpoint = f"checkpoint={checkpoint_path}"
    message = refused(capsys, "export", checkpoint, f"output={blocked}/model.onnx")
    assert f"output={blocked}/model.onnx: cannot be written" in message
    assert "is a folder" in refused(capsys, "export", checkpoint, f"output={tmp_path}")
    message = refused(
        capsys, "evaluate", checkpoint, f"store={store_path}", f"output={blocked}/out"
    )
    assert str(blocked) in message


def test_python_dash_m_runs_from_any_folder(langid: Any, tmp_path: Path) -> None:
    result = langid("stream", "model=absent.onnx", "audio=a.wav", cwd=tmp_path)
    assert result.returncode == 2
    assert "model=absent.onnx: no such file" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_prepare_exits_130_and_resumes(
    real_manifest: Path,
    store_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "again.h5"
    command = ["prepare", "corpus=manifest", f"corpus.path={real_manifest}", f"store={store}"]
    written: list[Path] = []

    def interrupted(path: Path, *arguments: Any) -> int:
        if len(written) == 2:
            signal.raise_signal(signal.SIGINT)
        written.append(path)
        return int(write_shard(path, *arguments))

    monkeypatch.setattr(langid.data.shard, "SHARD_UTTERANCES", 8)
    monkeypatch.setattr(langid.data.shard, "write_shard", interrupted)
    assert main([*command, "workers=1"]) == 130
    assert "interrupted; finished work is kept" in capsys.readouterr().err
    assert not store.exists()
    assert len(written) == 2
    kept = {path: path.stat().st_mtime_ns for path in written}
    seen: list[dict[Path, int]] = []

    def resumed(path: Path, *arguments: Any) -> int:
        seen.append({path: path.stat().st_mtime_ns for path in kept})
        return int(write_shard(path, *arguments))

    monkeypatch.setattr(langid.data.shard, "write_shard", resumed)
    assert main([*command, "workers=1"]) == 0
    assert seen == [kept] * 3  # of five shards two were there, and stayed
    with h5py.File(store) as again, h5py.File(store_path) as whole:
        for name in ("features", "speech", "offsets"):
            np.testing.assert_array_equal(again[name][:], whole[name][:])


@pytest.mark.parametrize("flags", [[], ["hydra.verbose=true"]])
def test_a_command_composes_once_and_hydra_is_asked_where_its_own_part_is(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    composed = []
    whole = ConfigLoaderImpl.load_configuration

    def count(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> Any:
        composed.append(arguments)
        return whole(self, *arguments, **named)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", count)
    assert main(["train", "store=none.h5", *flags]) == 2
    assert "none.h5: no such file" in capsys.readouterr().err
    assert len(composed) == 1 if not flags else len(composed) > 1
