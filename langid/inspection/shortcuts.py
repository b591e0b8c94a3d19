"""Whether a class can be told without hearing its speech: small classifiers of all else.

Each is a logistic regression with balanced classes, cross-validated over five folds that share no
speaker. One sees figures of the recording (with the file's codec and rate, and without), another
the quietest 15 % of a clip's frames. Figures are cut into eight bins of as many clips, so that any
range of them can speak for a class.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from langid.corpora.dealing import deal
from langid.corpora.splits import speaker_groups
from langid.evaluation.intervals import MIN_SPEAKERS
from langid.evaluation.scoring import Figure, score
from langid.inspection.measurements import band_edges

FOLDS = 5
SEED = 0
BINS = 8
REGIONS = 5  # of neighbouring mel bands, each looked at alone
PENALTY = 10.0  # on squared weights; features have a deviation of about 1
FILE = {"sample rate": "sample_rate", "codec": "codec"}
RECORDING = {
    "bandwidth": "bandwidth_hz",
    "loudness": "loudness_db",
    "noise floor": "noise_floor_db",
    "leading silence": "leading_silence_s",
}
Parts = Mapping[str, np.ndarray]  # what a test sees, ``(clips, features)`` each


def shortcut_test(table: pd.DataFrame, quiet: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Return what classifiers that hear no speech come to, as plain data.

    ``table`` has a row a clip with its ``class``; ``quiet (clips, 2 * bands)`` are its quietest
    frames. Of each test ``balanced_accuracy`` with an interval between speakers, ``gives_away``
    (see ``_beats``), ``won`` (the share of the way from chance to 1),
    ``recall`` of each class, and ``alone``, the balanced accuracy of each part of what it sees, the
    one that gives away most first. Classes of fewer than five speakers are ``left_out``.
    """
    groups = speaker_groups(table)
    speakers = groups.groupby(table["class"]).nunique()
    tested = [name for name in classes if speakers.get(name, 0) >= max(FOLDS, MIN_SPEAKERS)]
    left_out = {name: int(speakers.get(name, 0)) for name in classes if name not in tested}
    report = {"classes": tested, "left_out": left_out, "folds": FOLDS, "seed": SEED, "tests": {}}
    if len(tested) < 2:
        return report
    rows = table["class"].isin(tested).to_numpy()
    table, groups, quiet = table[rows], groups[rows], quiet[rows]
    folds = deal(groups, table["class"], np.full(FOLDS, 1 / FOLDS), SEED)
    targets = table["class"].map(tested.index).to_numpy()

    def scores(seen: np.ndarray) -> dict[str, Any]:
        return score(targets, _held_out(seen, targets, folds), groups.tolist(), tested)

    chance, seen = 1 / len(tested), _seen(table, quiet)
    report["tests"] = {name: _test(parts, scores, chance) for name, parts in seen.items()}
    counts = {"clips": len(table), "speakers": int(groups.nunique())}
    return report | counts | {"chance": chance}


def _test(
    parts: Parts, scores: Callable[[np.ndarray], dict[str, Any]], chance: float
) -> dict[str, Any]:
    every = scores(np.concatenate(list(parts.values()), axis=1))
    figure = every["balanced_accuracy"]
    alone = {name: scores(seen)["balanced_accuracy"] for name, seen in parts.items()}
    order = sorted(alone, key=lambda name: -alone[name]["value"])
    return {
        "balanced_accuracy": figure,
        "gives_away": _beats(figure, chance),
        "won": (figure["value"] - chance) / (1 - chance),
        "recall": {name: of["recall"] for name, of in every["classes"].items()},
        "alone": {name: alone[name] for name in order},
    }


def _beats(figure: Figure, chance: float) -> bool:
    """Return whether a figure is above chance by more than its whole interval.

    That it lies above chance is not enough: the interval knows how speakers differ, and not how the
    classifiers of other speakers would. Where classes are dealt to speakers at random it lies above
    in up to one test of eight (experiments/shortcuts).
    """
    low, high = figure["low"], figure["high"]
    return low is not None and figure["value"] - chance > high - low


def _held_out(seen: np.ndarray, targets: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return posteriors ``(clips, classes)``, of each clip by a model without its fold."""
    posteriors = np.zeros((len(targets), targets.max() + 1))
    for fold in range(FOLDS):
        held = folds == fold
        model = LogisticRegression(C=1 / PENALTY, class_weight="balanced", max_iter=1000)
        model.fit(seen[~held], targets[~held])
        posteriors[np.ix_(held, model.classes_)] = model.predict_proba(seen[held])
    return posteriors


def _seen(table: pd.DataFrame, quiet: np.ndarray) -> dict[str, Parts]:
    """Return what each test sees."""
    file = {name: _one_hot(table[column].to_numpy()) for name, column in FILE.items()}
    recording = {name: _one_hot(_bins(table[column])) for name, column in RECORDING.items()}
    spread = quiet.std(0)
    scaled = (quiet - quiet.mean(0)) / np.where(spread > 0, spread, 1)
    return {
        "file and recording": file | recording,
        "recording": recording,
        "quietest frames": _regions(scaled),
    }


def _bins(values: pd.Series) -> np.ndarray:
    return np.asarray(pd.qcut(values, BINS, labels=False, duplicates="drop").fillna(-1))


def _one_hot(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:, None] == np.unique(values), float)


def _regions(quiet: np.ndarray) -> Parts:
    """Return mean and deviation of neighbouring bands, by the kilohertz that these cover."""
    edges = band_edges() / 1000
    bands = np.array_split(np.arange(len(edges) - 2), REGIONS)
    return {
        f"{edges[own[0]]:.1f} to {edges[own[-1] + 2]:.1f} kHz": np.concatenate(
            [quiet[:, own], quiet[:, own + len(edges) - 2]], axis=1
        )
        for own in bands
    }
