"""The last step of ``prepare``: shards, behind the store that is there, to one whole store."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from langid.corpora.manifest import COLUMNS, SKIPPED_COLUMNS, line_of, read_table, write_table
from langid.data.plan import Plan, Row
from langid.data.store import SCHEMA, columns_of
from langid.data.store_writer import StoreWriter
from langid.errors import LangidError
from langid.progress import progress

COPIED_FRAMES = 1 << 13


def merge(plan: Plan, shards: list[Path]) -> None:
    """Write the store and its tables; raises LangidError where no utterance is left."""
    sources = ([plan.base.path] if plan.base else []) + shards
    frames = sum(map(_frames, sources))
    skipped = _skipped(plan, shards)
    if not frames:
        shutil.rmtree(plan.parts)  # so that a second run looks at mended files again
        raise _nothing_left(plan.store, skipped)
    with StoreWriter(plan.store, plan.content, frames) as writer:
        _copy_all(sources, writer, frames)
        write_table(skipped, SKIPPED_COLUMNS, beside(plan.store, "skipped"))
        write_table(writer.rows, COLUMNS, beside(plan.store, "manifest"))
        writer.finish(
            {
                "schema": SCHEMA,
                "description": json.dumps(plan.description, sort_keys=True),
                "fingerprint": _fingerprint(plan, shards, writer.rows),
            }
        )
    shutil.rmtree(plan.parts)


def beside(store: Path, kind: str) -> Path:
    """Return where the table of a kind (``manifest``, ``skipped``) of a store lies."""
    return store.with_name(f"{store.stem}.{kind}.tsv")


def _frames(source: Path) -> int:
    with h5py.File(source, "r") as file:
        return len(file["speech"])


def _copy_all(sources: list[Path], writer: StoreWriter, frames: int) -> None:
    """Write stores and shards one after the other, showing how far it is."""
    with progress("joining", "frames") as bar:
        task = bar.add_task("joining", total=frames)
        for source in sources:
            with h5py.File(source, "r") as file:
                for copied in _copied(file, writer):
                    bar.advance(task, copied)


def _copied(file: h5py.File, writer: StoreWriter) -> Iterator[int]:
    """Write the frames and the rows of a store or shard; yield numbers of frames as it goes on."""
    base, total, content = writer.written, len(file["speech"]), writer.content
    for start in range(0, total, COPIED_FRAMES):
        stop = min(start + COPIED_FRAMES, total)
        values = file[content.name][content.numbers(start, stop)]
        writer.write_frames(values, file["speech"][start:stop])
        yield stop - start
    if "rows" in file:
        writer.rows += json.loads(file["rows"][()])
    else:
        cells = zip(*columns_of(file).values(), strict=True)
        writer.rows += [dict(zip(COLUMNS, row, strict=True)) for row in cells]
    writer.offsets += [base + int(offset) for offset in file["offsets"][1:]]


def _fingerprint(plan: Plan, shards: list[Path], rows: list[Row]) -> str:
    """Return a hash of the configuration, the manifest and every byte of what is stored."""
    digest = hashlib.sha256()
    for name in ("features", "detector"):
        digest.update(json.dumps(plan.description[name], sort_keys=True).encode())
    # Without paths: a corpus that was moved is the same data.
    digest.update("\n".join(line_of(row, without="path") for row in rows).encode())
    digest.update((plan.base.fingerprint if plan.base else "").encode())
    for shard in shards:
        with h5py.File(shard, "r") as file:
            digest.update(file.attrs["sha256"].encode())
    return digest.hexdigest()


def _skipped(plan: Plan, shards: list[Path]) -> list[Row]:
    """Return all rows that are left out: earlier, by the plan, and by the shards.

    Those of an earlier run that was killed after it had written the table stand in it once.
    """
    skipped = list(plan.skipped)
    for shard in shards:
        with h5py.File(shard, "r") as file:
            skipped += json.loads(file["skipped"][()])
    path = beside(plan.store, "skipped")
    if plan.base is None or not path.exists():
        return skipped
    header, rows = read_table(path)
    now = {(row["source"], row["path"]) for row in skipped}
    before = [dict(zip(header, row, strict=False)) for row in rows if len(row) == len(header)]
    return [row for row in before if (row["source"], row["path"]) not in now] + skipped


def _nothing_left(store: Path, skipped: list[Row]) -> LangidError:
    table = beside(store, "skipped")
    write_table(skipped, SKIPPED_COLUMNS, table)
    return LangidError(
        f"{store}: no utterance is left; all {len(skipped)} were left out, the first"
        f" ({skipped[0]['path']}) because: {skipped[0]['reason']}; the others stand in {table}"
    )
