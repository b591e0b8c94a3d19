"""The only place where configuration becomes objects."""

import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from langid.errors import LangidError

# What configuration may name, be it from the command line, a store or a checkpoint: of each role
# the base class, and the packages whose files (or which themselves) hold such classes.
ROLES = {
    "corpus": ("langid.corpora.manifest.Reader", "langid.corpora"),
    "split": ("langid.corpora.splits.Split", "langid.corpora"),
    "task": ("langid.corpora.tasks.Task", "langid.corpora"),
    "features": ("langid.signal.features.Features", "langid.signal"),
    "detector": ("langid.signal.speech_detector.Detector", "langid.signal"),
    "augment": ("langid.signal.spectral_augment.Augment", "langid.signal"),
    "waveform": ("langid.signal.acoustics.chain.WaveformAugment", "langid.signal.acoustics"),
    "network": ("langid.networks.network.Network", "langid.networks"),
    "balance": ("langid.data.balance.Balance", "langid.data"),
    "model": ("langid.training.identifier.LanguageIdentifier", "langid.training"),
    "loss": ("langid.training.losses.WeightedLoss", "langid.training"),
    "optimizer": ("torch.optim.Optimizer", "torch.optim"),
    "scheduler": (
        "torch.optim.lr_scheduler.LRScheduler",
        "torch.optim.lr_scheduler",
        "langid.training",
    ),
    "callback": ("pytorch_lightning.Callback", "pytorch_lightning.callbacks", "langid.training"),
    "logger": ("pytorch_lightning.loggers.Logger", "pytorch_lightning.loggers"),
    "trainer": ("pytorch_lightning.Trainer", "pytorch_lightning"),
}
LIBRARIES = ("langid", "torch", "pytorch_lightning")
TRUSTED: ContextVar[tuple[str, ...]] = ContextVar("TRUSTED", default=())


@contextlib.contextmanager
def trusting(packages: Sequence[str]) -> Iterator[None]:
    """Let ``build`` take classes of these packages as well, installed or in the current folder.

    For the command line and for arguments of functions alone: what a file says must never get
    here. Raises LangidError for a package that is not there.
    """
    if packages and not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())  # the langid command has its own folder there
    for package in packages:
        try:
            found = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise LangidError(
                f"trusted={package}: no such package, neither installed nor in {os.getcwd()}"
            )
    before = TRUSTED.set((*TRUSTED.get(), *packages))
    try:
        yield
    finally:
        TRUSTED.reset(before)


def with_trust(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that trusts in another process what is trusted here and now."""
    return functools.partial(_trusting, TRUSTED.get(), function)


def _trusting(packages: Sequence[str], function: Callable[..., Any], *arguments: Any) -> Any:
    with trusting(packages):
        return function(*arguments)


def build(config: Any, role: str, **arguments: Any) -> Any:
    """Return the object of a role that plain ``config`` describes: ``_target_``, and arguments.

    Raises LangidError for a class that is none of the role's, which is not imported or called, an
    argument that the class does not take, and a value that it refuses.
    """
    return factory(config, role)(**arguments)


def factory(config: Any, role: str) -> Callable[..., Any]:
    """Return what makes the object when it is called with the rest of its arguments.

    Raises LangidError as ``build`` does; for a value that the class refuses, when it is called.
    """
    if not isinstance(config, dict) or "_target_" not in config:
        raise LangidError(f"{role}={config}: expected a _target_ and its arguments")
    arguments = {str(key): value for key, value in config.items() if key != "_target_"}
    check_plain(arguments, role)
    made = class_of(config["_target_"], role)
    if unknown := not_taken(made, arguments):
        raise LangidError(
            f"{config['_target_']} takes no {', '.join(unknown)}; accepted are"
            f" {', '.join(inspect.signature(made).parameters)}"
        )
    return functools.partial(_make, made, config["_target_"], arguments)


def _make(
    made: type, target: str, configured: dict[str, Any], *given: Any, **arguments: Any
) -> Any:
    try:
        return made(*given, **configured, **arguments)
    except Exception as error:
        if isinstance(error, LangidError) or not _is_about_arguments(error, made):
            raise
        raise LangidError(f"{target}: {error}") from error


def _is_about_arguments(error: Exception, made: type) -> bool:
    """Return whether a class has refused its arguments; any other error is one of programming.

    Of somebody else's class the call or a constructor must have raised it; those of the libraries
    refuse values of another kind wherever they are used first.
    """
    if type(error).__name__ == "MisconfigurationException":  # Lightning's
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    constructing = frame.f_code.co_name in ("_make", "__init__")
    known = made.__module__.partition(".")[0] in LIBRARIES
    return isinstance(error, ValueError | TypeError) and (known or constructing)


def check_plain(value: Any, key: str) -> None:
    """Raise LangidError for a ``_target_`` in arguments, and for what could become one."""
    if isinstance(value, dict):
        if "_target_" in value:
            raise LangidError(
                f"{key}._target_={value['_target_']}: refused, arguments are plain values"
            )
        for name, item in value.items():
            check_plain(item, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            check_plain(item, f"{key}[{number}]")
    elif isinstance(value, str) and "${" in value:
        raise LangidError(f"{key}={value}: refused, expected a value without ${{}}")


def not_taken(made: type, keys: Iterable[str]) -> list[str]:
    """Return those keys that a class does not take as arguments."""
    accepted = inspect.signature(made).parameters
    if any(each.kind is each.VAR_KEYWORD for each in accepted.values()):
        return []
    return [key for key in keys if key not in accepted]


def class_of(target: Any, role: str) -> type:
    """Return the class that a target names, imported only from where a role has its classes.

    Raises LangidError where it is not there, or of another role.
    """
    base, *places = ROLES[role]
    where = f"{role}._target_={target}"
    module, _, name = str(target).rpartition(".")
    trusted = any(f"{module}.".startswith(f"{package}.") for package in TRUSTED.get())
    if not trusted and not {module, module.rpartition(".")[0]} & set(places):
        raise LangidError(f"{where}: refused, {_not_trusted(module, places)}")
    found = _attribute(module, name)
    if found is None:
        raise LangidError(f"{where}: no such class")
    if not inspect.isclass(found) or not issubclass(found, _attribute(*base.rsplit(".", 1))):
        raise LangidError(f"{where}: refused, it is no subclass of {base}")
    return found


def _not_trusted(module: str, places: Sequence[str]) -> str:
    package = module.partition(".")[0]
    accepted = f"accepted are classes of {' and '.join(places)}"
    if package in LIBRARIES or package in sys.stdlib_module_names or not package.isidentifier():
        return accepted
    return (
        f"{accepted}, and of packages that you trust with running their code: add"
        f" trusted=[{package}] to the command line, or from Python the argument"
        f" trusted=[{package!r}]"
    )


def _attribute(module: str, name: str) -> Any:
    """Return what a module calls so, or None; what is wrong inside the module is raised."""
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        return None
