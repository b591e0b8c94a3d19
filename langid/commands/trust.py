"""Whose classes a command may use beside langid's: what is typed says so, and never a file."""

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from langid.commands.configuration import parsed
from langid.errors import LangidError

PACKAGE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def trusted_packages(overrides: Sequence[str]) -> list[str]:
    """Return the packages of ``trusted=`` among overrides as they were typed."""
    packages: Any = []
    for override in overrides:
        if re.match(r"\+*trusted=", override):
            read = parsed(override)
            value = read.value() if read else None
            packages = value if isinstance(value, list) else [value]
            if not all(isinstance(name, str) and PACKAGE.fullmatch(name) for name in packages):
                raise LangidError(f"{override}: expected names of packages, 'trusted=[my_project]'")
    return list(packages)


def check_trusted(config: DictConfig, overrides: Sequence[str]) -> None:
    """Raise LangidError where a file of configuration says what is trusted."""
    said = OmegaConf.to_container(config, resolve=False).get("trusted", [])  # type: ignore[union-attr]
    if (said if isinstance(said, list) else [said]) != trusted_packages(overrides):
        raise LangidError(
            f"trusted={said}: configuration cannot grant it; type it on the command line, or pass"
            " it as an argument from Python"
        )
