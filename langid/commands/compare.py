"""Compare finished runs: what was chosen, what came out, and whether it differs from the best.

The folders are searched for run.json. Every best.ckpt is scored on the validation part, or on
part=test, with 95 % intervals between speakers; the difference from the best is paired: both runs
on the same clips. Whether it is more than chance is tested by exchanging the two for speakers at
random, and corrected for the number of runs. Runs that differ in their seed alone are one row, with
the spread between seeds. Writes compare.html, a page with the curves of all runs and what was
chosen, compare.csv and compare.png.

Examples:
  langid compare runs/gru output=runs/gru/table
  langid compare runs/first runs/second part=test
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich import box
from rich.table import Table

from langid.commands.paths import listed, path_of
from langid.exclusive import exclusive_folder
from langid.terminal import print_named, print_table
from langid.typed import quoted

if TYPE_CHECKING:
    import pandas as pd

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
    from langid.runs.comparison_page import write_page
    from langid.runs.comparison_text import basis, verdict
    from langid.runs.finished import find_runs

    folders = [path_of(folder) for folder in listed(config.folders)]
    found, left_out = find_runs(folders)
    output = path_of(config.output or folders[0])
    store = path_of(config.store) if config.store is not None else None
    title = f"{config.part} part"
    with exclusive_folder(output):
        table = score_and_compare(found, config.part, store, config.workers, torch_real_time_factor)
        write_comparison(table, output, title)
        write_page(table, output, title)
    _print_table(table, title)
    print(*basis(table, title), *filter(None, [verdict(table)]), sep="\n")
    for folder, reason in left_out.items():
        print(f"left out  {folder}: {reason}")
    files = {"page": "html", "table": "csv", "picture": "png"}
    print_named(
        best=table["run"][0], **{name: output / f"compare.{kind}" for name, kind in files.items()}
    )


def _print_table(table: "pd.DataFrame", title: str) -> None:
    from langid.runs.comparison_text import head_and_rows

    head, rows = head_and_rows(table)
    shown = Table(*head, title=f"{title}, 95 % intervals", box=box.SIMPLE_HEAD)
    for row in rows:
        shown.add_row(*row)
    print_table(shown, FILE_COLUMNS)
