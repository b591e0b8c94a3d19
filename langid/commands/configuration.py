"""Where the Hydra tree lies, what it holds for a command, and what is composed of it."""

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.default_element import ConfigDefault, GroupDefault
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf, open_dict

from langid.errors import LangidError

SEARCH_PATH = "hydra.searchpath="


def tree(command: str) -> Path:
    """Return the folder of a command's Hydra tree.

    The commands that run an exported file have a tree of their own, because there ``model`` is a
    file and not a group, and so has ``download``, whose ``corpus`` is a name.
    """
    conf = root("conf")
    runtime = conf / "runtime"
    return runtime if (runtime / f"{command}.yaml").is_file() else conf


def root(folder: str) -> Path:
    """Return a folder that lies beside the package in a clone and inside it in the wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def parsed(argument: str) -> Override | None:
    """Return KEY=VALUE as Hydra's grammar reads it, or None where it does not."""
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def values_of(override: Override) -> list[str]:
    """Return an override, or of one that sweeps an override for each of its values."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def texts(command: str) -> list[str]:
    """Return the YAML of a command, after that of the command whose keys and groups it has too."""
    text = (tree(command) / f"{command}.yaml").read_text(encoding="utf-8")
    base = re.search(r"^  - (?!_self_)(\w+)$", text, re.MULTILINE)
    return [*(texts(base[1]) if base else ()), text]


def groups(command: str, name: str | None = None, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Return the groups of a command with the option that each has by default."""
    found: dict[str, str] = {}
    primary = repository(command, overrides).load_config(name or command)
    if primary is None:
        raise LangidError(
            f"--config-name {name}: no such configuration; it is looked for in langid's own folder,"
            " in --config-dir FOLDER and in hydra.searchpath"
        )
    for default in primary.defaults_list or ():
        group = str(default.group) if isinstance(default, GroupDefault) else ""
        if isinstance(default, ConfigDefault) and default.path != "_self_":
            found |= groups(command, str(default.path).lstrip("/"), overrides)
        elif group and not group.startswith("hydra/"):
            found[group] = "null" if default.get_name() is None else str(default.get_name())
    return found


def options(command: str, group: str, overrides: Sequence[str] = ()) -> list[str]:
    """Return the options of a group, those in ``hydra.searchpath`` too, in alphabetical order."""
    return sorted(repository(command, overrides).get_group_options(group, ObjectType.CONFIG))


def option(command: str, group: str, name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of an option of a group, not resolved."""
    held = repository(command, overrides).load_config(f"{group}/{name}")
    assert held is not None
    plain: dict[str, Any] = OmegaConf.to_container(held.config)  # type: ignore[assignment]
    return plain


def repository(command: str, overrides: Sequence[str] = ()) -> CachingConfigRepository:
    """Return what Hydra finds for a command: in langid's tree, then in ``hydra.searchpath``.

    Raises LangidError for a place of the search path that is not there.
    """
    if not places(overrides):
        return _own_repository(command)
    found = CachingConfigRepository(loader(command, overrides).repository)
    for source in found.get_sources():
        if not source.available():
            raise LangidError(
                f"{SEARCH_PATH}{source.scheme()}://{source.path}: not found; accepted are"
                " file://FOLDER and pkg://PACKAGE, a Python package with an __init__.py"
            )
    return found


@functools.cache  # the tree of the package does not change
def _own_repository(command: str) -> CachingConfigRepository:
    return CachingConfigRepository(loader(command).repository)


def loader(command: str, overrides: Sequence[str] = ()) -> ConfigLoaderImpl:
    """Return what loads the configuration of a command, its primary one from anywhere too."""
    path = create_config_search_path(str(tree(command)))
    for place in places(overrides):
        path.prepend("command-line", place, anchor=SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


def places(overrides: Sequence[str]) -> list[str]:
    """Return the places of ``hydra.searchpath`` among overrides."""
    given = [parsed(override) for override in overrides if override.startswith(SEARCH_PATH)]
    values = [override.value() for override in given if override is not None]
    return [str(place) for value in values if isinstance(value, list) for place in value]


def typed() -> list[str]:
    """Return the overrides that the running command was given, ``hydra.searchpath`` included."""
    given = HydraConfig.get().overrides
    return [*given.task, *(item for item in given.hydra if item.startswith(SEARCH_PATH))]


def compose(command: str, overrides: list[str], name: str | None = None) -> DictConfig:
    """Return the configuration of a command, without Hydra's own part."""
    return without_hydra(compose_whole(command, overrides, name))


def compose_whole(command: str, overrides: list[str], name: str | None = None) -> DictConfig:
    """Return the configuration of a command, Hydra's own part included."""
    setbase("1.3")
    setup_globals()
    JobRuntime.instance().set("name", "langid")
    return loader(command, overrides).load_configuration(
        name or command, overrides, RunMode.RUN, from_shell=False
    )


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a configuration after Hydra's own part was taken out of it."""
    with open_dict(config):
        del config["hydra"]
    return config


def resolved(config: DictConfig, output: Path) -> dict[str, Any]:
    """Return the plain configuration of a run in a folder, without interpolations."""
    config.output = str(output)
    return plain_of(config)


def plain_of(config: DictConfig) -> dict[str, Any]:
    """Return a configuration in Python's own types, without interpolations."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain
