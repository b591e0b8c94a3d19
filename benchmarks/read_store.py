"""Frames a second that training reads from a store in random order, against plain slices of it.

The store holds random frames of 64 bins in utterances of five seconds on average. One worker of
LanguageDataModule's loader makes all batches of an epoch (128 sequences of up to 500 frames,
padded, float32): of the first, in which each utterance is held against its checksum, and of the
second, in which none is. The reference slices a numpy.memmap of the same dataset in the same order
into arrays of zeros and marks speech, and does nothing else. Frames a second of processor time
count, as other work on the machine slows down the clock's.

Then a store of 40 GB without checksums, of holes that take no room on the disk, is opened
and set up, and some of its batches are read: what the process has taken for itself by then, pages
of the file left out, tells whether a store larger than memory can be trained on
(/proc/self/smaps_rollup, of Linux).
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from scale_corpus import FRAMES, description

from langid.corpora.manifest import COLUMNS
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.store import SCHEMA, UNCHECKED, Content
from langid.data.store_writer import StoreWriter

LONG_FRAMES = (4000, 8000)
BINS, BATCH, SEQUENCE = 64, 128, 500
FRAME_BYTES = 2 * BINS + 1
SPEED_LIMIT, MEMORY_LIMIT_MB = 200_000, 500
LANGUAGES = ("English", "Hindi", "Mandarin")


def write_store(path: Path, gigabytes: float, holes: bool = False) -> None:
    """Write a store of so much; with ``holes`` its frames are zeros that are never written."""
    random = np.random.default_rng(0)
    frames = LONG_FRAMES if holes else FRAMES
    lengths = random.integers(*frames, int(gigabytes * 1e9 / FRAME_BYTES / np.mean(frames)))
    speech = np.ones(frames[1], bool)
    with StoreWriter(path, Content("features", BINS), int(lengths.sum())) as writer:
        if holes:
            writer.values[-1:] = 0  # HDF5 gives a dataset its place when it is written to
            writer.speech[:] = True
        for number, length in enumerate(lengths.tolist()):
            if holes:
                writer.written += length
            else:
                values = random.standard_normal((length, BINS), np.float32)
                writer.write_frames(values, speech[:length])
            row = {"utterance_id": f"random/{number}", "speaker": f"{number // 6}"}
            row |= {"language": LANGUAGES[number % 3], "corpus": "random"}
            writer.end_utterance(dict.fromkeys(COLUMNS, "") | row)
        facts = {"corpora": [], "sample_rate": 16000, "hop_samples": 160, "bins": BINS}
        text = json.dumps(description() | facts | {"context_frames": 2})
        schema = UNCHECKED if holes else SCHEMA
        writer.finish({"schema": schema, "description": text, "fingerprint": "random"})


def data_of(path: Path) -> LanguageDataModule:
    return LanguageDataModule(path, SpeakerSplit(), "mask", SEQUENCE, BATCH)


def speed(batches: Iterable[int]) -> tuple[float, float]:
    """Return frames a second of wall and of processor time, of batches told by their frames."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    frames = sum(batches)
    return frames / (time.perf_counter() - wall_s), frames / (time.process_time() - cpu_s)


def by_loader(data: LanguageDataModule, epoch: int) -> Iterator[int]:
    """Yield the frames of the batches of training, padding not counted."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    for batch in loader:
        yield int(batch.lengths.sum())


def by_slices(path: Path, data: LanguageDataModule) -> Iterator[int]:
    """Yield the frames of the same batches, made of slices of arrays on the file's pages."""
    with h5py.File(path) as file:
        values, speech = (
            np.memmap(path, each.dtype, "r", each.id.get_offset(), each.shape)
            for each in (file["features"], file["speech"])
        )
    start, stop = (data.taught[name].to_numpy() for name in ("start", "stop"))
    order = np.array(list(data.train_dataloader().sampler))  # type: ignore[arg-type]
    for first in range(0, len(order), BATCH):
        chosen = order[first : first + BATCH]
        longest = int((stop - start)[chosen].max())
        batch = np.zeros((len(chosen), longest, BINS), np.float32)
        marks = np.zeros((len(chosen), longest), bool)
        for row, index in enumerate(chosen):
            count = stop[index] - start[index]
            batch[row, :count] = values[start[index] : stop[index]]
            marks[row, :count] = speech[start[index] : stop[index]]
        yield int((stop - start)[chosen].sum())


def own_mb() -> float:
    """Return the memory that this process has for itself, pages of files left out, in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1e3


Speeds = list[tuple[float, float]]


def measure(folder: Path, gigabytes: float, large_gb: float, batches: int) -> tuple[Speeds, float]:
    """Return the speed of both epochs and of slices, and the MB taken by the large store."""
    path, large = folder / "random.h5", folder / "large.h5"
    write_store(path, gigabytes)
    data = data_of(path)
    speeds = [speed(by_loader(data, 0)), speed(by_loader(data, 1)), speed(by_slices(path, data))]
    write_store(large, large_gb, holes=True)
    before = own_mb()
    data = data_of(large)
    speed(islice(by_loader(data, 0), batches))
    return speeds, own_mb() - before


def figures(first: float, second: float, taken_mb: float) -> list[Figure]:
    """Return the figures, of frames a second of both epochs and the memory of the large store."""
    return [
        Figure("frames a second, first epoch", first, SPEED_LIMIT, at_least=True),
        Figure("second epoch", second, SPEED_LIMIT, at_least=True),
        Figure("memory taken by a store that is larger", taken_mb, MEMORY_LIMIT_MB, " MB"),
    ]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, gigabytes=0.05, large_gb=0.5, batches=2)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the store (2)")
    parser.add_argument("--large-gb", type=float, default=40.0, help="size of the large one (40)")
    parser.add_argument("--batches", type=int, default=300, help="that are read of it (300)")
    options = parser.options()
    with tempfile.TemporaryDirectory() as folder:
        sizes = options.gigabytes, options.large_gb, options.batches
        speeds, taken_mb = measure(Path(folder), *sizes)
    names = ("first epoch, with checksums", "second epoch", "slices of numpy.memmap")
    rows = [
        [name, *(f"{rate:,.0f}" for rate in both)] for name, both in zip(names, speeds, strict=True)
    ]
    title = f"{options.gigabytes:g} GB, {BATCH} x {SEQUENCE} frames of {BINS} bins; {machine()}"
    print_table(title, [["", "frames a second", "of processor time"], *rows])
    print(f"a store of {options.large_gb:g} GB, of which {options.batches} batches were read:"
          f" {taken_mb:.0f} MB")  # fmt: skip
    return verdict(figures(speeds[0][1], speeds[1][1], taken_mb), options.quick)


if __name__ == "__main__":
    sys.exit(main())
