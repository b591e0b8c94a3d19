"""What a comparison says in words and cells, on the terminal and on its page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from langid.evaluation.report import who_speaks
from langid.runs.compare import compared_keys, short_ends
from langid.terminal import interval

if TYPE_CHECKING:
    import pandas as pd

CHANCE = 0.05


def head_and_rows(table: "pd.DataFrame") -> tuple[list[str], list[list[str]]]:
    """Return the cells of a comparison, a line break before each interval."""
    keys = compared_keys(table)
    named = table[keys].duplicated().any() if keys else True
    head = [
        *(["run"] if named else []), *short_ends(keys, "."), "seeds",
        "balanced accuracy", "accuracy", "from the best", "p", "parameters", "train s", "RTF",
    ]  # fmt: skip
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return head, [_cells(row, keys, bool(named)) for row in records]


def _cells(row: dict[str, Any], keys: list[str], named: bool) -> list[str]:
    spread, told = row["seed_spread"], row["difference"]
    p, by_clips = row["p_corrected"], row["p_mcnemar"]
    seconds, factor = row["seconds"], row["real_time_factor"]
    return [
        *([Path(row["run"]).name] if named else []),
        *(str(row[key]) for key in keys),
        row["seeds"] + ("" if spread is None else f"\nsd {spread:.3f}"),
        _figure(row, "balanced_accuracy"),
        _figure(row, "accuracy"),
        row["note"] if told is None else _figure(row, "difference", "+.3f"),
        "-"
        if p is None
        else f"{p:.4f}" + ("" if by_clips is None else f"\nby clips {by_clips:.4f}"),
        f"{row['parameters']:,}",
        "-" if seconds is None else f"{seconds:.0f}",
        "-" if factor is None else f"{factor:.4f}",
    ]


def _figure(row: dict[str, Any], name: str, form: str = ".3f") -> str:
    ends = {end: row[f"{name}_{end}"] for end in ("low", "high")}
    return f"{row[name]:{form}}\n{interval({**ends, 'reason': ''}, form)}"


def basis(table: "pd.DataFrame", title: str) -> list[str]:
    """Return the clips and speakers that the runs were scored on, and why intervals are absent."""
    of = ["clips", "speakers", "unknown_speakers"]
    counts = table[of].drop_duplicates().to_dict("records")
    lines = [f"scored    {title}: {who_speaks(each)}" for each in counts]
    for name in ("accuracy", "balanced_accuracy"):
        for reason in sorted(set(table[f"{name}_reason"]) - {""}):
            lines.append(f"no interval of {name.replace('_', ' ')}: {reason}")
    return lines


def verdict(table: "pd.DataFrame") -> str:
    """Return whether the best is ahead of the next by more than chance; empty where none is.

    Next is the next run that was scored on the same clips; it says how many are left out.
    """
    tested = table[table["p"].notna()]
    if not len(tested):
        return ""
    of, there = tested.iloc[0], tested.iloc[0].notna()
    between = int(tested.index[0]) - 1  # rows are in order, the best first
    others = ""
    if between:
        runs = f"{between} run{'s' * (between > 1)} between them"
        others = f", of those on the same clips ({runs} on others cannot be tested),"
    ends = ""
    if there["difference_low"]:
        ends = f" ({-of['difference_high']:.3f} to {-of['difference_low']:.3f})"
    more = "more than" if of["p_corrected"] < CHANCE else "no more than"
    together = f" for {len(tested)} comparisons" if len(tested) > 1 else ""
    by_clips = ""
    if there["p_mcnemar"]:
        by_clips = f"; by clips, McNemar's test, p = {of['p_mcnemar']:.4f}"
    p = f"by speakers p = {of['p_corrected']:.4f}{together}{by_clips}"
    return (
        f"the best is ahead of the next{others} by {abs(of['difference']):.3f}{ends} balanced"
        f" accuracy: {more} chance may make ({p})"
    )
