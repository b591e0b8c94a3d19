"""The only place where configuration becomes objects."""

import functools
import importlib
import inspect
import re
from typing import Any

from langid.errors import LangidError

# Classes that configuration may name, be it from the command line, a store or a checkpoint.
ALLOWED_TARGETS = re.compile(
    r"langid\.(corpora|signal|networks|training)\.[a-z_]+\.[A-Z]\w*"
    r"|langid\.data\.balance\.[A-Z]\w*"
    r"|torch\.optim\.(lr_scheduler\.)?[A-Z]\w*"
    r"|pytorch_lightning\.(callbacks|loggers)\.[A-Z]\w*"
    r"|pytorch_lightning\.Trainer"
)
OWN_KEYS = ("_target_", "_partial_")


def build(config: Any, **arguments: Any) -> Any:
    """Return the object that ``config`` describes by ``_target_`` and its arguments.

    Arguments may describe objects themselves. Where ``_partial_`` is true, what comes back makes
    the object when it is called with the rest. This is the core of ``hydra.utils.instantiate``,
    which resolves interpolations and calls any function. Raises LangidError for a target outside
    the allow-list, an argument that the class does not take, and a value that it refuses.
    """
    plain = _plain(config)
    if not isinstance(plain, dict) or "_target_" not in plain:
        raise LangidError(f"configuration {plain}: expected a _target_ and its arguments")
    check_targets(plain)
    return _made(plain, arguments)


def _plain(config: Any) -> Any:
    if isinstance(config, dict):
        return config
    from omegaconf import OmegaConf  # the processes of prepare have plain data and do without

    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def _made(value: Any, arguments: dict[str, Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_made(item, {}) for item in value]
    if not isinstance(value, dict):
        return value
    content = {key: _made(item, {}) for key, item in value.items() if key not in OWN_KEYS}
    if "_target_" not in value:
        return content
    target = value["_target_"]
    make = functools.partial(_find(target), **content)
    if value.get("_partial_"):
        return functools.partial(make, **arguments)
    try:
        return make(**arguments)
    except LangidError:
        raise
    except Exception as error:  # whatever a class thinks of its arguments
        raise LangidError(f"{target}: {error}") from error


def check_targets(config: Any, key: str = "") -> None:
    """Raise LangidError where any ``_target_`` in nested plain configuration is not allowed.

    Interpolations are refused as well: they could become a target after this check.
    """
    if isinstance(config, dict):
        if "_target_" in config:
            _check_target(config, key)
        for name, value in config.items():
            check_targets(value, f"{key}.{name}".lstrip("."))
    elif isinstance(config, list | tuple):
        for number, value in enumerate(config):
            check_targets(value, f"{key}[{number}]")
    elif isinstance(config, str) and "${" in config:
        raise LangidError(f"{key}={config}: refused, expected a value without ${{}}")


def _check_target(config: dict[str, Any], key: str) -> None:
    target = config["_target_"]
    where = f"{key}._target_".lstrip(".")
    if not isinstance(target, str) or not ALLOWED_TARGETS.fullmatch(target):
        raise LangidError(
            f"{where}={target}: refused, it is not on the list of classes that configuration may"
            " name (langid's own features, networks, losses and readers; torch.optim; Lightning's"
            " callbacks, loggers and Trainer)"
        )
    try:
        built = _find(target)
    except (ImportError, AttributeError):
        raise LangidError(f"{where}={target}: no such class") from None
    package = target.partition(".")[0]
    if not inspect.isclass(built) or built.__module__.partition(".")[0] != package:
        raise LangidError(f"{where}={target}: refused, it is not a class of {package}")
    accepted = inspect.signature(built).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        return
    unknown = [name for name in config if name not in accepted and name not in OWN_KEYS]
    if unknown:
        raise LangidError(
            f"{target} takes no {', '.join(unknown)}; accepted are {', '.join(accepted)}"
        )


def _find(target: str) -> Any:
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)
