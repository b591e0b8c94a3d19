"""The last step of ``prepare``: shards, behind the store that is there, to one whole store."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from langid.corpora.manifest import (
    COLUMNS,
    SKIPPED_COLUMNS,
    Row,
    Rows,
    hash_rows,
    read_table,
    write_table,
)
from langid.data.checksums import damaged
from langid.data.plan import Plan
from langid.data.store import SCHEMA, Store
from langid.data.store_writer import StoreWriter
from langid.data.text_columns import columns_of
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
        _copy_all(plan, sources, writer, frames)
        write_table(skipped, SKIPPED_COLUMNS, beside(plan.store, "skipped"))
        write_table(writer.rows, COLUMNS, beside(plan.store, "manifest"))
        writer.finish(
            {
                "schema": SCHEMA,
                "description": json.dumps(plan.description, sort_keys=True),
                "fingerprint": _fingerprint(plan, shards, writer.rows),
                "upsampled": str(sum(map(_upsampled, sources))),
            }
        )
    shutil.rmtree(plan.parts)


def beside(store: Path, kind: str) -> Path:
    """Return where the table of a kind (``manifest``, ``skipped``) of a store lies."""
    return store.with_name(f"{store.stem}.{kind}.tsv")


def _frames(source: Path) -> int:
    try:
        with h5py.File(source, "r") as file:
            return len(file["speech"])
    except (OSError, KeyError) as error:  # a shard: the store was read before
        raise _damaged_shard(source) from error


def _upsampled(source: Path) -> int:
    with h5py.File(source, "r") as file:
        return int(file.attrs.get("upsampled", 0))  # an earlier version did not tell


def _copy_all(plan: Plan, sources: list[Path], writer: StoreWriter, frames: int) -> None:
    """Write stores and shards one after the other, showing how far it is."""
    with progress("joining", "frames") as bar:
        task = bar.add_task("joining", total=frames)
        for source in sources:
            with h5py.File(source, "r") as file:
                for copied in _copied(plan, source, file, writer):
                    bar.advance(task, copied)


def _copied(plan: Plan, source: Path, file: h5py.File, writer: StoreWriter) -> Iterator[int]:
    """Write the frames and the rows of a store or shard; yield numbers of frames as it goes on.

    Raises LangidError where they are not what was written there.
    """
    rows, offsets, content = _rows(file), file["offsets"][:], writer.content
    total, first, row = len(file["speech"]), len(writer.rows), 0
    earlier = plan.base.read_from.tolist() if plan.base and source == plan.base.path else None
    for start in range(0, total, COPIED_FRAMES):
        stop = min(start + COPIED_FRAMES, total)
        values = file[content.name][content.numbers(start, stop)]
        speech = file["speech"][start:stop]
        while start < stop:
            end = min(int(offsets[row + 1]), stop)
            begin = len(speech) - (stop - start)
            part = (begin, begin + end - start)
            writer.write_frames(values[content.numbers(*part)], speech[slice(*part)])
            if end == offsets[row + 1]:
                writer.end_utterance(next(rows), earlier[row] if earlier else plan.corpus)
                row += 1
            yield end - start
            start = end
    held = file["checksums"][:].tolist() if "checksums" in file else None
    if held is not None and held != writer.checksums[first:]:
        if "rows" in file:
            raise _damaged_shard(source)
        store = Store(source)
        raise damaged(store, store.damaged_rows())


def _rows(file: h5py.File) -> Iterator[Row]:
    if "rows" in file:
        yield from json.loads(file["rows"][()])
        return
    for cells in zip(*columns_of(file).values(), strict=True):
        yield dict(zip(COLUMNS, cells, strict=True))


def _damaged_shard(shard: Path) -> LangidError:
    shard.unlink()
    return LangidError(
        f"{shard}: is not what was written to it, and is deleted; run the same command again,"
        " which makes it anew, and look at the disk that it lies on"
    )


def _fingerprint(plan: Plan, shards: list[Path], rows: Rows) -> str:
    """Return a hash of the configuration, the manifest and every byte of what is stored."""
    digest = hashlib.sha256()
    for name in ("features", "detector"):
        digest.update(json.dumps(plan.description[name], sort_keys=True).encode())
    # Without paths: a corpus that was moved is the same data.
    hash_rows(digest, rows, without="path")
    digest.update((plan.base.fingerprint if plan.base else "").encode())
    for shard in shards:
        with h5py.File(shard, "r") as file:
            digest.update(file.attrs["sha256"].encode())
    return digest.hexdigest()


def _skipped(plan: Plan, shards: list[Path]) -> list[Row]:
    """Return all rows that are left out: earlier, by the plan, and by the shards.

    Those of an earlier run that was killed after it had written the table stand in it once, and
    those that are looked at anew stand in it only where they are left out again.
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
    now |= {(row["corpus"], row["path"]) for row in plan.rows}
    before = [dict(zip(header, row, strict=False)) for row in rows if len(row) == len(header)]
    return [row for row in before if (row["source"], row["path"]) not in now] + skipped


def _nothing_left(store: Path, skipped: list[Row]) -> LangidError:
    table = beside(store, "skipped")
    write_table(skipped, SKIPPED_COLUMNS, table)
    return LangidError(
        f"{store}: no utterance is left; all {len(skipped)} were left out, the first"
        f" ({skipped[0]['path']}) because: {skipped[0]['reason']}; the others stand in {table}"
    )
