"""What is Hydra's own: its flags, completion, and a job with what was composed before."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import configure_log
from hydra.types import TaskFunction
from omegaconf import DictConfig

from langid.commands.configuration import SEARCH_PATH, loader, places
from langid.commands.text_keys import readable
from langid.errors import LangidError
from langid.typed import in_grammar

FLAGS = (
    "--cfg", "-c", "--info", "-i", "--hydra-help", "--resolve", "--package", "-p", "--config-dir",
    "-cd", "--config-name", "-cn", "--shell-completion", "-sc", "--help", "-h",
)  # fmt: skip
COMPLETION = ("--shell-completion", "-sc")
MODES = ("multirun", "cfg", "info", "hydra_help")  # all but the first one show, and do nothing
OWN = {"train": ("--multirun", "-m"), "reproduce": ("--all",)}


def flags_of(command: str) -> list[str]:
    """Return the flags of a command, each in its long form first."""
    return [*OWN.get(command, ()), *FLAGS]


def read_flags(command: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Return Hydra's reading of a command line: its flags, and ``overrides``.

    ``--config-dir`` has become a part of ``hydra.searchpath`` among these, so that whatever is
    composed for the command finds it. ``shown`` says whether something of the configuration is
    shown, and nothing done. Raises LangidError for what the command does not take.
    """
    accepted = flags_of(command)
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("-") and flag not in (*accepted, "-"):
            words = ", ".join(word for word in accepted if word.startswith("--") or word == "-m")
            raise LangidError(
                f"langid {command} takes no {flag}; accepted are KEY=VALUE and {words}"
            )

    def refuse(message: str) -> NoReturn:
        raise LangidError(f"langid {command}: {message}")

    parser = get_args_parser()
    parser.add_argument("--all", action="store_true")
    parser.error = refuse  # type: ignore[method-assign]
    given = parser.parse_intermixed_args(list(arguments))
    modes = [f"--{mode.replace('_', '-')}" for mode in MODES if vars(given)[mode]]
    if len(modes) > 1:
        refuse(f"{' and '.join(modes)} do not go together; take one of them")
    if (given.resolve or given.package) and not given.cfg:
        refuse("--resolve and --package are of --cfg; add --cfg job")
    if given.config_dir is not None:
        given.overrides = _with_folder(given.config_dir, given.overrides)
    folders = [place for place in places(given.overrides) if place.startswith("file://")]
    # Hydra looks for another primary configuration before it reads hydra.searchpath.
    named = given.config_name and folders
    given.config_dir = folders[0].removeprefix("file://") if named else None
    given.shown = bool(modes) and not given.multirun
    return given


def _with_folder(folder: str, overrides: list[str]) -> list[str]:
    """Return overrides whose ``hydra.searchpath`` begins with a folder."""
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise LangidError(f"--config-dir {folder}: no such folder")
    others = [override for override in overrides if not override.startswith(SEARCH_PATH)]
    return [*others, f"{SEARCH_PATH}{in_grammar([f'file://{path}', *places(overrides)])}"]


class _Composed(Hydra):
    """Hydra with the one configuration that it is to run."""

    def __init__(self, command: str, config: DictConfig):
        super().__init__("langid", loader(command))
        self._config = config

    def compose_config(self, *_: object, **__: object) -> DictConfig:
        """Return the configuration: to compose it again takes longer than all else of a start."""
        configure_log(self._config.hydra.hydra_logging)
        return self._config


def run_composed(command: str, config: DictConfig, job: TaskFunction) -> None:
    """Run a job as Hydra does, in the configuration that was composed for its check."""
    hydra = _Composed(command, config)
    GlobalHydra.instance().initialize(hydra)
    try:
        hydra.run(command, job, [])
    finally:
        GlobalHydra.instance().clear()


def complete(arguments: Sequence[str], commands: Sequence[str]) -> None:
    """Print what installs completion in a shell, or what may follow in ``COMP_LINE``.

    Hydra's script asks ``langid --shell-completion query=SHELL``, whatever the command.
    """
    words = [argument for argument in arguments if argument not in COMPLETION]
    verb, _, shell = words[-1].partition("=") if words else ("", "", "")
    shells = Hydra.get_shell_to_plugin_map(loader("train"))
    if verb not in ("install", "uninstall", "query") or shell not in shells:
        raise LangidError(
            f"--shell-completion {' '.join(words)}: accepted are install=SHELL and"
            f" uninstall=SHELL, SHELL one of {', '.join(sorted(shells))}"
        )
    if verb != "query":
        sys.argv = ["langid"]  # whose arguments are completed
        getattr(shells[shell][0], verb)()
        return
    with contextlib.suppress(Exception):  # a line that is being typed may be anything
        _print_candidates(os.environ["COMP_LINE"], shell, commands)


def _print_candidates(line: str, shell: str, commands: Sequence[str]) -> None:
    words = line.split()[1:]
    last = "" if line[-1].isspace() else words.pop()
    command, *typed = words or [""]
    if not command or last.startswith("-"):
        candidates = flags_of(command) if command else commands
        print(*(word for word in candidates if word.startswith(last)), sep="\n")
    elif command in commands:
        given = read_flags(command, typed)
        overrides = [readable(command, word) for word in given.overrides if "=" in word]
        os.environ["COMP_LINE"] = " ".join(["langid", *["-m"] * given.multirun, *overrides, last])
        plugin = Hydra.get_shell_to_plugin_map(loader(command))[shell][0]
        plugin.query(given.config_name or command)
