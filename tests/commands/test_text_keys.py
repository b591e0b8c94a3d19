"""Names and paths that look like numbers or switches stay as they are typed, by their keys."""

import importlib
import inspect
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest
from omegaconf import DictConfig, OmegaConf

from langid.commands import train
from langid.commands.configuration import compose, groups, options, texts, tree
from langid.commands.main import COMMANDS, main
from langid.commands.sweep import job_folder
from langid.commands.text_keys import SWITCHES, TEXT, bare, readable
from langid.errors import LangidError

VALUES = (
    "2024_11_27", "1e3", "0x10", "2024", "1_0", "007", "true", "off", "nan", "-inf", "2024-11-27",
    "12:30", ".5",
)  # fmt: skip
NUMBERS = {
    "heard_s",
    "max_duration_s",
    "workers",
    "rate",
    "half_life_s",
    "decide_at",
    "unknown_below",
    "window_s",
    "hop_s",
}
# Null at first, of classes that are not langid's, and what langid reproduce passes on.
OTHERS = {
    "init.checkpoint",
    "teacher.checkpoint",
    "logger.save_dir",
    "logger.name",
    "trainer.default_root_dir",
    "overrides",
}


def own_keys(command: str) -> dict[str, Any]:
    """Return the keys of a command itself with their defaults, interpolations as text."""
    config = OmegaConf.merge(*map(OmegaConf.create, texts(command)))
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key not in ("defaults", "hydra")}


def text_only(annotation: Any) -> bool:
    """Return whether a parameter takes texts, paths, or lists and mappings of them, alone."""
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union:
        return all(text_only(kind) or kind is type(None) for kind in get_args(annotation))
    if get_origin(annotation) in (Sequence, Mapping, list, dict):
        return all(map(text_only, get_args(annotation)))
    return annotation in (str, Path)


def keys_of(prefix: str, node: dict[str, Any]) -> dict[str, bool]:
    """Return the dotted keys of an option of a group, and whether each takes text alone."""
    target = node.get("_target_", "")
    module, _, name = target.rpartition(".")
    own = getattr(importlib.import_module(module), name) if module.startswith("langid.") else None
    parameters = inspect.signature(own).parameters if own else {}
    found = {}
    for key, value in node.items():
        if isinstance(value, dict) and key != "merge":
            found |= keys_of(f"{prefix}.{key}", value)
        elif key in parameters:
            found[f"{prefix}.{key}"] = text_only(parameters[key].annotation)
        elif not target and "defaults" not in node:  # that of another option
            found[f"{prefix}.{key}"] = isinstance(value, str)
    return found


def test_the_table_is_what_defaults_and_signatures_say() -> None:
    said: dict[str, bool] = {}
    for command in COMMANDS:
        for key, default in own_keys(command).items():
            if (command, key) in SWITCHES:
                assert isinstance(default, bool)
                continue
            text = isinstance(default, str) or (default is None and key not in NUMBERS)
            assert said.setdefault(key, text) == text, key
        for group in set(groups(command)) - {"tune", "experiment"}:
            for choice in options(command, group):
                node = OmegaConf.to_container(
                    OmegaConf.load(tree(command) / group / f"{choice}.yaml")
                )
                assert isinstance(node, dict)
                for key, text in keys_of(group, {str(k): v for k, v in node.items()}).items():
                    assert said.setdefault(key, text) == text, key
    said.pop("overrides")
    assert {key for key, text in said.items() if text} | OTHERS == TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_every_text_key_of_every_command_stays_as_typed(command: str) -> None:
    others = {*groups(command), "overrides", *(key for of, key in SWITCHES if of == command)}
    own = [key for key in own_keys(command) if key in TEXT - others]
    assert own
    start = ["corpus=common_voice"] if command in ("prepare", "inspect") else []
    start += ["corpus.root=x"] if "corpus" in groups(command) else []
    for number in range(0, len(VALUES), 4):  # all values, be it of different keys
        values = {key: VALUES[(number + place) % len(VALUES)] for place, key in enumerate(own)}
        typed = [readable(command, f"{key}={value}") for key, value in values.items()]
        config = compose(command, [*start, *typed])
        assert {key: OmegaConf.select(config, key) for key in own} == values
    typed = [readable(command, f"{key}=[{','.join(VALUES)}, null]") for key in own]
    config = compose(command, [*start, *typed])
    assert [list(config[key]) for key in own] == [[*VALUES, "null"]] * len(own)


@pytest.mark.parametrize(
    ("command", "argument", "expected"),
    [
        ("prepare", "corpus.root=[2024,2025_01]", ["2024", "2025_01"]),
        ("prepare", "corpus.locales=[nan,en]", ["nan", "en"]),
        ("prepare", "corpus.locales=null", None),
        ("train", "split.train_only=[ 2024 , '1e3']", ["2024", "1e3"]),
        ("train", "split.train_only=1_0", "1_0"),
        ("train", "task.classes=[1,2,null,1_0]", ["1", "2", "null", "1_0"]),
        ("train", "task.merge={60: 1_0,a:true}", {60: "1_0", "a": "true"}),
        ("train", "task.merge=null", None),
        ("train", "resume=null", None),
        ("train", "name=null", "null"),
        ("train", "output=null", "null"),
        ("train", "++name=1e3", "1e3"),
        ("train", "logger.name=2024", "2024"),
        ("train", "seed=1_0", 10),  # a number, by its key
        ("compare", "output=null", None),
        ("evaluate", "output=null", "null"),
    ],
)  # fmt: skip
def test_lists_mappings_and_null(command: str, argument: str, expected: Any) -> None:
    key = argument.partition("=")[0].lstrip("+")
    start = ["corpus=common_voice"] if command in ("prepare", "inspect") else []
    found = OmegaConf.select(compose(command, [*start, readable(command, argument)]), key)
    assert (OmegaConf.to_container(found) if OmegaConf.is_config(found) else found) == expected


def test_a_key_of_a_mapping_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(LangidError, match="1_0 is read as 10 on a command line"):
        readable("train", "task.merge={1_0: ten}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("train store=1_0 output=x", "/1_0: no such file"),
        ("tune store=1_0 output=1e3", "1_0: no such file"),
        ("prepare corpus=folders corpus.root=1_0 store=x.h5", "/1_0: no such folder"),
        ("prepare corpus=folders corpus.root=[1e3,2024] store=x.h5", "/1e3: no such folder"),
        ("prepare corpus=manifest corpus.path=1e3 store=x.h5", "/1e3: no such file"),
        ("prepare corpus=manifest corpus.path=x store=1_0", "store=1_0: expected a name"),
        ("evaluate checkpoint=x store=1_0 output=y", "store=1_0: no such file"),
        ("evaluate checkpoint=1_0 store=x output=y streaming=true", "checkpoint=1_0: no such"),
        ("evaluate checkpoint=[1e3] store=x output=y streaming=true", "checkpoint=1e3: no such"),
        ("compare folders=[1_0]", "1_0: no such folder"),
        ("compare folders=1e3", "1e3: no such folder"),
        ("compare 1_0", "1_0: no such folder"),
        ("reproduce experiments=1_0 corpus.root=x", "reproduce 1_0: no such experiment"),
        ("export checkpoint=1_0 output=x.onnx", "checkpoint=1_0: no such file"),
        ("export checkpoint=x output=1e3", "output=1e3: expected a name that ends in .onnx"),
        ("predict model=1_0 audio=x", "model=1_0: no such file"),
        ("stream model=1e3 audio=x", "model=1e3: no such file"),
        ("stream model=x audio=x plot=1_0", "plot=1_0: expected a name"),
        ("segments model=x audio=x rttm=true", "rttm=true: expected a name"),
        ("demo model=1_0", "model=1_0: no such file"),
    ],
)
def test_every_command_names_what_was_typed(
    arguments: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    assert expected in capsys.readouterr().err


def test_names_of_corpora_classes_locales_and_languages_are_texts(
    store_path: Path, checkpoint_path: Path, model_path: Path, real_clips: list[Path],
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    store = f"store={store_path}"
    root = f"corpus.root={next(data_root.glob('cv-corpus-6.1*'))}"
    for arguments, expected in (
        (["train", store, "output=a", "split.train_only=[1_0]"], "no corpus 1_0 in the store"),
        (["train", store, "output=a", "task.classes=[1_0,2]"], "1_0"),
        (["evaluate", f"checkpoint={checkpoint_path}", store, "output=a", "corpora=[1e3]"],
         "no 1e3 in the test part"),
        (["prepare", "corpus=common_voice", root, "corpus.locales=[nan,en]", "store=a.h5"],
         "no folder for nan in"),
        (["predict", f"model={model_path}", f"audio={real_clips[0]}", "languages=[1_0]"], "1_0"),
    ):  # fmt: skip
        assert main(arguments) == 2
        assert expected in capsys.readouterr().err


def test_the_folders_of_runs_and_jobs_are_named_as_typed(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    seen: list[tuple[Any, str]] = []

    def run(config: DictConfig) -> int:
        seen.append((config.name, Path(str(config.output)).name))
        return 0

    monkeypatch.setattr(train, "run", run)
    assert main(["train", f"store={store_path}", "output=2024_11_27"]) == 0
    line = ["train", "-m", f"store={store_path}", "name=1_0,1e3,true", "output=2024_11"]
    assert main(line) == 0
    assert seen == [
        ("run", "2024_11_27"), ("1_0", "name=1_0,store=real"), ("1e3", "name=1e3,store=real"),
        ("true", "name=true,store=real"),
    ]  # fmt: skip
    assert "job 1 (name=1e3)" in capsys.readouterr().out
    assert (tmp_path / "2024_11" / "name=1_0,store=real").is_dir()


def test_folders_of_jobs_have_no_quotes() -> None:
    overrides = ['name="1_0"', "store='2024.h5'", 'output="x"']
    assert job_folder(overrides, _root_=OmegaConf.create()) == "name=1_0,store=2024"
    assert bare('split.train_only=["2024","a"]') == "split.train_only=[2024,a]"
    assert bare("~callbacks.pictures") == "~callbacks.pictures"
