"""Compare finished runs: what was chosen, what came out, and whether it differs from the best.

The folders are searched for run.json. Every best.ckpt is scored on the validation part, or on
part=test, with 95 % intervals between speakers; the difference from the best is paired: both runs
on the same clips. Whether it is more than chance is tested by exchanging the two for speakers at
random, and corrected for the number of runs. Writes compare.csv and compare.png.

Examples:
  langid compare runs/gru output=runs/gru/table
  langid compare runs/first runs/second part=test
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from rich import box
from rich.table import Table

from langid.commands.paths import listed, path_of
from langid.exclusive import exclusive_folder
from langid.terminal import interval, print_named, print_table
from langid.typed import quoted

if TYPE_CHECKING:
    import pandas as pd

CHANCE = 0.05
FILE_COLUMNS = 160  # where the table does not go to a terminal


def with_folders(arguments: Sequence[str]) -> list[str]:
    """Return overrides of which ``folders`` holds the arguments that are not KEY=VALUE.

    The folder of a job of a sweep has ``=`` in its name, so folders that exist count as such.
    """
    folders, overrides = [], []
    for argument in arguments:
        key, equals, _ = argument.partition("=")
        if not equals or "/" in key or Path(argument).is_dir():
            folders.append(quoted(argument))
        else:
            overrides.append(argument)
    return [*overrides, f"folders=[{','.join(folders)}]"] if folders else overrides


def run(config: DictConfig) -> None:
    """Score the runs, print the table and write it."""
    from langid.export.streaming_module import torch_real_time_factor
    from langid.runs.compare import score_and_compare, write_comparison
    from langid.runs.finished import find_runs

    folders = [path_of(folder) for folder in listed(config.folders)]
    found, left_out = find_runs(folders)
    output = path_of(config.output or folders[0])
    store = path_of(config.store) if config.store is not None else None
    title = f"{config.part} part"
    with exclusive_folder(output):
        table = score_and_compare(found, config.part, store, config.workers, torch_real_time_factor)
        write_comparison(table, output, title)
    _print_table(table, title)
    _print_basis(table, title)
    _print_chance(table)
    for folder, reason in left_out.items():
        print(f"left out  {folder}: {reason}")
    best, picture = table["run"][0], output / "compare.png"
    print_named(best=best, table=output / "compare.csv", picture=picture)


def _print_table(table: "pd.DataFrame", title: str) -> None:
    from langid.runs.compare import compared_keys

    keys = compared_keys(table)
    labelled = table[keys].duplicated().any() if keys else True
    shown = Table(
        *(["run"] if labelled else []), *(key.rpartition(".")[2] for key in keys),
        "balanced accuracy", "accuracy", "from the best", "p", "parameters", "train s", "RTF",
        title=f"{title}, 95 % intervals", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        told, seconds, factor = (row[of] for of in ("difference", "seconds", "real_time_factor"))
        shown.add_row(
            *([Path(row["run"]).name] if labelled else []),
            *(str(row[key]) for key in keys),
            _cell(row, "balanced_accuracy"),
            _cell(row, "accuracy"),
            row["note"] if told is None else _cell(row, "difference", "+.3f"),
            "-" if row["p_corrected"] is None else f"{row['p_corrected']:.4f}",
            f"{row['parameters']:,}",
            "-" if seconds is None else f"{seconds:.0f}",
            "-" if factor is None else f"{factor:.4f}",
        )
    print_table(shown, FILE_COLUMNS)


def _print_basis(table: "pd.DataFrame", title: str) -> None:
    """Print the clips and speakers that the runs were scored on, and why intervals are absent."""
    from langid.evaluation.report import who_speaks

    of = ["clips", "speakers", "unknown_speakers"]
    for counts in table[of].drop_duplicates().to_dict("records"):
        print(f"scored    {title}: {who_speaks(counts)}")
    for name in ("accuracy", "balanced_accuracy"):
        for reason in sorted(set(table[f"{name}_reason"]) - {""}):
            print(f"no interval of {name.replace('_', ' ')}: {reason}")


def _print_chance(table: "pd.DataFrame") -> None:
    """Print whether the best run is ahead of the next by more than chance."""
    tested = table[table["p"].notna()]
    if not len(tested):
        return
    of, there = tested.iloc[0], tested.iloc[0].notna()
    ends = ""
    if there["difference_low"]:
        ends = f" ({-of['difference_high']:.3f} to {-of['difference_low']:.3f})"
    verdict = "more than" if of["p_corrected"] < CHANCE else "no more than"
    together = f" for {len(tested)} comparisons" if len(tested) > 1 else ""
    print(
        f"the best is ahead of the next by {-of['difference']:.3f}{ends} balanced accuracy:"
        f" {verdict} chance may make (by speakers p = {of['p_corrected']:.4f}{together}; by clips,"
        f" McNemar's test, p = {of['p_mcnemar']:.4f})"
    )


def _cell(row: dict[str, Any], name: str, form: str = ".3f") -> str:
    ends = {end: row[f"{name}_{end}"] for end in ("low", "high")}
    return f"{row[name]:{form}}\n{interval({**ends, 'reason': ''}, form)}"
