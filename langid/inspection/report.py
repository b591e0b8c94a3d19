"""What ``langid inspect`` tells of a store, as plain data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langid.corpora.manifest import SKIPPED_COLUMNS, read_table
from langid.corpora.tasks import Task
from langid.data.merge import beside
from langid.data.store import Store
from langid.errors import LangidError
from langid.inspection.clips import Clips, measure_clips
from langid.inspection.counts import class_weights, counts_of, histograms
from langid.inspection.duplicates import duplicates
from langid.inspection.findings import LISTED, findings_of
from langid.inspection.shortcuts import shortcut_test
from langid.training.run_description import versions

SCHEMA = "langid-inspect-1"


def inspect_store(
    store: Store, task: Task, corpora: Sequence[str] | None, workers: int
) -> tuple[dict[str, Any], Clips]:
    """Return the report on a store, and its clips as they were measured, with their ``class``.

    ``corpora`` are those to look at, None for all. Raises LangidError for a corpus that the store
    does not hold, what the task cannot predict, and where no clip can be read.
    """
    rows = store.utterances
    held = sorted(set(rows["corpus"]))
    if corpora is not None and (unknown := sorted(set(corpora) - set(held))):
        raise LangidError(
            f"corpora: no {', '.join(unknown)} in the store; it holds {', '.join(held)}"
        )
    rows = rows[rows["corpus"].isin(held if corpora is None else corpora)]
    classes = task.classes_of(rows)
    labels = task.labels(rows, classes)
    chosen = labels.index[labels != ""]
    clips = measure_clips(store, chosen.tolist(), workers)
    table = clips.table.assign(**{"class": labels.reindex(clips.table.index)})
    clips = replace(clips, table=table)
    return _report(store, task, classes, clips) | {"left_out": task.left_out(rows, classes)}, clips


def _report(store: Store, task: Task, classes: list[str], clips: Clips) -> dict[str, Any]:
    table, pairs = clips.table, duplicates(clips)
    shortcuts = shortcut_test(table, clips.quiet, classes)
    most = store.description["max_duration_s"]
    return {
        "schema": SCHEMA,
        "store": str(store.path),
        "fingerprint": store.fingerprint,
        "content": store.content.name,
        "task": task.column,
        "findings": findings_of(table, classes, pairs, shortcuts, most),
        "shortcuts": shortcuts,
        "all": counts_of(table),
        "classes": {name: counts_of(table[table["class"] == name]) for name in classes},
        "class_weights": class_weights(table, classes),
        "histograms": histograms(table, classes),
        "duplicates": {"pairs": len(pairs), "first": pairs[:LISTED]},
        "unread": {"clips": len(clips.unread), "first": dict(list(clips.unread.items())[:LISTED])},
        "skipped": _skipped(store),
        "versions": versions(),
    }


def _skipped(store: Store) -> dict[str, Any]:
    """Return what prepare left out: how many files by reason, and the first of them."""
    path = beside(store.path, "skipped")
    if not path.exists():
        return {"clips": 0, "reasons": {}, "first": []}
    header, lines = read_table(path)
    rows = [dict(zip(header, line, strict=False)) for line in lines]
    reasons = Counter(row.get("reason", "").partition(" (")[0] for row in rows)
    first = [{name: row.get(name, "") for name in SKIPPED_COLUMNS} for row in rows[:LISTED]]
    return {"clips": len(rows), "reasons": dict(reasons.most_common()), "first": first}
