"""Where the Hydra tree lies, and clear words for what is wrong with an override."""

import difflib
import functools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.default_element import ConfigDefault, GroupDefault
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime, setup_globals
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from langid.commands.trust import check_trusted
from langid.errors import LangidError

SEARCH_PATH = "hydra.searchpath="
HINTS = {
    "store": "store=PATH.h5",
    "checkpoint": "checkpoint=BEST.ckpt",
    "output": "output=PATH",
    "model": "model=MODEL.onnx",
    "audio": "audio=FILE",
    "folders": "DIR",
    "corpus.root": "corpus.root=DIR",
    "experiments": "NAME, or --all",
    "corpus.path": "corpus.path=MANIFEST.tsv",
}
TAKE_LISTS = {
    ("predict", "audio"),
    ("evaluate", "checkpoint"),
    ("compare", "folders"),
    ("reproduce", "experiments"),
}


def tree(command: str) -> Path:
    """Return the folder of a command's Hydra tree.

    The commands that run an exported file have a tree of their own, because there ``model`` is a
    file and not a group.
    """
    conf = root("conf")
    runtime = conf / "runtime"
    return runtime if (runtime / f"{command}.yaml").is_file() else conf


def root(folder: str) -> Path:
    """Return a folder that lies beside the package in a clone and inside it in the wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder


def reads(argument: str) -> bool:
    """Return whether Hydra's grammar reads KEY=VALUE."""
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def check_overrides(
    command: str, arguments: Sequence[str], name: str | None = None, *, whole: bool = True
) -> None:
    """Raise LangidError for a key or group that does not exist, or one that is needed and missing.

    Of a sweep the first value of each key is looked at; Hydra itself checks every job. ``name`` is
    that of another primary configuration. Keys may be missing where the ``whole`` is not needed.
    """
    for argument in arguments:
        if not reads(argument):
            raise LangidError(
                f"{argument}: expected KEY=VALUE; a text in a list, or with a comma or bracket, may"
                ' need quotes of its own: \'KEY=["TEXT","TEXT"]\''
            )
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    values = [_single(override) for override in overrides]
    _check_groups(command, values, name)
    try:
        config = compose(command, values, name)
    except (ConfigCompositionException, ValueError) as error:  # ValueError: GROUP=null
        raise LangidError(_explain(command, values, name, error)) from None
    missing = sorted(_missing(OmegaConf.to_container(config))) if whole else []
    if missing:
        examples = " ".join(HINTS.get(key, f"{key}=VALUE") for key in missing)
        raise LangidError(f"langid {command} needs {', '.join(missing)}: add {examples}")
    _check_kinds(command, config)
    check_trusted(config, values)


def _missing(plain: Any, prefix: str = "") -> list[str]:
    """Return the keys of an unresolved configuration that are needed; no resolver is asked."""
    if plain == "???":
        return [prefix.rstrip(".")]
    items = plain.items() if isinstance(plain, dict) else ()
    return [name for key, value in items for name in _missing(value, f"{prefix}{key}.")]


def texts(command: str) -> list[str]:
    """Return the YAML of a command, after that of the command whose keys and groups it has too."""
    text = (tree(command) / f"{command}.yaml").read_text(encoding="utf-8")
    base = re.search(r"^  - (?!_self_)(\w+)$", text, re.MULTILINE)
    return [*(texts(base[1]) if base else ()), text]


def groups(command: str, name: str | None = None, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Return the groups of a command with the option that each has by default."""
    found: dict[str, str] = {}
    primary = repository(command, name, overrides).load_config(name or command)
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
    return sorted(repository(command, None, overrides).get_group_options(group, ObjectType.CONFIG))


def option(command: str, group: str, name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of an option of a group, not resolved."""
    held = repository(command, None, overrides).load_config(f"{group}/{name}")
    assert held is not None
    plain: dict[str, Any] = OmegaConf.to_container(held.config)  # type: ignore[assignment]
    return plain


def repository(
    command: str, name: str | None = None, overrides: Sequence[str] = ()
) -> IConfigRepository:
    """Return what Hydra finds for a command: in langid's tree, then in ``hydra.searchpath``.

    Raises LangidError for a place of the search path that is not there.
    """
    given = [override for override in overrides if override.startswith(SEARCH_PATH)]
    if not given and name is None:
        return _own_repository(command)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Hydra warns of what is refused below
        _, found = loader(command, given)._parse_overrides_and_create_caching_repo(
            name or command, given
        )
    for source in found.get_sources():
        if not source.available():
            raise LangidError(
                f"{SEARCH_PATH}{source.scheme()}://{source.path}: not found; accepted are"
                " file://FOLDER and pkg://PACKAGE, a Python package with an __init__.py"
            )
    return found


@functools.cache  # the tree of the package does not change
def _own_repository(command: str) -> IConfigRepository:
    return loader(command)._parse_overrides_and_create_caching_repo(command, [])[1]


def loader(command: str, overrides: Sequence[str] = ()) -> ConfigLoaderImpl:
    """Return what loads the configuration of a command, its primary one from anywhere too."""
    path = create_config_search_path(str(tree(command)))
    for place in places(overrides):
        path.prepend("command-line", place, anchor=SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


def places(overrides: Sequence[str]) -> list[str]:
    """Return the places of ``hydra.searchpath`` among overrides."""
    given = [override for override in overrides if override.startswith(SEARCH_PATH)]
    values = [override.value() for override in OverridesParser.create().parse_overrides(given)]
    return [str(place) for value in values if isinstance(value, list) for place in value]


def search_path() -> list[str]:
    """Return the override of ``hydra.searchpath`` that the running command was given, if any."""
    given = HydraConfig.get().overrides.hydra
    return [override for override in given if override.startswith(SEARCH_PATH)]


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
            lists = isinstance(value, ListConfig) and (command, key) in TAKE_LISTS
            right, expected = isinstance(value, str) or lists, "a path"
        elif isinstance(defaults[key], str):
            right, expected = isinstance(value, str | int), "a text"
        elif isinstance(defaults[key], bool):
            right, expected = isinstance(value, bool), "true or false"
        elif isinstance(defaults[key], int):
            right, expected = type(value) is int, "a whole number"
        elif isinstance(defaults[key], float):
            right, expected = type(value) in (int, float), "a number"
        else:
            continue
        if not right:
            raise LangidError(f"{key}={value}: expected {expected}")


def compose(command: str, overrides: list[str], name: str | None = None) -> DictConfig:
    """Return the configuration of a command, without Hydra's own part."""
    setbase("1.3")
    setup_globals()
    JobRuntime.instance().set("name", "langid")
    config = loader(command, overrides).load_configuration(
        name or command, overrides, RunMode.RUN, from_shell=False
    )
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


def _single(override: Override) -> str:
    if not override.is_sweep_override():
        return str(override.input_line)
    first = next(iter(override.sweep_string_iterator()))
    return f"{override.get_key_element()}={first}"


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


def nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f". Did you mean {near[0]}?" if near else ""
