"""Clear words for what is wrong with an override, before anything is done."""

import difflib
from collections.abc import Sequence
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from langid.build import ROLES, class_of, not_taken
from langid.commands.configuration import (
    compose,
    compose_whole,
    groups,
    options,
    parsed,
    texts,
    values_of,
    without_hydra,
)
from langid.commands.trust import check_trusted
from langid.differences import flatten
from langid.errors import LangidError

HINTS = {
    "store": "store=PATH.h5",
    "checkpoint": "checkpoint=BEST.ckpt",
    "output": "output=PATH",
    "model": "model=MODEL.onnx",
    "audio": "audio=FILE",
    "clip": "clip=FILE",
    "folders": "DIR",
    "corpus.root": "corpus.root=DIR",
    "experiments": "NAME, or --all",
    "corpus.path": "corpus.path=MANIFEST.tsv",
}
KINDS = {  # of a default: what may stand in its place
    str: ((str, int), "a text"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
TAKE_LISTS = {
    ("predict", "audio"),
    ("evaluate", "checkpoint"),
    ("compare", "folders"),
    ("reproduce", "experiments"),
}


class Checked(NamedTuple):
    """Overrides that compose: those given, and what takes away the keys of replaced classes.

    ``config`` is what they make, Hydra's own part included; None where they sweep.
    """

    overrides: list[str]
    config: DictConfig | None


def check_overrides(
    command: str, arguments: Sequence[str], name: str | None = None, *, whole: bool = True
) -> Checked:
    """Return the overrides to compose, and what they make.

    Of a sweep the first value of each key is looked at; Hydra itself checks every job. ``name`` is
    that of another primary configuration. Keys may be missing where the ``whole`` is not needed.
    Raises LangidError for a key or group that does not exist, for one that is needed and missing,
    and for a class that may not be built.
    """
    overrides = []
    for argument in arguments:
        if (override := parsed(argument)) is None:
            raise LangidError(
                f"{argument}: expected KEY=VALUE; a text in a list, or with a comma or bracket, may"
                ' need quotes of its own: \'KEY=["TEXT","TEXT"]\''
            )
        overrides.append(override)
    values = [values_of(override)[0] for override in overrides]
    _check_groups(command, values, name)
    try:
        config = compose_whole(command, values, name)
    except (ConfigCompositionException, ValueError) as error:  # ValueError: GROUP=null
        raise LangidError(_explain(command, values, name, error)) from None
    flat = flatten(OmegaConf.to_container(config))  # type: ignore[arg-type]  # not resolved
    flat = {key: value for key, value in flat.items() if not key.startswith("hydra.")}
    if whole and (missing := sorted(key for key, value in flat.items() if value == "???")):
        examples = " ".join(HINTS.get(key, f"{key}=VALUE") for key in missing)
        raise LangidError(f"langid {command} needs {', '.join(missing)}: add {examples}")
    _check_kinds(command, config)
    check_trusted(config, values)
    if any(override.is_sweep_override() for override in overrides):
        return Checked([*arguments, *_foreign_keys(config, overrides)], None)
    if foreign := _foreign_keys(config, overrides):
        config = compose_whole(command, [*values, *foreign], name)
    return Checked([*arguments, *foreign], config)


def compose_checked(command: str, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of the one job that overrides make, once they are checked.

    Raises LangidError as ``check_overrides`` does, and for overrides that sweep.
    """
    config = check_overrides(command, overrides).config
    if config is None:
        raise LangidError(
            f"{' '.join(overrides)}: several values of a key make a sweep, and one job was asked"
            " for; a list is KEY=[A,B], a text with commas KEY='A,B'"
        )
    return without_hydra(config)


def _check_groups(command: str, values: list[str], name: str | None) -> None:
    """Raise LangidError for an option that a group does not have, and for a group left open."""
    chosen = [value for value in values if not value.startswith("~")]  # ~GROUP takes it away
    given = dict(value.lstrip("+").partition("=")[::2] for value in chosen)
    for group, default in groups(command, name, values).items():
        choice = given.get(group, default)
        if choice == default != "???":
            continue
        names = options(command, group, values)
        if choice == "???":
            raise LangidError(f"langid {command} needs {group}: add {group}={' or '.join(names)}")
        if choice not in (*names, "null"):
            raise LangidError(
                f"{group}={choice}: no such option. Accepted for {group} are: {', '.join(names)}"
                f"{nearest(choice, names)}"
            )


def _check_kinds(command: str, config: DictConfig) -> None:
    """Raise LangidError where a key of the command itself holds another kind than its default."""
    defaults = OmegaConf.merge(*map(OmegaConf.create, texts(command)))
    assert isinstance(defaults, DictConfig)
    for key in set(defaults) & set(config):
        if OmegaConf.is_interpolation(defaults, key) or OmegaConf.is_missing(config, key):
            continue
        value = config[key]
        if OmegaConf.is_missing(defaults, key):
            accepted, expected = (str, *[ListConfig] * ((command, key) in TAKE_LISTS)), "a path"
        else:
            accepted, expected = KINDS.get(type(defaults[key]), ((type(value),), ""))
        if type(value) not in accepted:
            raise LangidError(f"{key}={value}: expected {expected}")


def _foreign_keys(config: DictConfig, overrides: Sequence[Override]) -> list[str]:
    """Return overrides that take away what a class typed as KEY._target_ has no use for.

    Else ``model.network._target_=my_project.networks.MyNet`` would be given the sizes of model=gru.
    Keys that are typed stay, so that one which the class does not take is answered.
    """
    typed = {override.key_or_group for override in overrides}
    taken_away = []
    for override in overrides:
        place, _, last = override.key_or_group.rpartition(".")
        role = "callback" if place.startswith("callbacks.") else place.rpartition(".")[2]
        if last == "_target_" and role in ROLES and not override.is_sweep_override():
            node: Any = OmegaConf.select(config, place)
            keys = [key for key in node if f"{place}.{key}" not in typed]
            taken_away += [
                f"~{place}.{key}" for key in not_taken(class_of(override.value(), role), keys)
            ]
    return taken_away


def _explain(command: str, values: list[str], name: str | None, error: Exception) -> str:
    """Say which override is wrong, and what is accepted in its place."""
    # A key inside a group is tried before the group: without the group it would be fine as well.
    for value in sorted(values, key=lambda value: "." not in value.partition("=")[0]):
        others = [other for other in values if other != value]
        try:
            config = compose(command, others, name)
        except (HydraException, ValueError):
            continue  # another override is wrong as well, or this one's group is needed
        return f"{value}: {_first_line(error)}. {_accepted(command, config, value)}"
    return f"{error}"


def _first_line(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    return str(cause).strip().splitlines()[0].rstrip(".")


def _accepted(command: str, config: DictConfig, value: str) -> str:
    """List the keys at the deepest level that exists."""
    key = value.lstrip("+~").partition("=")[0]
    node: Any = config
    path = key.split(".")
    while len(path) > 1 and isinstance(node, DictConfig) and path[0] in node:
        node = node[path.pop(0)]
    if not isinstance(node, DictConfig):
        return "It is a single value"
    keys = [str(name) for name in node]
    return f"Accepted keys are: {', '.join(keys)}{nearest(path[0], keys)}"


def nearest(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f". Did you mean {near[0]}?" if near else ""
