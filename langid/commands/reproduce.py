"""Rerun published experiments and set what comes out beside the published figures.

Prepares the store that an experiment needs, unless it is there, trains, scores, and says whether
the figure is within tolerance, outside, or on other data and so not comparable. NAME_sound is the
same network on speakers that no two parts share. Overrides of langid train may follow. Exit code 1
means that the data are the published ones and a figure is outside, 2 that an experiment failed.

Examples:
  langid reproduce ee599_gru200 ee599_gru200_sound corpus.root=cv-corpus-6.1-2020-12-11
  langid reproduce --all corpus.root=FOLDER_OF_RELEASES
"""

import hashlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from langid.commands.configuration import (
    check_overrides,
    compose,
    nearest,
    resolved,
    root,
    search_path,
)
from langid.commands.replaced_class import without_foreign_keys
from langid.commands.sweep import USERS_ERRORS
from langid.commands.text_keys import readable
from langid.commands.train import print_start
from langid.errors import LangidError, show_traceback
from langid.exclusive import exclusively
from langid.runs.expected import OUTSIDE, SOUND, Expected, Figure, expected_of
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


@dataclass
class Plan:
    """One experiment that is about to run."""

    name: str
    expected: Expected
    overrides: list[str]  # of langid train, beside the experiment's own
    training: DictConfig
    preparing: DictConfig

    @property
    def figures(self) -> list[Figure]:
        """What is scored; of a sound twin nothing was published, and its test part counts."""
        published = self.expected.figures_of(self.overrides)
        return [Figure(published[0].metric, "test")] if self.name.endswith(SOUND) else published


def run(config: DictConfig) -> int:
    """Run the experiments one after the other, and print and write what came out."""
    from langid.runs.reproduction import print_outcomes, write_table

    everything = config.experiments == ALL
    plans = [_plan(name, config) for name in _names(config.experiments)]
    outcomes: list[dict[str, Any]] = []
    for number, plan in enumerate(plans, start=1):
        print(f"experiment {number} of {len(plans)}: {plan.name}", flush=True)
        try:
            outcomes.append(_reproduce(plan))
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
        table = Path(str(config.table)).expanduser()
        line = shlex.join(["langid", "reproduce", "--all", "corpus.root=FOLDER", *config.overrides])
        write_table(table, outcomes, {plan.name: plan.expected for plan in plans}, line)
        print(f"table     {table}")
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
    names = list(chosen) if isinstance(chosen, ListConfig) else [chosen]
    for name in names:
        if name not in (*published, *twins):
            raise LangidError(
                f"langid reproduce {name}: no such experiment; there are {', '.join(published)},"
                f" and each with {SOUND}{nearest(str(name), [*published, *twins])}"
            )
    return names


def _plan(name: str, config: DictConfig) -> Plan:
    """Compose and check everything that an experiment needs, before anything runs."""
    path = root("experiments") / name.removesuffix(SOUND) / "expected.yaml"
    expected = expected_of(OmegaConf.to_container(OmegaConf.load(path)), path)
    overrides = [*(expected.stand_in.overrides if _stands_in(config) else ()), *config.overrides]
    typed = [*search_path(), f"experiment={name}", "store=store.h5", *overrides]
    check_overrides("train", typed)
    training = compose("train", without_foreign_keys("train", typed))
    output = Path(str(config.output)).expanduser()
    preparing = _preparing(config, expected, training)
    preparing.store = str(output / "stores" / f"{_digest(preparing)}.h5")
    training.store = preparing.store
    training.output = str(output / name)
    return Plan(name, expected, list(overrides), training, preparing)


def _stands_in(config: DictConfig) -> bool:
    return bool(config.stand_in or config.experiments == ALL)


def _preparing(config: DictConfig, expected: Expected, training: DictConfig) -> DictConfig:
    """Return the configuration of langid prepare for an experiment."""
    preparing = compose("prepare", ["corpus=folders", "corpus.root=FOLDER", "store=store.h5"])
    preparing.workers = config.workers
    for group in ("features", "detector"):
        if training.get(group) is not None:
            preparing[group] = training[group]
    with open_dict(preparing):
        preparing.corpus = config.corpus
    if "locales" in config.corpus and config.corpus.locales is None:
        stand_in = _stands_in(config) and expected.stand_in.locales
        preparing.corpus.locales = list(stand_in or expected.data.locales or []) or None
    if "locales" in config.corpus:
        releases = expected.stand_in.releases if _stands_in(config) else None
        preparing.corpus.root = _releases(config.corpus.root, releases)
    return preparing


def _releases(folder: Any, wanted: Sequence[str] | None) -> Any:
    """Return the releases below a folder of several, or what was given where it is none."""
    if isinstance(folder, ListConfig):
        return folder
    path = Path(str(folder)).expanduser()
    found = sorted({clips.parents[1].name for clips in path.glob("*/*/clips")})
    if not found or any(path.glob("*/clips")):
        return folder
    missing = [name for name in wanted or () if name not in found]
    if missing:
        raise LangidError(
            f"corpus.root={folder}: no release {', '.join(missing)}, which the experiment's data in"
            f" small are of; it holds {', '.join(found)}"
        )
    return [str(path / name) for name in (wanted or found)]


def _digest(preparing: DictConfig) -> str:
    """Return a name for the store of a corpus and front end: experiments alike share it."""
    keys = ("corpus", "features", "detector", "min_duration_s")
    plain = {key: OmegaConf.to_container(preparing)[key] for key in keys}  # type: ignore[index,call-overload]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _reproduce(plan: Plan) -> dict[str, Any]:
    """Prepare, train and score; what was finished before is not done again."""
    from langid.commands import prepare  # with joblib, which the start of other commands is spared
    from langid.runs.reproduction import outcome_of
    from langid.training.resume import State, prepare_resume, state_of
    from langid.training.run import train
    from langid.training.run_record import write_record

    output = Path(plan.training.output)
    Path(plan.preparing.store).parent.mkdir(parents=True, exist_ok=True)
    prepare.run(plan.preparing)
    output.mkdir(parents=True, exist_ok=True)
    with exclusively("output", output):
        training = resolved(plan.training, output)
        held = state_of(output, training)
        if held.state is not State.FINISHED:
            train(training | {"resume": prepare_resume(held)}, begun=print_start)
        outcome = outcome_of(plan.name, plan.expected, plan.figures, output, plan.overrides)
        write_record(output / "outcome.json", outcome)
    return outcome
