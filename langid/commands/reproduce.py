"""Rerun published experiments and set what comes out beside the published figures.

Prepares the store that an experiment needs, unless it is there, trains, scores, and says whether
the figure is within tolerance, outside, or on other data and so not comparable. NAME_sound is the
same network on speakers that no two parts share. Overrides of langid train may follow. Exit code 1
means that the data are the published ones and a figure is outside, 2 that an experiment failed.

Examples:
  langid reproduce ee599_gru200 ee599_gru200_sound corpus.root=cv-corpus-6.1-2020-12-11
  langid reproduce --all corpus.root=FOLDER_OF_RELEASES
"""

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from langid.commands.configuration import SEARCH_PATH, plain_of, root, typed
from langid.commands.override_check import compose_checked, nearest
from langid.commands.paths import path_of
from langid.commands.sweep import USERS_ERRORS
from langid.commands.text_keys import readable
from langid.commands.train import print_start
from langid.errors import LangidError, show_traceback
from langid.runs.expected import OUTSIDE, SOUND, Expected, expected_of
from langid.terminal import print_named
from langid.typed import quoted

ALL = "all"
OWN_KEYS = (
    "experiments", "overrides", "stand_in", "output", "table", "workers", "corpus", "trusted",
    "hydra",
)  # fmt: skip


def with_experiments(arguments: Sequence[str]) -> list[str]:
    """Return overrides of this command: names and what belongs to langid train become lists."""
    names, overrides, own = [], [], []
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals:
            names.append(argument)
        elif key.lstrip("+~").split(".")[0] in OWN_KEYS:
            own.append(argument)
        else:
            overrides.append(readable("train", argument))
    for key, values in (("experiments", names), ("overrides", overrides)):
        if values:
            own.append(f"{key}=[{','.join(map(quoted, values))}]")
    return own


def run(config: DictConfig) -> int:
    """Run the experiments one after the other, and print and write what came out."""
    from langid.commands.prepare import print_summary  # with what reads corpora
    from langid.runs.outcomes import print_outcomes, write_table
    from langid.runs.reproduction import make_plan, reproduce

    asked = plain_of(config)
    everything = asked["experiments"] == ALL
    asked["stand_in"] |= everything
    names = _names(asked["experiments"])
    plans = [make_plan(name, _expected(name), asked, _composed) for name in names]
    outcomes: list[dict[str, Any]] = []
    for number, plan in enumerate(plans, start=1):
        print(f"experiment {number} of {len(plans)}: {plan.name}", flush=True)
        try:
            outcomes.append(reproduce(plan, print_summary, print_start))
        except USERS_ERRORS as error:
            if len(plans) == 1:
                raise
            show_traceback()
            print(f"langid: {plan.name} failed: {error}", file=sys.stderr)
            outcomes.append({"name": plan.name, "failed": str(error)})
        print_outcomes(outcomes[-1:])
    if len(outcomes) > 1:
        print_outcomes(outcomes)
    if everything:
        table = path_of(config.table)
        trusted = [item for item in typed() if item.startswith("trusted=")]
        again = ["reproduce", "--all", "corpus.root=FOLDER", *trusted, *asked["overrides"]]
        line = shlex.join(["langid", *again])
        write_table(table, outcomes, {plan.name: plan.expected for plan in plans}, line)
        print_named(table=table)
    rows = [row for outcome in outcomes for row in outcome.get("rows", [])]
    if any(row["verdict"] == OUTSIDE for row in rows):
        return 1
    return 2 if any("failed" in outcome for outcome in outcomes) else 0


def _names(chosen: Any) -> list[str]:
    """Return the names of the experiments asked for, each one checked."""
    published = sorted(path.parent.name for path in root("experiments").glob("*/expected.yaml"))
    twins = [f"{name}{SOUND}" for name in published]
    if chosen == ALL:
        return [name for pair in zip(published, twins, strict=True) for name in pair]
    names = chosen if isinstance(chosen, list) else [chosen]
    for name in names:
        if name not in (*published, *twins):
            raise LangidError(
                f"langid reproduce {name}: no such experiment; there are {', '.join(published)},"
                f" and each with {SOUND}{nearest(str(name), [*published, *twins])}"
            )
    return names


def _expected(name: str) -> Expected:
    path = root("experiments") / name.removesuffix(SOUND) / "expected.yaml"
    return expected_of(OmegaConf.to_container(OmegaConf.load(path)), path)


def _composed(command: str, overrides: list[str]) -> dict[str, Any]:
    """Return the plain configuration of a command, once its overrides are checked."""
    places = [item for item in typed() if item.startswith(SEARCH_PATH)]
    return plain_of(compose_checked(command, [*overrides, *places]))
