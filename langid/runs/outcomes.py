"""What came out of experiments, beside what was published: on the terminal and as a page."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from langid.atomic_file import write_text
from langid.evaluation.report import who_speaks
from langid.runs.expected import SOUND, Expected
from langid.terminal import print_table, with_interval

WIDTH = 160  # where the table does not go to a terminal


def print_outcomes(outcomes: Sequence[dict[str, Any]]) -> None:
    """Print a table of published figures and of what came out here."""
    names = ("experiment", "published", "here (95 % interval)", "scored here", "verdict")
    table = Table(*names, title="published and here")
    for outcome in outcomes:
        if "failed" in outcome:
            table.add_row(outcome["name"], "", "", "", f"failed: {outcome['failed']}")
        for row in outcome.get("rows", []):
            table.add_row(outcome["name"], *_told(row), row["verdict"])
    print_table(table, WIDTH)


def _told(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return what was published, what came out here, and what that was scored on."""
    figure, shared = row["published"], row["shared_speakers"]
    scale = f"{figure['metric'].replace('_', ' ')}, {figure['part']}"
    note = f" ({figure['note']})" if figure["note"] else ""
    value = figure["value"]
    published = "-" if value is None else f"{value:.3f} {scale}: {figure['split']}{note}"
    sequences = f"{row['support']} sequences of " if row["scored"] == "sequence" else ""
    both = f"share {'nobody knows how many' if shared is None else shared}"
    scored = f"{sequences}{who_speaks(row)}; training and the parts held out {both}"
    return published, f"{with_interval(row['here'])} {scale}", scored


INTRODUCTION = """# Published experiments, run again

Every baseline that langid grows from, by its config name: once with the protocol **as published**,
once **sound**: the same network, features and budget, but no speaker in two parts and the
checkpoint chosen on a validation part that is not the test part. The gap between the two is what
the published protocol gives away.

The published data of most of them cannot be had, so the figures here come from other, far smaller
data with far shorter trainings, and cannot be compared with the published ones; the two columns of
this page can be compared with one another. Intervals are 95 %, between speakers; one run each;
seconds depend on what else the machine did, and on whether a run was resumed.
`langid reproduce NAME corpus.root=RELEASE` on the published data gives the verdict.

More on small real data: a linear layer on [a pretrained encoder](pretrained/README.md), [the
streaming GRU](gru/README.md), honest and leaky, and [all networks](networks/README.md) under one
budget.
"""


def write_table(
    path: Path, outcomes: Sequence[dict[str, Any]], expected: dict[str, Expected], line: str
) -> None:
    """Write a Markdown page of all experiments: as published and sound, with the gap between."""
    by_name = {outcome["name"]: outcome for outcome in outcomes}
    lines = [INTRODUCTION, f"Written by `{line}`.", ""]
    columns = (
        "experiment", "published", "as published, here", "sound, here", "gap", "chance",
        "data here", "verdict", "budget",
    )  # fmt: skip
    lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    pairs = [(name, f"{name}{SOUND}") for name in by_name if not name.endswith(SOUND)]
    for name, twin in pairs:
        cells = _cells(by_name[name], by_name.get(twin, {"failed": "not run"}))
        lines.append(f"| [`{name}`]({name}/expected.yaml) | {' | '.join(cells)} |")
    lines += ["", "## What differs from what was published", ""]
    for name, _ in pairs:
        told = [f"published on {expected[name].data.name}", *expected[name].differs]
        lines.append(f"- `{name}` ({expected[name].source}): {'; '.join(told)}.")
        if taken := by_name[name].get("overrides"):
            lines.append(f"  Run here with `{shlex.join(taken)}`.")
        if note := expected[name].stand_in.note:
            lines.append(f"  {note}")
    further = [(name, row) for name, _ in pairs for row in by_name[name].get("rows", [])[1:]]
    if further:
        lines += ["", "## Further figures of the same runs", ""]
        lines += ["| experiment | published | here | scored here |", "|---|---|---|---|"]
    for name, row in further:
        lines.append(f"| `{name}` | {' | '.join(_told(row))} |")
    lines += ["", _made_with(outcomes), ""]
    write_text(path, "\n".join(lines))


def _cells(published: dict[str, Any], sound: dict[str, Any]) -> list[str]:
    ours, twins = rows = [of.get("rows", [None])[0] for of in (published, sound)]
    gap = f"{ours['here']['value'] - twins['here']['value']:+.3f}" if ours and twins else "-"
    told = [
        "; ".join(_told(row)[1:]) if row else f"failed: {of['failed']}"
        for row, of in zip(rows, (published, sound), strict=True)
    ]
    if not ours:
        return ["-", *told, gap, "-", "-", "-", "-"]
    data, budget = published["data"], published["budget"]
    return [
        _told(ours)[0],
        *told,
        gap,
        f"{ours['chance']:.3f}",
        f"{data['clips']:,} clips, {len(data['classes'])} classes of {', '.join(data['corpora'])}",
        ours["verdict"],
        f"{budget['epochs']} epochs, {budget['steps']:,} steps of {budget['batch']}; best epoch"
        f" {budget['best_epoch']} by {budget['select']}; {budget['seconds']:.0f} s",
    ]


def _made_with(outcomes: Sequence[dict[str, Any]]) -> str:
    done = [outcome for outcome in outcomes if "rows" in outcome]
    if not done:
        return "No experiment could be run."
    seeds = ", ".join(sorted({str(outcome["seed"]) for outcome in done}))
    told = ", ".join(f"{name} {number}" for name, number in done[0]["versions"].items())
    return f"Seed {seeds}. Made with {told}."
