"""What ``prepare`` has to do: what the store holds, what is asked, what is missing."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from langid import __version__
from langid.build import with_trust
from langid.corpora.manifest import COLUMNS, Manifest, Row, Rows
from langid.data.shard import facts_of
from langid.data.store import SCHEMA, Content, Store
from langid.differences import differing, flatten
from langid.errors import LangidError

CONTENTS = ("features", "samples")


@dataclass(frozen=True)
class Plan:
    """Which ``rows`` of a manifest are to follow those of ``base``, the store that is there.

    They are of the ``corpus`` at that place of the description, which is that of the store to be.
    ``skipped`` are rows that are left out before any file is read; ``content`` is the kind of the
    store's frames; ``device`` makes the features.
    """

    store: Path
    base: Store | None
    corpus: int
    rows: Rows
    skipped: list[Row]
    description: dict[str, Any]
    content: Content
    workers: int
    device: str

    @property
    def parts(self) -> Path:
        """The folder of unfinished work, of this plan and of others."""
        return Path(f"{self.store}.parts")

    @property
    def folder(self) -> Path:
        """The folder of the shards, which another plan does not share."""
        before = self.base.fingerprint if self.base else ""
        text = json.dumps([SCHEMA, __version__, self.description, before], sort_keys=True)
        return self.parts / hashlib.sha256(text.encode()).hexdigest()[:16]


def make_plan(
    store: Path,
    manifest: Manifest,
    corpus: dict[str, Any],
    description: dict[str, Any],
    workers: int,
    add: bool,
    accelerator: str,
) -> Plan | None:
    """Return what to do, or None where the store holds the corpus already.

    Raises LangidError for an existing store that differs from what is asked.
    """
    if description["content"] not in CONTENTS:
        raise LangidError(
            f"content={description['content']}: accepted are {' and '.join(CONTENTS)}"
        )
    _check_durations(description["min_duration_s"], description["max_duration_s"])
    asked = {"reader": corpus, "manifest_sha256": manifest.sha256()}
    base = Store(store) if store.exists() else None
    if base is not None and _holds(base, asked, description):
        return None
    corpora = list(base.description["corpora"]) if base else []
    readers = [one["reader"] for one in corpora]
    place = readers.index(corpus) if corpus in readers else len(corpora)
    rows = manifest.utterances
    if base is not None and place < len(corpora):
        rows = _added_rows(base, place, rows)
    if base is not None and not add:
        raise _not_added(base, asked, len(rows))
    rows, held = _without_held(rows, base)
    ((facts, content, device),) = joblib.Parallel(workers)(
        [joblib.delayed(with_trust(facts_of))(description, accelerator)]
    )
    whole = description | facts | {"corpora": [*corpora[:place], asked, *corpora[place + 1 :]]}
    skipped = manifest.skipped + held
    return Plan(store, base, place, rows, skipped, whole, content, workers, device)


def _check_durations(least_s: float, most_s: Any) -> None:
    if most_s is None:
        return
    if type(most_s) not in (int, float) or not 0 < most_s < math.inf:
        raise LangidError(f"max_duration_s={most_s}: accepted are null and seconds above 0")
    if most_s < least_s:
        raise LangidError(
            f"max_duration_s={most_s}: is below min_duration_s={least_s}, so that all longer files"
            " would be left out; take a larger one, or a smaller min_duration_s"
        )


def _holds(base: Store, corpus: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether a store holds a corpus; raises LangidError where it was made another way."""
    held = flatten({key: base.description.get(key) for key in asked})
    if differences := differing(held, flatten(asked), "the store"):
        raise LangidError(
            f"store={base.path}: made with another configuration: {'; '.join(differences)}."
            " Ask for the same, or choose another store=PATH.h5"
        )
    return corpus in base.description["corpora"]


def _added_rows(base: Store, place: int, rows: Rows) -> Rows:
    """Return the rows of a corpus, held with fewer of them, that the store does not hold of it.

    Raises LangidError where a row that it holds was edited or removed.
    """
    if (base.read_from < 0).any():
        raise _changed(
            base, "an earlier version wrote it, without telling of which corpus rows are"
        )
    now, held = {key: row for row, key in enumerate(rows.columns["utterance_id"])}, set[str]()
    kept = [name for name in COLUMNS if name != "duration_s"]  # which is that of what is stored
    own = base.read_from == place
    for cells in zip(*(base.columns[name][own] for name in kept), strict=True):
        before = dict(zip(kept, cells, strict=True))
        key = before["utterance_id"]
        if key not in now:
            raise _changed(base, f"{key} was removed")
        found = {name: rows.columns[name][now[key]] for name in kept}
        if found != before:
            differences = differing(before, found, "the store")
            raise _changed(base, f"{key} was edited: {'; '.join(differences)}")
        held.add(key)
    return Rows(row for row in rows if row["utterance_id"] not in held)


def _changed(base: Store, how: str) -> LangidError:
    return LangidError(
        f"store={base.path}: the corpus has changed since the store was made ({how}), and add=true"
        " takes only rows that were added; delete the store or choose another store=PATH.h5"
    )


def _not_added(base: Store, corpus: dict[str, Any], count: int) -> LangidError:
    """Return the error that says what ``add=true`` would add to a store."""
    corpora = base.description["corpora"]
    if any(other["reader"] == corpus["reader"] for other in corpora):
        return LangidError(
            f"store={base.path}: the corpus has changed since the store was made: {count:,} of its"
            " rows are not in the store. add=true prepares those alone; or choose another"
            " store=PATH.h5"
        )
    last, this = (flatten(one["reader"], "corpus.") for one in (corpora[-1], corpus))
    lines = "; ".join(differing(last, this, "the store"))
    return LangidError(
        f"store={base.path}: holds another corpus ({lines}). add=true adds this corpus to it;"
        " or choose another store=PATH.h5"
    )


def _without_held(rows: Rows, base: Store | None) -> tuple[Rows, list[Row]]:
    """Return the rows that a store does not hold, and as skipped those that it does.

    A Common Voice clip may be held under the name of another release.
    """
    if base is None:
        return rows, []
    known = {_identity(row): row for row in base.columns["utterance_id"]}
    skipped = Manifest()
    fresh = Rows()
    for row in rows:
        held = known.get(_identity(row["utterance_id"]))
        if held is None:
            fresh.append(row)
        else:
            reason = f"the store already holds this clip as {held}"
            skipped.skip(row["corpus"], row["path"], row["language"], reason)
    return fresh, skipped.skipped


def _identity(utterance_id: str) -> str:
    """Return what tells a recording: a Common Voice clip keeps its name in every release."""
    if "common_voice_" not in utterance_id:  # most others: a path is slow to take apart
        return utterance_id
    stem = Path(utterance_id).stem
    return stem if stem.startswith("common_voice_") else utterance_id
