"""The ``langid`` command: one verb, then Hydra overrides."""

import argparse
import ast
import contextlib
import functools
import importlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from langid import __version__
from langid.build import trusting, with_trust
from langid.commands import train
from langid.commands.compare import with_folders
from langid.commands.configuration import groups, option, options, texts, tree
from langid.commands.hydra_flags import COMPLETION, complete, read_flags, run_composed
from langid.commands.override_check import check_overrides, nearest
from langid.commands.reproduce import with_experiments
from langid.commands.sweep import Sweep, job_folder
from langid.commands.text_keys import readable
from langid.commands.trust import trusted_packages
from langid.differences import flatten
from langid.errors import LangidError, show_traceback
from langid.metrics import direction

COMMANDS = (
    "download", "prepare", "inspect", "verify", "train", "tune", "preview", "evaluate", "embed",
    "robustness", "calibrate", "compare", "reproduce", "export", "share", "stream", "predict",
    "segments", "demo", "doctor",
)  # fmt: skip
FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        print(_overview())
        return 0
    command, *overrides = arguments
    if command == "--version":
        print(f"langid {__version__}")
        return 0
    if set(COMPLETION) & set(arguments):
        return _guard(lambda: complete(arguments, COMMANDS))
    return _guard(lambda: _run(command, overrides))


def _guard(work: Callable[[], int | None]) -> int:
    """Return the exit code of some work; what its user can mend is shown without a traceback."""
    logging.raiseExceptions = False  # Hydra logs what --info shows, also where it goes to head
    try:
        return work() or 0
    except (LangidError, HydraException, OmegaConfBaseException) as error:
        show_traceback()
        print(f"langid: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # the reader of our output has gone, as in langid stream ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        show_traceback()
        where = f"{error.filename}: " if error.filename else ""
        print(f"langid: {where}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("langid: interrupted; finished work is kept", file=sys.stderr)
        return INTERRUPTED


def _run(command: str, arguments: list[str]) -> int:
    if command not in COMMANDS:
        there = ", ".join(COMMANDS)
        raise LangidError(f"no command {command}; there are {there}{nearest(command, COMMANDS)}")
    given = read_flags(command, arguments)
    overrides = given.overrides
    if command == "compare":
        overrides = with_folders(overrides)
    if command == "reproduce":
        overrides = with_experiments([*overrides, *(["experiments=all"] if given.all else [])])
    overrides = [readable(command, override) for override in overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors reach main() as they are
    with trusting(trusted_packages(overrides)):  # packages of hydra.searchpath are found as well
        if given.help:
            print(_help(command, overrides))
            return 0
        checked = check_overrides(command, overrides, given.config_name, whole=not given.shown)
        given.overrides = checked.overrides
        return _sweep(given) if given.multirun else _single(command, given, checked.config)


def _single(command: str, given: argparse.Namespace, config: DictConfig | None) -> int:
    """Run a command once, or let Hydra print what its flags ask for."""
    codes: list[int] = []

    def job(config: DictConfig) -> None:
        module: Any = importlib.import_module(f"langid.commands.{command}")
        codes.append(_guard(lambda: module.run(config)))

    making = command == "train" and not given.shown
    try:
        with making_folders() if making else contextlib.nullcontext():
            if config is None or given.shown or config.hydra.mode or config.hydra.verbose:
                _run_hydra(given, get_args_parser(), job, str(tree(command)), command)
            else:
                run_composed(command, config, job)
    except SystemExit as ended:  # there is no such package of the configuration, or help is printed
        return BAD_INPUT if ended.code else 0
    return max(codes, default=0)


def _sweep(given: argparse.Namespace) -> int:
    """Run all jobs of langid train; those that fail do not stop the others."""
    sweep = Sweep(given.overrides, given.config_name)
    given.overrides = sweep.overrides
    run = with_trust(train.run)  # a launcher may run jobs in other processes

    def job(config: DictConfig) -> None:
        sweep.run(config, run)

    try:
        _run_hydra(given, get_args_parser(), job, str(tree("train")), "train")
    except Exception:  # Hydra raises the first error again when all jobs are done
        if not sweep.failed:
            raise
        return FAILED
    finally:
        sweep.end()
    return 0


def _register_resolvers(make: bool = False) -> None:
    folder = functools.partial(train.run_folder, make=make)
    OmegaConf.register_new_resolver("direction", direction, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("run_folder", folder, replace=True, use_cache=True)


_register_resolvers()  # at import: a launcher that runs jobs in other processes imports this file


@contextlib.contextmanager
def making_folders() -> Iterator[None]:
    """Let the interpolation that names the folder of a run make it too; else it is only named."""
    _register_resolvers(make=True)
    try:
        yield
    finally:
        _register_resolvers()


def _overview() -> str:
    begin = "langid: spoken-language identification\n\nusage: langid COMMAND KEY=VALUE ...\n"
    told = [f"  {name:11}{_documentation(name).splitlines()[0]}" for name in COMMANDS]
    end = "\nlangid COMMAND --help says what it does, its keys, and two examples."
    debug = "LANGID_DEBUG=1 in the environment shows the traceback of every error."
    return "\n".join([begin, *told, end, debug])


def _help(command: str, overrides: Sequence[str]) -> str:
    """Return a command's help: its module's documentation, and its keys from its YAML."""
    text = "\n".join(texts(command))
    rows = re.findall(r"^(\w+): (.+?)  # (.+)$", text, re.MULTILINE)
    keys = {key: (default, meaning) for key, default, meaning in rows}
    lines = [f"langid {command}: {_documentation(command)}", "", "keys:"]
    for key, (default, meaning) in keys.items():
        shown = "needed" if default == "???" else "" if "$" in default else f"default {default}"
        lines.append(f"  {key:16}{meaning}{f' ({shown})' if shown else ''}")
    if groups(command):
        lines += ["", "groups (GROUP=OPTION, then GROUP.KEY=VALUE):"]
    for group, default in groups(command).items():
        lines.append(f"  {group}{' (needed)' if default == '???' else ''}")
        for choice in options(command, group, overrides):
            name = f"{choice} (default)" if choice == default != "default" else choice
            keys = flatten(option(command, group, choice, overrides))
            taken = [key for key in keys if key.rpartition(".")[2] not in ("_target_", "defaults")]
            lines.append(f"    {name:25} {', '.join(taken)}".rstrip())
    if command == "train":
        lines += [
            "\n-m runs a sweep: one job for each combination of KEY=A,B,C. A job that fails does",
            "not stop the others; the same line again does what is not finished.",
        ]
    return "\n".join(lines)


def _documentation(command: str) -> str:
    """Return the documentation of a command's module without importing its libraries."""
    source = Path(__file__).with_name(f"{command}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""
