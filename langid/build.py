"""The only place where configuration becomes objects."""

import functools
import importlib
import inspect
from collections.abc import Callable
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
    made = _class_of(config["_target_"], role)
    accepted = inspect.signature(made).parameters
    unknown = [name for name in arguments if name not in accepted]
    if unknown and not any(each.kind is each.VAR_KEYWORD for each in accepted.values()):
        raise LangidError(
            f"{config['_target_']} takes no {', '.join(unknown)}; accepted are"
            f" {', '.join(accepted)}"
        )
    return functools.partial(_make, made, config["_target_"], arguments)


def _make(
    made: type, target: str, configured: dict[str, Any], *given: Any, **arguments: Any
) -> Any:
    try:
        return made(*given, **configured, **arguments)
    except LangidError:
        raise
    except Exception as error:  # whatever a class thinks of its arguments
        raise LangidError(f"{target}: {error}") from error


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


def _class_of(target: Any, role: str) -> type:
    """Return the class that a target names, imported only from where a role has its classes."""
    base, *places = ROLES[role]
    where = f"{role}._target_={target}"
    module, _, name = str(target).rpartition(".")
    if not {module, module.rpartition(".")[0]} & set(places) or name.startswith("_"):
        raise LangidError(f"{where}: refused, accepted are classes of {' and '.join(places)}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError):
        raise LangidError(f"{where}: no such class") from None
    needed = getattr(importlib.import_module(base.rpartition(".")[0]), base.rpartition(".")[2])
    if not inspect.isclass(found) or not issubclass(found, needed):
        raise LangidError(f"{where}: refused, it is no subclass of {base}")
    return found
