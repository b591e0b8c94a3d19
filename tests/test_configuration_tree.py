"""Every file of conf/ composes, and what it names can be built."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from langid.build import factory
from langid.commands import main
from langid.commands.configuration import compose, groups, texts, tree

CONF = tree("train")
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir())
OF_PREPARE = ("corpus", "features", "detector")
OPTIONS = [
    (group, path.stem)
    for group in GROUPS
    if group != "runtime"
    for path in sorted((CONF / group).glob("*.yaml"))
]
# Keys that a command line must give.
GIVEN = {
    "store": "s.h5",
    "checkpoint": "c.ckpt",
    "output": "o",
    "model": "m.onnx",
    "audio": "a.wav",
    "clip": "a.wav",
    "folders": "[r]",
    "experiments": "[e]",
}


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    main._register_resolvers()


def needed(command: str) -> list[str]:
    """Return overrides for the keys that a command cannot do without."""
    text = "\n".join(texts(command))
    lines = [line.split(":")[0] for line in text.splitlines() if ": ???" in line]
    return [f"{key}={GIVEN[key]}" for key in lines if key in GIVEN]


def missing_keys(config: Any) -> list[str]:
    return sorted(OmegaConf.missing_keys(config))


def parts(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every role in a configuration of a command, with what is built for it."""
    found = []
    for group, content in config.items():
        content = dict(content) if isinstance(content, dict) else {}
        if group == "callbacks":
            found += [("callback", callback) for callback in content.values()]
        if group == "model":
            found.append(("network", content.pop("network")))
            content.pop("stride", None)  # of the front end that is built for it
        if "_target_" in content:
            found.append((group, content))
    return found


@pytest.mark.parametrize("command", main.COMMANDS)
def test_every_command_composes(command: str) -> None:
    extra = ["corpus=folders", "corpus.root=x"] if command in ("prepare", "reproduce") else []
    config = compose(command, [*needed(command), *extra])
    assert missing_keys(config) == []
    with pytest.raises(Exception, match="Could not override 'unknown_key'"):
        compose(command, [*needed(command), *extra, "unknown_key=1"])


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_its_targets_take_its_keys(group: str, option: str) -> None:
    command = "prepare" if group in OF_PREPARE else "tune" if group == "tune" else "train"
    overrides = [*needed(command), f"{group}={option}"]
    if command == "prepare" and group != "corpus":
        overrides += ["corpus=folders", "corpus.root=x"]
    if command in ("train", "tune"):
        overrides += ["output=o", "name=n"]
    config = compose(command, overrides)
    for key in missing_keys(config):
        known = group == "corpus" or key == "features.encoder"
        assert known, f"only a corpus or an encoder may need a key, not {key}"
        OmegaConf.update(config, key, "x")
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    for role, part in parts(plain):
        factory(part, role)  # raises for a class that is not there, or does not take a key
    if group in plain:
        written = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"))
        assert isinstance(written, dict)
        extended = written.pop("defaults", None) is not None  # it takes over another option's keys
        keys = plain[group].keys()
        assert keys > written.keys() if extended else keys == written.keys()
        built = parts({group: plain[group]}) or (group, option) == ("waveform", "none")
        assert group in ("data", "init", "silence", "teacher", "tune") or built


def own_defaults(node: dict[str, Any]) -> dict[str, Any]:
    """Return those keys of an option that langid's own class has defaults for, with these."""
    module, _, name = node["_target_"].rpartition(".")
    if not module.startswith("langid."):
        return {}
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    defaults = {key: each.default for key, each in parameters.items() if key in node}
    plain = {key: list(it) if isinstance(it, tuple) else it for key, it in defaults.items()}
    return {key: value for key, value in plain.items() if value is not inspect.Parameter.empty}


@pytest.mark.parametrize("group", sorted({group for group, _ in OPTIONS}))
def test_options_hold_the_defaults_of_our_classes(group: str) -> None:
    """Of options that share a class, which differ by what they say, one holds its defaults."""
    equal: dict[str, bool] = {}
    for name in (option for of, option in OPTIONS if of == group):
        held = OmegaConf.load(CONF / group / f"{name}.yaml")
        written = OmegaConf.to_container(held, resolve=group == "model")  # of its own stride
        assert isinstance(written, dict)
        written.pop("defaults", None)
        for _, node in parts({group: written}):
            defaults = own_defaults(node)
            same = defaults == {key: node[key] for key in defaults}
            equal[node["_target_"]] = equal.get(node["_target_"], False) or same
    assert [target for target, same in equal.items() if not same] == []


def test_groups_are_one_level_deep_and_known() -> None:
    assert not [path for path in CONF.rglob("*") if len(path.relative_to(CONF).parts) > 2]
    used = {"runtime", *OF_PREPARE}
    used |= set(groups("tune"))  # which has those of train
    assert set(GROUPS) <= used  # no folder that no command can reach


def test_every_epoch_is_the_default_without_early_stopping() -> None:
    overrides = [*needed("train"), "output=o", "name=n"]
    early = "callbacks.early_stopping.patience=3"
    default = dict(compose("train", [*overrides, early]).callbacks)
    every_epoch = compose("train", [*overrides, "callbacks=every_epoch"]).callbacks
    assert default.pop("early_stopping").patience == 3
    assert default == every_epoch
    assert list(every_epoch)[:2] == ["best", "last"]  # the run's result is that of the first


def test_no_file_is_out_of_reach() -> None:
    commands = {tree(command) / f"{command}.yaml" for command in main.COMMANDS}
    assert set(CONF.glob("*.yaml")) | set((CONF / "runtime").glob("*.yaml")) == commands
    assert {path.suffix for path in CONF.rglob("*") if path.is_file()} == {".yaml"}


def test_sizes_that_follow_from_the_data_are_typed_nowhere() -> None:
    for path in CONF.rglob("*.yaml"):
        keys = {line.split(":")[0].strip() for line in Path(path).read_text().splitlines()}
        chosen = {"hop_samples"} if path.parent.name == "features" else set()
        assert not {"bins", "num_classes", "hop_samples"} & keys - chosen
