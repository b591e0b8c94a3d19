"""Experiments run again: planned before anything runs, then prepared, trained and scored."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langid.data.from_corpus import STORED, place_of, prepare_corpus
from langid.data.store import Store
from langid.errors import LangidError
from langid.exclusive import exclusive_folder
from langid.runs.expected import SOUND, Expected, Figure
from langid.runs.finished import score_run
from langid.training.resume import State, prepare_resume, state_of
from langid.training.run import train
from langid.training.run_record import RunRecord, write_record
from langid.typed import in_grammar


@dataclass
class Plan:
    """One experiment that is about to run.

    ``overrides`` are those of langid train beside the experiment's own; ``training`` and
    ``preparing`` are whole configurations, plain and resolved.
    """

    name: str
    expected: Expected
    overrides: list[str]
    training: dict[str, Any]
    preparing: dict[str, Any]

    @property
    def figures(self) -> list[Figure]:
        """What is scored; of a sound twin nothing was published, and its test part counts."""
        published = self.expected.figures_of(self.overrides)
        return [Figure(published[0].metric, "test")] if self.name.endswith(SOUND) else published


def make_plan(
    name: str,
    expected: Expected,
    asked: dict[str, Any],
    compose: Callable[[str, list[str]], dict[str, Any]],
) -> Plan:
    """Compose and check everything that an experiment needs, before anything runs.

    ``asked`` has the keys of conf/reproduce.yaml; ``compose`` returns the configuration of a
    command with overrides, plain and resolved.
    """
    given = expected.stand_in.overrides if asked["stand_in"] else ()
    overrides = [*given, *asked["overrides"]]
    output = Path(str(asked["output"])).expanduser()
    place = f"output={in_grammar(str(output / name))}"
    training = compose("train", [f"experiment={name}", "store=store.h5", place, *overrides])
    preparing = _preparing(asked, expected, training, compose)
    preparing["store"] = training["store"] = str(output / "stores" / f"{_digest(preparing)}.h5")
    return Plan(name, expected, overrides, training, preparing)


def _preparing(
    asked: dict[str, Any],
    expected: Expected,
    training: dict[str, Any],
    compose: Callable[[str, list[str]], dict[str, Any]],
) -> dict[str, Any]:
    """Return the configuration of langid prepare for an experiment."""
    preparing = compose("prepare", ["corpus=folders", "corpus.root=FOLDER", "store=store.h5"])
    front_end = {name: training[name] for name in ("features", "detector") if training[name]}
    corpus = dict(asked["corpus"])
    if "locales" in corpus:
        stand_in = expected.stand_in if asked["stand_in"] else None
        locales = (stand_in and stand_in.locales) or expected.data.locales
        corpus["locales"] = corpus["locales"] or list(locales or []) or None
        corpus["root"] = _releases(corpus["root"], stand_in.releases if stand_in else None)
    return preparing | front_end | {"workers": asked["workers"], "corpus": corpus}


def _releases(folder: Any, wanted: Sequence[str] | None) -> Any:
    """Return the releases below a folder of several, or what was given where it is none."""
    if isinstance(folder, list):
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


def _digest(preparing: dict[str, Any]) -> str:
    """Return a name for the store of a corpus and front end: experiments alike share it."""
    plain = {key: preparing[key] for key in ("corpus", *STORED)}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def reproduce(
    plan: Plan, prepared: Callable[[Store, bool], None], begun: Callable[[RunRecord], None]
) -> dict[str, Any]:
    """Prepare, train and score; what was finished before is not done again. Return what came out.

    ``prepared`` is called with the store, and whether it was there already; ``begun`` before the
    first step of the training.
    """
    store = place_of(plan.preparing)
    existed = store.exists()
    store.parent.mkdir(parents=True, exist_ok=True)
    prepared(prepare_corpus(plan.preparing), existed)
    output = Path(plan.training["output"])
    with exclusive_folder(output):
        held = state_of(output, plan.training)
        if held.state is not State.FINISHED:
            train(plan.training | {"resume": prepare_resume(held)}, begun=begun)
        outcome = _outcome(plan, output)
        write_record(output / "outcome.json", outcome)
    return outcome


def _outcome(plan: Plan, folder: Path) -> dict[str, Any]:
    """Return as plain data what a finished run comes to, of what data and budget, by figure."""
    data, record = plan.expected.data, RunRecord.read(folder)
    store = Store(Path(record.store))
    left_out = record.left_out
    unused = left_out["unlabelled"] + sum(left_out["other_classes"].values())
    clips, corpora = len(store.columns["corpus"]) - unused, sorted(set(store.columns["corpus"]))
    same = data.same(corpora, clips)
    scored = {part: score_run(folder, part, None) for part in {one.part for one in plan.figures}}
    return {
        "name": plan.name,
        "published_on": data.name,
        "same_data": same,
        "data": {"clips": clips, "classes": record.classes, "corpora": corpora},
        "rows": [_row(figure, scored[figure.part].report, same) for figure in plan.figures],
        "parameters": record.parameters,
        "budget": {name: getattr(record, name) for name in ("epochs", "steps", "seconds", "select")}
        | {"batch": record.data["batch_size"], "best_epoch": record.best["epoch"]},
        "overrides": plan.overrides,
        **{name: getattr(record, name) for name in ("split", "seed", "fingerprint", "versions")},
        "folder": str(folder),
    }


def _row(figure: Figure, report: dict[str, Any], same: bool) -> dict[str, Any]:
    here = report[figure.metric]
    held = ("balanced_accuracy", "clips", "support", "scored", "speakers", "unknown_speakers")
    return {
        "published": vars(figure),
        "here": here,
        "chance": 1 / len(report["classes"]),
        **{name: report[name] for name in held},
        "shared_speakers": report["shared_with_training"]["speakers"],
        "verdict": figure.verdict(here["value"], same),
    }
