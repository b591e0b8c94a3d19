"""A manifest of audio files to a feature store, in parallel, resumable."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import joblib

from langid import __version__
from langid.atomic_file import writing
from langid.build import with_trust
from langid.corpora.manifest import COLUMNS, SKIPPED_COLUMNS, Manifest, read_table, write_table
from langid.data.shard import facts_of, write_shard
from langid.data.store import SCHEMA, Store, merge
from langid.data.workers import end_workers
from langid.differences import flatten
from langid.errors import LangidError
from langid.exclusive import exclusively
from langid.progress import progress

SHARD_UTTERANCES = 64


@dataclass
class Request:
    """What ``prepare`` is asked for.

    ``corpus`` is the configuration of the reader, ``description`` that of features and detector.
    """

    manifest: Manifest
    corpus: dict[str, Any]
    description: dict[str, Any]
    store: Path
    min_duration_s: float = 0.5
    workers: int = 1
    add: bool = False


def prepare(request: Request) -> Store:
    """Write the store that is asked for and return it; an equal one is returned as it is.

    Killed at any moment and run again, it goes on where it was and ends with the same bytes.
    Beside the store stand its manifest and ``skipped.tsv``, the rows left out with the reason.
    Raises LangidError for an existing store that differs from what is asked, and while another
    process writes it.
    """
    with exclusively("store", request.store):
        return _prepare(request)


def _prepare(request: Request) -> Store:
    corpus = {"reader": request.corpus, "manifest_sha256": request.manifest.sha256()}
    base = Store(request.store) if request.store.exists() else None
    if base is not None:
        if _already_holds(base, corpus, request):
            return base
        _leave_out_known(request.manifest, base)
    (facts,) = joblib.Parallel(request.workers)(
        [joblib.delayed(with_trust(facts_of))(request.description)]
    )
    bins = facts.pop("bins")
    corpora = [*(base.description["corpora"] if base else []), corpus]
    description = _configuration(request) | facts | {"corpora": corpora}
    with writing(request.store):
        _build(request, base, description, bins)
    return Store(request.store)


def _build(request: Request, base: Store | None, description: dict[str, Any], bins: int) -> None:
    parts = Path(f"{request.store}.parts")
    identity = [SCHEMA, __version__, description, base.fingerprint if base else ""]
    folder = parts / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    shards = _write_shards(request, folder)
    kept, skipped = _outcome(shards)
    skipped = request.manifest.skipped + skipped
    if base is None and not kept:
        shutil.rmtree(parts)  # so that a second run looks at mended files again
        raise _nothing_left(request.store, skipped)
    skipped = _previously_skipped(request.store, base, skipped) + skipped

    def attributes(rows: list[dict[str, str]]) -> dict[str, str]:
        write_table(skipped, SKIPPED_COLUMNS, beside(request.store, "skipped"))
        write_table(rows, COLUMNS, beside(request.store, "manifest"))
        return {
            "schema": SCHEMA,
            "description": json.dumps(description, sort_keys=True),
            "fingerprint": _fingerprint(rows, description, shards, base),
        }

    with progress("joining", "frames") as bar:
        task = bar.add_task("joining", total=None)
        merge(
            ([base.path] if base else []) + shards,
            request.store,
            bins,
            attributes,
            lambda frames: bar.advance(task, frames),
        )
    shutil.rmtree(parts)


def _configuration(request: Request) -> dict[str, Any]:
    return request.description | {"min_duration_s": request.min_duration_s}


def _outcome(shards: list[Path]) -> tuple[int, list[dict[str, str]]]:
    """Return how many utterances the shards hold, and the rows that they left out."""
    kept = 0
    skipped: list[dict[str, str]] = []
    for shard in shards:
        with h5py.File(shard, "r") as file:
            kept += len(file["offsets"]) - 1
            skipped += json.loads(file["skipped"][()])
    return kept, skipped


def _nothing_left(store: Path, skipped: list[dict[str, str]]) -> LangidError:
    table = beside(store, "skipped")
    write_table(skipped, SKIPPED_COLUMNS, table)
    return LangidError(
        f"{store}: no utterance is left; all {len(skipped)} were left out, the first"
        f" ({skipped[0]['path']}) because: {skipped[0]['reason']}; the others stand in {table}"
    )


def beside(store: Path, kind: str) -> Path:
    """Return where the table of a kind (``manifest``, ``skipped``) of a store lies."""
    return store.with_name(f"{store.stem}.{kind}.tsv")


def _already_holds(base: Store, corpus: dict[str, Any], request: Request) -> bool:
    differences = _differences(base.description, _configuration(request))
    if differences:
        raise LangidError(
            f"store={base.path}: made with another configuration: {'; '.join(differences)}."
            " Ask for the same, or choose another store=PATH.h5"
        )
    for held in base.description["corpora"]:
        if held == corpus:
            return True
        if held["reader"] == corpus["reader"]:
            raise LangidError(
                f"store={base.path}: the corpus has changed since the store was made (rows were"
                " added, removed or edited); delete the store or choose another store=PATH.h5"
            )
    if not request.add:
        held = base.description["corpora"]
        lines = "; ".join(_differences(held[-1]["reader"], corpus["reader"], prefix="corpus."))
        raise LangidError(
            f"store={base.path}: holds another corpus ({lines}). add=true adds this corpus to it;"
            " or choose another store=PATH.h5"
        )
    return False


def _differences(has: dict[str, Any], asked: dict[str, Any], prefix: str = "") -> list[str]:
    left, right = flatten(has, prefix), flatten(asked, prefix)
    keys = [key for key in right if left.get(key) != right[key]]
    if prefix:
        keys += [key for key in left if key not in right]
    return [f"{key}: the store has {left.get(key)}, asked is {right.get(key)}" for key in keys]


def _leave_out_known(manifest: Manifest, base: Store) -> None:
    """Skip rows that the store already holds, also as the same Common Voice clip elsewhere."""
    known = {_identity(row): row for row in base.columns["utterance_id"]}
    fresh = []
    for row in manifest.utterances:
        held = known.get(_identity(row["utterance_id"]))
        if held is None:
            fresh.append(row)
        else:
            reason = f"the store already holds this clip as {held}"
            manifest.skip(row["corpus"], row["path"], row["language"], reason)
    manifest.utterances = fresh


def _identity(utterance_id: str) -> str:
    """Return what tells a recording: a Common Voice clip keeps its name in every release."""
    stem = Path(utterance_id).stem
    return stem if stem.startswith("common_voice_") else utterance_id


def _write_shards(request: Request, folder: Path) -> list[Path]:
    rows = request.manifest.utterances
    batches = [rows[i : i + SHARD_UTTERANCES] for i in range(0, len(rows), SHARD_UTTERANCES)]
    shards = [folder / f"{number:06d}.h5" for number in range(len(batches))]
    missing = [
        (path, batch) for path, batch in zip(shards, batches, strict=True) if not path.exists()
    ]
    workers = request.workers if len(missing) > 1 else 1
    jobs = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(
        joblib.delayed(with_trust(write_shard))(
            path, batch, request.description, request.min_duration_s
        )
        for path, batch in missing
    )
    with progress("preparing", "clips") as bar:
        done = len(rows) - sum(len(batch) for _, batch in missing)
        task = bar.add_task("preparing", total=len(rows), completed=done)
        for count in jobs:
            bar.advance(task, count)
    if workers > 1:
        end_workers()
    return shards


def _fingerprint(
    rows: list[dict[str, str]],
    description: dict[str, Any],
    shards: list[Path],
    base: Store | None,
) -> str:
    """Return a hash of the configuration, the manifest and every byte of the features."""
    digest = hashlib.sha256(json.dumps(description["features"], sort_keys=True).encode())
    digest.update(json.dumps(description["detector"], sort_keys=True).encode())
    columns = [name for name in COLUMNS if name != "path"]  # a moved corpus is the same data
    digest.update("\n".join("\t".join(row[name] for name in columns) for row in rows).encode())
    digest.update((base.fingerprint if base else "").encode())
    for shard in shards:
        with h5py.File(shard, "r") as file:
            digest.update(file.attrs["sha256"].encode())
    return digest.hexdigest()


def _previously_skipped(
    store: Path, base: Store | None, skipped: list[dict[str, str]]
) -> list[dict[str, str]]:
    """Return the rows that the store already left out, but for those that are skipped now.

    Both are the same rows where an earlier run was killed after it had written the table.
    """
    path = beside(store, "skipped")
    if base is None or not path.exists():
        return []
    header, rows = read_table(path)
    now = {(row["source"], row["path"]) for row in skipped}
    before = [dict(zip(header, row, strict=False)) for row in rows if len(row) == len(header)]
    return [row for row in before if (row["source"], row["path"]) not in now]
