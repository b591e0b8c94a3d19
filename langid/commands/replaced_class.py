"""The keys of an option whose class is replaced by the name of another one."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from langid.build import ROLES, class_of, not_taken
from langid.commands.configuration import compose


def without_foreign_keys(
    command: str, overrides: Sequence[str], name: str | None = None
) -> list[str]:
    """Return overrides that also take away what a class typed as KEY._target_ has no use for.

    Else ``model.network._target_=my_project.networks.MyNet`` would be given the sizes of model=gru.
    Keys that are typed stay, so that one which the class does not take is answered. Raises
    LangidError for a class that may not be built.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    single = [each for each in parsed if not each.is_sweep_override()]
    typed = {override.key_or_group for override in parsed}
    taken_away = []
    for override in single:
        place, _, last = override.key_or_group.rpartition(".")
        role = "callback" if place.startswith("callbacks.") else place.rpartition(".")[2]
        if last == "_target_" and role in ROLES:
            lines = [str(each.input_line) for each in single]
            node: Any = OmegaConf.select(compose(command, lines, name), place)
            keys = [key for key in node if f"{place}.{key}" not in typed]
            made = class_of(override.value(), role)
            taken_away += [f"~{place}.{key}" for key in not_taken(made, keys)]
    return [*overrides, *taken_away]
