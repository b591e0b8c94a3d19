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
from langid.corpora.manifest import Manifest
from langid.data.shard import facts_of
from langid.data.store import SCHEMA, Content, Store
from langid.differences import differing, flatten
from langid.errors import LangidError

CONTENTS = ("features", "samples")
Row = dict[str, str]


@dataclass(frozen=True)
class Plan:
    """Which ``rows`` of a manifest are to follow those of ``base``, the store that is there.

    ``skipped`` are rows that are left out before any file is read; ``description`` is that of the
    store to be, ``content`` the kind of its frames; ``device`` makes the features.
    """

    store: Path
    base: Store | None
    rows: list[Row]
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
    if base is not None and _holds(base, asked, description, add):
        return None
    corpora = base.description["corpora"] if base else []
    rows, held = _without_held(manifest.utterances, base)
    ((facts, content, device),) = joblib.Parallel(workers)(
        [joblib.delayed(with_trust(facts_of))(description, accelerator)]
    )
    whole = description | facts | {"corpora": [*corpora, asked]}
    return Plan(store, base, rows, manifest.skipped + held, whole, content, workers, device)


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


def _holds(base: Store, corpus: dict[str, Any], asked: dict[str, Any], add: bool) -> bool:
    """Whether a store holds a corpus; raises LangidError where that cannot be added to it."""
    held = flatten({key: base.description.get(key) for key in asked})
    if differences := differing(held, flatten(asked), "the store"):
        raise LangidError(
            f"store={base.path}: made with another configuration: {'; '.join(differences)}."
            " Ask for the same, or choose another store=PATH.h5"
        )
    corpora = base.description["corpora"]
    if corpus in corpora:
        return True
    if any(other["reader"] == corpus["reader"] for other in corpora):
        raise LangidError(
            f"store={base.path}: the corpus has changed since the store was made (rows were"
            " added, removed or edited); delete the store or choose another store=PATH.h5"
        )
    if not add:
        last, this = (flatten(one["reader"], "corpus.") for one in (corpora[-1], corpus))
        lines = "; ".join(differing(last, this, "the store"))
        raise LangidError(
            f"store={base.path}: holds another corpus ({lines}). add=true adds this corpus to it;"
            " or choose another store=PATH.h5"
        )
    return False


def _without_held(rows: list[Row], base: Store | None) -> tuple[list[Row], list[Row]]:
    """Return the rows that a store does not hold, and as skipped those that it does.

    A Common Voice clip may be held under the name of another release.
    """
    known = {_identity(row): row for row in base.columns["utterance_id"]} if base else {}
    skipped = Manifest()
    fresh = []
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
    stem = Path(utterance_id).stem
    return stem if stem.startswith("common_voice_") else utterance_id
