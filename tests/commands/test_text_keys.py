"""What is a name or a path stays as it is typed, in every command."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from langid.commands.configuration import compose, groups, texts
from langid.commands.main import COMMANDS
from langid.commands.text_keys import TEXT, bare, readable

ODD = ("2024_11_27", "1e3", "0x10", "1_0", "007", "nan", "true", "off", "2024-11-27", "1:30")
NEEDED = {
    "prepare": ("corpus=folders", "corpus.root=c", "store=a.h5"),
    "train": ("store=a.h5",),
    "tune": ("store=a.h5",),
    "evaluate": ("checkpoint=a.ckpt", "store=a.h5", "output=o"),
    "compare": ("folders=a",),
    "reproduce": ("experiments=a", "corpus.root=c"),
    "export": ("checkpoint=a.ckpt", "output=a.onnx"),
    "stream": ("model=m", "audio=a"),
    "predict": ("model=m", "audio=a"),
    "segments": ("model=m", "audio=a"),
    "demo": ("model=m",),
}


def composed(command: str, *overrides: str) -> Any:
    return compose(command, [readable(command, override) for override in overrides])


def own_keys(command: str) -> list[str]:
    """Return the text keys that a command itself has."""
    plain = OmegaConf.merge(*map(OmegaConf.create, texts(command)))
    return sorted(set(plain) & TEXT - set(groups(command)))


@pytest.mark.parametrize("command", COMMANDS)
def test_text_stays_text_in_every_command(command: str) -> None:
    assert own_keys(command)
    for key in own_keys(command):
        for typed in ODD:
            config = composed(command, *NEEDED[command], f"{key}={typed}")
            assert config[key] == typed, key


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_that_takes_a_name_or_path_is_text(command: str) -> None:
    """Found by what stands beside the key in the YAML: a path that is needed, or a word."""
    plain = OmegaConf.merge(*map(OmegaConf.create, texts(command)))
    for key in set(plain) - {"defaults", "hydra"} - set(groups(command)):
        word = OmegaConf.is_missing(plain, key) or OmegaConf.is_interpolation(plain, key)
        if word or isinstance(plain[key], str):
            assert key in TEXT, f"{command}: {key}"


@pytest.mark.parametrize(
    ("command", "override", "key", "expected"),
    [
        ("prepare", "corpus.root=[2024,2025_01]", "corpus.root", ["2024", "2025_01"]),
        ("prepare", "corpus.root=2024", "corpus.root", "2024"),
        ("train", "split.train_only=[2024]", "split.train_only", ["2024"]),
        ("train", "split.train_only=2024", "split.train_only", "2024"),
        ("train", "task.classes=[1,2]", "task.classes", ["1", "2"]),
        ("train", "task.classes=[twenties,off]", "task.classes", ["twenties", "off"]),
        ("train", "task.classes=null", "task.classes", None),
        ("train", "resume=null", "resume", None),
        ("evaluate", "corpora=[2024,1e3]", "corpora", ["2024", "1e3"]),
        ("evaluate", "corpora=null", "corpora", None),
        ("evaluate", "checkpoint=[1,2]", "checkpoint", ["1", "2"]),
        ("predict", "languages=[no,nan]", "languages", ["no", "nan"]),
        ("predict", "audio=[1.0,2]", "audio", ["1.0", "2"]),
        ("stream", "plot=null", "plot", None),
    ],
)
def test_lists_of_names_and_null(command: str, override: str, key: str, expected: Any) -> None:
    config = composed(command, *NEEDED[command], override)
    assert OmegaConf.select(config, key) == expected


def test_locales_that_look_like_numbers() -> None:
    given = ("corpus=common_voice", "corpus.root=c", "store=a.h5", "corpus.locales=[nan,en]")
    assert composed("prepare", *given).corpus.locales == ["nan", "en"]


def test_numbers_and_switches_stay_what_they_are() -> None:
    config = composed("train", "store=a.h5", "seed=7", "data.carry_state=true", "optimizer.lr=1e-3")
    assert (config.seed, config.data.carry_state, config.optimizer.lr) == (7, True, 0.001)


def test_sweeps_of_names() -> None:
    assert readable("train", "name=2024,1e3,b") == 'name="2024","1e3",b'
    assert bare('name="2024"') == "name=2024"
    assert bare("seed=1") == "seed=1"


def test_a_key_of_a_mapping_that_would_be_read_otherwise_is_refused() -> None:
    from langid.errors import LangidError

    with pytest.raises(LangidError, match="is read as"):
        readable("train", "task.merge={1_0: b}")


def test_outputs_of_digits_are_written_where_they_are_typed(
    store_path: Path,
    checkpoint_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from langid.commands.main import main

    monkeypatch.chdir(tmp_path)
    given = [f"checkpoint={checkpoint_path}", f"store={store_path}"]
    assert main(["evaluate", *given, "output=2024_11_27"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["2024_11_27"]
