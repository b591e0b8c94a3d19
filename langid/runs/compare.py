"""Runs side by side: what differs between them, their figures, and paired differences."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.atomic_file import write_text
from langid.errors import LangidError
from langid.evaluation.paired_tests import flips_of_all, mcnemar, speaker_flips
from langid.evaluation.scoring import difference_of_right
from langid.plots import draw_comparison, save_figure
from langid.runs.finished import Run, check_classes, score_run
from langid.runs.systems import SEED, System, same_utterances, systems_of
from langid.training.run_record import choices

METRICS = ("balanced_accuracy", "accuracy")  # the first one ranks
PARTS = ("validation", "test")
OTHER_UTTERANCES = "other utterances"


def score_and_compare(
    folders: Sequence[Path],
    part: str,
    store: Path | None,
    workers: int,
    speed_of: Callable[[Path], float | None],
) -> pd.DataFrame:
    """Score finished runs on a part, and return them as ``compare_runs`` does.

    ``speed_of`` returns the real-time factor of a checkpoint. Raises LangidError where runs cannot
    be compared.
    """
    if part not in PARTS:
        raise LangidError(f"part={part}: accepted are {', '.join(PARTS)}")
    check_classes(folders)
    runs = [score_run(folder, part, store, workers) for folder in folders]
    return compare_runs(runs, [speed_of(run.checkpoint) for run in runs])


def write_comparison(table: pd.DataFrame, output: Path, title: str) -> None:
    """Write compare.csv and compare.png into a folder."""
    save_figure(draw_comparison(metrics_of(table), labels_of(table), title), output / "compare.png")
    write_text(output / "compare.csv", table.drop(columns="folders").to_csv(index=False))


def metrics_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return value, low and high end of each metric, ``(3, rows)``, by a name for people."""
    return {
        name.replace("_", " "): table[[name, f"{name}_low", f"{name}_high"]].to_numpy(float).T
        for name in METRICS
    }


def compared_keys(table: pd.DataFrame) -> list[str]:
    """Return the columns of the keys that differ."""
    columns = list(table.columns)
    return columns[1 : columns.index("seeds")]


def short_ends(names: Sequence[str], separator: str) -> list[str]:
    """Return the fewest last parts of each name that no other name ends in."""
    parts, shown = [name.split(separator) for name in names], []
    for own in parts:
        ends = (own[-count:] for count in range(1, len(own) + 1))
        alone = (end for end in ends if sum(of[-len(end) :] == end for of in parts) == 1)
        shown.append(separator.join(next(alone, own)))
    return shown


def labels_of(table: pd.DataFrame) -> list[str]:
    """Return a short name for each run: what sets it apart, KEY=VALUE, or its folder."""
    keys = compared_keys(table)
    short = short_ends(keys, ".")
    named = [
        ", ".join(f"{key}={value}" for key, value in zip(short, row, strict=True))
        for row in table[keys].to_numpy()
    ]
    if len(set(named)) == len(named) and all(named):
        return named
    return short_ends([Path(run).as_posix() for run in table["run"]], "/")


def differing_choices(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return of each run the values of the keys in which the runs differ.

    A key that only follows from the class that is chosen beside it is left out: the kernel of a
    convolutional network does not tell anything that ``model.network._target_`` does not.
    """
    flat = pd.DataFrame([choices(run.record.config) for run in runs], dtype=object)
    flat["store"] = [f"{Path(r.record.store).stem} {r.record.fingerprint[:6]}" for r in runs]
    for key in ("init", "teacher"):
        held = [getattr(run.record, key) for run in runs]
        if any(held):
            flat[key] = [of and f"{of['checkpoint']} {of['sha256'][:6]}" for of in held]
    shown = flat.where(flat.notna(), "-").map(str)
    keys = [key for key in shown if shown[key].nunique() > 1 and not _follows(shown, str(key))]
    for key in keys:
        if key.endswith("_target_"):
            shown[key] = shown[key].str.rpartition(".")[2]
    short = [key.removesuffix("._target_") for key in keys]
    return [dict(zip(short, row, strict=True)) for row in shown[keys].to_numpy()]


def _follows(shown: pd.DataFrame, key: str) -> bool:
    """Return whether a class above a key differs, and runs of the same class agree on the key."""
    parts = key.split(".")
    targets = {".".join([*parts[:depth], "_target_"]) for depth in range(1, len(parts))} - {key}
    return any(
        shown[target].nunique() > 1 and (shown.groupby(target)[key].nunique() == 1).all()
        for target in targets & set(shown)
    )


def compare_runs(runs: Sequence[Run], real_time_factors: Sequence[float | None]) -> pd.DataFrame:
    """Return a row per system, which is a run or the same run of several seeds, the best first.

    Columns: ``run``, the first of its ``folders``, the keys that differ, ``seeds``, each metric
    with ``_low``, ``_high`` and ``_reason`` why there is no interval, ``seed_spread``, the standard
    deviation of balanced accuracy over seeds, ``seed_lowest``, ``seed_highest``, ``clips``,
    ``speakers`` that are known, ``unknown_speakers`` (clips), ``parameters``, ``seconds`` of
    training, the mean (absent where a run was resumed, as the time before is not known),
    ``real_time_factor`` of the first, and ``difference`` in balanced accuracy from the best with
    ``difference_low``, ``difference_high`` and a ``note`` where there is none. ``p`` is how
    probable a difference as large would be by chance (``speaker_flips``), ``p_corrected`` that of
    all systems together (``flips_of_all``), ``p_mcnemar`` that of clips as if they were
    independent, of single runs alone.
    """
    chosen = differing_choices(runs)
    told = dict(zip(map(id, runs), zip(chosen, real_time_factors, strict=True), strict=True))
    systems = systems_of(runs, chosen)
    best = max(systems, key=lambda one: tuple(one.figures[name]["value"] for name in METRICS))
    rows = []
    for system in systems:
        choice, factor = told[id(system.first)]
        rows.append(_row(system, choice) | {"real_time_factor": factor} | _from(best, system))
    table = pd.DataFrame(rows)
    tested = table["p"].notna().to_numpy()
    table.loc[tested, "p_corrected"] = _of_all(best, systems)[tested]
    order = table.sort_values(list(METRICS), ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _row(system: System, choice: dict[str, Any]) -> dict[str, Any]:
    first, records = system.first, [run.record for run in system.runs]
    keys = {key: value for key, value in choice.items() if key != SEED}
    row: dict[str, Any] = {"run": str(first.folder), **keys}
    row["seeds"] = ", ".join(map(str, system.seeds))
    for name in METRICS:
        row |= _columns(name, system.figures[name], f"{name}_reason")
    values = system.of_seeds(METRICS[0])
    resumed = any(record.config["resume"] for record in records)
    return row | {
        "seed_spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "seed_lowest": min(values),
        "seed_highest": max(values),
        **{of: first.report[of] for of in ("clips", "speakers", "unknown_speakers")},
        "folders": [str(run.folder) for run in system.runs],
        "parameters": first.record.parameters,
        "seconds": None if resumed else float(np.mean([record.seconds for record in records])),
    }


def _of_all(best: System, systems: Sequence[System]) -> np.ndarray:
    """Return the p of each system's difference from the best, NaN of other utterances."""
    found = np.full(len(systems), np.nan)
    alike = [place for place, one in enumerate(systems) if same_utterances(one.first, best.first)]
    right = np.stack([systems[place].right for place in alike])
    at = [systems[place] is best for place in alike].index(True)
    found[alike] = flips_of_all(best.targets, right, best.speakers, at)
    return found


def _columns(name: str, figure: dict[str, Any], reason: str) -> dict[str, Any]:
    """Return a figure as columns; ``reason`` names the one for why it has no interval."""
    ends = {f"{name}_{end}": figure[end] for end in ("low", "high")}
    return {name: figure["value"], **ends, reason: figure.get("reason", "")}


def _from(best: System, system: System) -> dict[str, Any]:
    """Return the columns of a system's difference from the best one."""
    if system is best or not same_utterances(system.first, best.first):
        reason = "best" if system is best else OTHER_UTTERANCES
        none = {"value": None, "low": None, "high": None, "reason": reason}
        return _columns("difference", none, "note") | {"p": np.nan, "p_mcnemar": np.nan}
    paired = best.targets, system.right, best.right, best.speakers
    figure = difference_of_right(*paired, best.first.record.classes)[METRICS[0]]
    single = len(system.runs) == len(best.runs) == 1
    by_clips = mcnemar(system.right > 0, best.right > 0) if single else np.nan
    p = {"p": speaker_flips(*paired), "p_mcnemar": by_clips}
    return _columns("difference", figure, "note") | p
