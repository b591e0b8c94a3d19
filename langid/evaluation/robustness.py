"""The same utterances in acoustic conditions, and what is said where nobody speaks."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.build import build
from langid.corpora.part_counts import clips_and_speakers
from langid.corpora.splits import speaker_groups
from langid.data.sound_store import make_store
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.asked import Asked
from langid.evaluation.calibration import calibration
from langid.evaluation.conditions import (
    CONDITIONS,
    PAUSES_S,
    SPEECHLESS,
    SPEECHLESS_S,
    ChangedUtterances,
    Pauses,
    UtterancesAgain,
    WithoutSpeech,
)
from langid.evaluation.predictions import Predictions, predict_part, predict_unknown
from langid.evaluation.scoring import INTERVAL, paired_difference, score
from langid.evaluation.threshold import may_be_answered
from langid.training.checkpoint import read_checkpoint
from langid.training.run_description import versions
from langid.training.run_record import write_record

SCHEMA = "langid-robustness-1"
CLEAN, PAUSES = "clean", "pauses alone"
FIGURES = ("balanced_accuracy", "accuracy", "nll")
HEARD = "speech frames are those that the store's detector finds in the changed sound"
Group = tuple[Sequence[Path], list[int]]  # checkpoints, and the rows that they hear


def robustness(
    asked: Asked, clean: Predictions, folder: Path, unknown_below: float = 0.0
) -> dict[str, Any]:
    """Return what becomes of predictions in each of CONDITIONS, as plain data.

    ``clean`` are those that are asked for, of whole utterances. A condition has ``name``, figures,
    ``confidence``, the mean posterior of what is said, how many have ``no_speech``, and
    ``difference`` from clean in balanced accuracy, paired. ``without_speech`` tells of each kind of
    SPEECHLESS how often a class is ``named``: where speech is found, and its posterior is
    ``unknown_below`` or more. ``pauses`` is a condition, too: what utterances that have PAUSES_S of
    it are taken for by what is no speech in them, all of it, beside what they are clean; None where
    none has. Sounds lie in a folder below ``folder`` while they are heard. Raises
    LangidError as ``check_whole`` does, and for clips that cannot be heard again.
    """
    check_whole(asked)
    groups, store = list(_groups(asked, clean)), Store(asked.store)
    rows = [_condition(CLEAN, clean, clean)]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".sounds-") as place:
        for number, name in enumerate(CONDITIONS, 1):
            title = f"{name} ({number} of {len(CONDITIONS)})"
            tables = [
                _heard(asked, store, on, ChangedUtterances(store, rows, name), title, Path(place))
                for on, rows in groups
            ]
            table = pd.concat(tables).loc[clean.table.index]
            rows.append(_condition(name, replace(clean, table=table), clean))
        pauses = _pauses(asked, store, groups, clean, Path(place))
        said = _without_speech(asked, store, Path(place))
    return {
        "schema": SCHEMA,
        "part": asked.part,
        "task": clean.column,
        "classes": clean.classes,
        **clips_and_speakers(clean.table),
        "conditions": rows,
        "pauses": pauses,
        "pauses_s": PAUSES_S,
        "without_speech": [_said(kind, said, unknown_below, clean) for kind in SPEECHLESS],
        "without_speech_s": SPEECHLESS_S,
        "unknown_below": unknown_below,
        "settings": CONDITIONS,
        "heard": HEARD,
        "interval": INTERVAL,
        "checkpoints": clean.checkpoints,
        "fingerprint": clean.fingerprint,
        "versions": versions(),
    }


def check_whole(asked: Asked) -> None:
    """Raise LangidError for ``heard_s`` and for a part of sequences, before anything is scored."""
    if asked.heard_s is not None:
        raise LangidError(
            f"heard_s={asked.heard_s}: robustness=true changes utterances and hears them whole;"
            " take one of the two"
        )
    for path in asked.checkpoints if asked.part != "all" else []:
        split = build(read_checkpoint(path)["langid"].split, "split")
        if split.cuts_utterances:
            raise LangidError(
                f"checkpoint={path}: its split, {type(split).__name__}, cuts utterances into"
                " sequences, and robustness changes whole ones; take part=all, in which it hears"
                " those that it learned from too, or train with split=speaker"
            )


def write_robustness(found: dict[str, Any], folder: Path) -> None:
    """Write robustness.json."""
    write_record(folder / "robustness.json", found)


def _groups(asked: Asked, clean: Predictions) -> Iterator[Group]:
    """Yield checkpoints that are heard together, and the store's rows that they hear."""
    if asked.ensemble or len(asked.checkpoints) == 1:
        yield asked.checkpoints, clean.table.index.tolist()
        return
    for path in asked.checkpoints:
        fold = replace(asked, checkpoints=[path]).predictions(asked.part, None)
        yield [path], fold.table.index.tolist()


def _heard(
    asked: Asked,
    store: Store,
    checkpoints: Sequence[Path],
    sounds: UtterancesAgain,
    title: str,
    place: Path,
    all_marked: bool = False,
) -> pd.DataFrame:
    """Return what checkpoints say of rows of a store, heard as ``sounds``; the index is the row."""
    path = place / "heard.h5"
    make_store(path, store, sounds, title, asked.workers, asked.accelerator, all_marked)
    options = asked.workers, asked.ensemble, asked.accelerator
    table = predict_part(checkpoints, path, "all", *options).table
    path.unlink()
    return table.set_axis(np.array(sounds.rows)[table.index])


def _pauses(
    asked: Asked, store: Store, groups: Sequence[Group], clean: Predictions, place: Path
) -> dict[str, Any] | None:
    """Return what is said of pauses alone, by which no language can be told."""
    kept = [(on, Pauses(store, rows)) for on, rows in groups]
    tables = [
        _heard(asked, store, on, sounds, PAUSES, place, all_marked=True)
        for on, sounds in kept
        if len(sounds)
    ]
    if not tables:
        return None
    table = pd.concat(tables).sort_index()
    same = replace(clean, table=clean.table.loc[table.index])
    told = clips_and_speakers(table) | {"chance": 1 / len(clean.classes)}
    return told | _condition(PAUSES, replace(clean, table=table), same)


def _condition(name: str, heard: Predictions, clean: Predictions) -> dict[str, Any]:
    targets, posteriors, classes = clean.targets, heard.posteriors, clean.classes
    speakers = speaker_groups(clean.table).tolist()
    figures = score(targets, posteriors, speakers, classes)
    said, before = (of.posteriors.argmax(1) for of in (heard, clean))
    difference = paired_difference(targets, said, before, speakers, classes)["balanced_accuracy"]
    return {
        "name": name,
        **{figure: figures[figure] for figure in FIGURES},
        "ece": calibration(targets, posteriors, speakers)["ece"],
        "confidence": float(posteriors.max(1).mean()),
        "no_speech": int(heard.table["no_speech"].sum()),
        "difference": None if name == CLEAN else difference,
    }


def _without_speech(asked: Asked, store: Store, place: Path) -> pd.DataFrame:
    """Return what each checkpoint says of sounds in which nobody speaks."""
    path = place / "speechless.h5"
    sounds = WithoutSpeech(store.description["sample_rate"])
    make_store(path, store, sounds, "nobody speaks", asked.workers, asked.accelerator)
    options = asked.workers, asked.ensemble, asked.accelerator
    return predict_unknown(asked.checkpoints, path, *options)


def _said(
    kind: str, table: pd.DataFrame, unknown_below: float, clean: Predictions
) -> dict[str, Any]:
    """Return what is said of a kind of sound."""
    said = table[table["recording"] == kind]
    confidence = said[[f"p({name})" for name in clean.classes]].to_numpy(float).max(1)
    named = may_be_answered(said) & (confidence >= unknown_below)
    return {
        "name": kind,
        "clips": len(said),
        "no_speech": int(said["no_speech"].sum()),
        "named": int(named.sum()),
        "confidence": float(confidence.mean()),
        "said": {str(name): int(count) for name, count in said["predicted"].value_counts().items()},
    }
