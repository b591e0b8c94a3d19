"""Mutated clips and tables through ``prepare``: each is read, or left out or refused with a reason.

python experiments/faults/fuzz.py DATA [CLIPS TABLES]

DATA holds Common Voice releases (MP3, FLAC). A batch of 20 clips, or one table, is prepared in a
process of its own, which may take 10 s; one that crashes or hangs is done again clip by clip.
"""

import csv
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import soundfile

from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, Manifest, Rows, read_table
from langid.corpora.manifest_file import ManifestFile
from langid.data.merge import beside
from langid.data.prepare import prepare
from langid.data.store import Store
from langid.errors import LangidError

LIMIT_S, BATCH = 10, 20
DESCRIPTION = {
    "content": "features",
    "features": {"_target_": "langid.signal.features.LogMel"},
    "detector": {"_target_": "langid.signal.speech_detector.EnergyDetector", "threshold_db": 12},
    "min_duration_s": 0.5,
    "max_duration_s": None,
}
READER = {"_target_": "fuzz"}
Mutation = Callable[[random.Random, bytes, bytes], bytes]


def truncated(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: draw.randrange(len(data))]


def flipped(draw: random.Random, data: bytes, most: int, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.randrange(1, count)):
        changed[draw.randrange(min(most, len(data)))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def header_bits(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return flipped(draw, data, 64, 8)


def body_bits(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return flipped(draw, data, len(data), 50)


def header_lies(draw: random.Random, data: bytes, _: bytes) -> bytes:
    """Put an odd number of two, four or eight bytes somewhere into the header."""
    size, at = draw.choice((2, 4, 8)), draw.randrange(60)
    lie = draw.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
    return data[:at] + lie + data[at + size :]


def huge_length(draw: random.Random, data: bytes, _: bytes) -> bytes:
    """Promise as much as the format can: of WAV, FLAC, Ogg, and MP3 with a count of frames."""
    changed = bytearray(data)
    if data.startswith(b"RIFF"):
        at = data.index(b"data") + 4
        changed[at : at + 4] = draw.choice((b"\xff\xff\xff\xff", b"\xfe\xff\xff\x7f"))
    elif data.startswith(b"fLaC"):
        changed[21] |= 0x0F
        changed[22:26] = b"\xff" * 4
    elif data.startswith(b"OggS"):
        at = data.rindex(b"OggS") + 6  # of the last page
        changed[at : at + 8] = b"\xff" * 7 + b"\x7f"
    else:
        at = max(data.find(b"Xing"), data.find(b"Info")) + 8
        changed[at : at + 4] = b"\x7f\xff\xff\xff"
    return bytes(changed)


def zeroed(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return over(draw, data, b"\0")


def filled(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return over(draw, data, b"\xff")


def over(draw: random.Random, data: bytes, byte: bytes) -> bytes:
    start, stop = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[:start] + byte * (stop - start) + data[stop:]


def repeated(draw: random.Random, data: bytes, _: bytes) -> bytes:
    start, stop = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[:stop] + data[start:stop] * draw.randrange(1, 4) + data[stop:]


def cut_out(draw: random.Random, data: bytes, _: bytes) -> bytes:
    start, stop = sorted(draw.randrange(len(data)) for _ in range(2))
    return data[:start] + data[stop:]


def tagged(draw: random.Random, data: bytes, _: bytes) -> bytes:
    """Put an ID3 tag in front that may be longer or shorter than it says."""
    size = bytes(draw.randrange(128) for _ in range(4)) if draw.random() < 0.5 else b"\0\0\1\0"
    return b"ID3" + draw.randbytes(3) + size + draw.randbytes(draw.randrange(400)) + data


def trailed(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return data + draw.choice((b"TAG", b"APETAGEX", b"")) + draw.randbytes(draw.randrange(1, 5000))


def joined(_: random.Random, data: bytes, other: bytes) -> bytes:
    return data + other


def beheaded(draw: random.Random, data: bytes, other: bytes) -> bytes:
    """Give it the first bytes of another format."""
    size = draw.randrange(4, 200)
    return other[:size] + data[size:]


def noise(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: draw.choice((4, 12, 64))] + draw.randbytes(draw.randrange(20000))


def renamed(_: random.Random, data: bytes, __: bytes) -> bytes:
    return data


OF_CLIPS: tuple[Mutation, ...] = (
    truncated, header_bits, body_bits, header_lies, huge_length, zeroed, filled, repeated, cut_out,
    tagged, trailed, joined, beheaded, noise, renamed,
)  # fmt: skip
ENDINGS = (".wav", ".mp3", ".flac", ".ogg", ".txt", ".h5", ".zip", ".tar.gz", ".json", "")


def header_shuffled(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return of_lines(data, lambda lines: [bytes(draw.sample(lines[0], len(lines[0]))), *lines[1:]])


def columns_swapped(draw: random.Random, data: bytes, _: bytes) -> bytes:
    mark = b"\t" if b"\t" in data else b","

    def swapped(lines: list[bytes]) -> list[bytes]:
        cells = lines[0].split(mark)
        return [mark.join(draw.sample(cells, len(cells))), *lines[1:]]

    return of_lines(data, swapped)


def of_lines(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return b"\n".join(change(data.split(b"\n")))


def line_repeated(draw: random.Random, data: bytes, _: bytes) -> bytes:
    return of_lines(data, lambda lines: [*lines, *draw.choices(lines, k=3)])


def encoded(draw: random.Random, data: bytes, _: bytes) -> bytes:
    text = data.decode().replace("a", draw.choice("éñ字"))
    return text.encode(draw.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32", "gbk")), "replace")


def inserted(draw: random.Random, data: bytes, _: bytes) -> bytes:
    """Put something odd at some places."""
    odd = draw.choice((b"\0", b'"', b"'", b"\t", b",", b"\r", b"\x1b[2J", b"\xff", b"\\ud800", b"{",
                       "\u2028".encode(), b"\xef\xbb\xbf", b"[bold]", b"../" * 9))  # fmt: skip
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data))
        data = data[:at] + odd + data[at:]
    return data


def huge_cell(draw: random.Random, data: bytes, _: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + draw.choice((b"x", b"9", b"[", b'{"a":', b"/a")) * 200_000 + data[at:]


OF_TABLES: tuple[Mutation, ...] = (
    truncated, header_bits, body_bits, header_shuffled, columns_swapped, line_repeated, encoded,
    inserted, huge_cell, zeroed, cut_out, noise,
)  # fmt: skip


def clips_of(data: Path) -> list[tuple[str, bytes]]:
    """Return a few real clips in each format, by ending: as they are, or written again."""
    mp3 = [*sorted((data / "cv-corpus-6.1-2020-12-11/en/clips").iterdir())[:3],
           *sorted((data / "cv-corpus-13.0-delta-2023-03-09/en/clips").iterdir())[:2]]  # fmt: skip
    flac = sorted((data / "cv-corpus-11.0-hi-sample/hi/clips").iterdir())[:4]
    found = [(path.suffix, path.read_bytes()) for path in (*mp3, *flac)]
    for kind, subtype in (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("OGG", "VORBIS"), ("OGG", "OPUS")):
        for path in flac[:2]:
            file = io.BytesIO()
            samples, rate = soundfile.read(path)
            soundfile.write(file, samples, rate, format=kind, subtype=subtype)
            found.append((f".{kind.lower()}", file.getvalue()))
    return found


def good_clip(data: Path) -> Path:
    """Return a clip that every batch holds, so that a store can be made of it."""
    return min((data / "cv-corpus-11.0-hi-sample/hi/clips").iterdir())


def mutated_clips(data: Path, folder: Path, count: int) -> list[dict[str, str]]:
    """Write so many mutated clips and return their rows; ``accent`` is what was done to them."""
    draw, clips, rows = random.Random(0), clips_of(data), []
    for number in range(count):
        mutation = OF_CLIPS[number % len(OF_CLIPS)]
        (ending, clip), (_, other) = draw.choice(clips), draw.choice(clips)
        ending = draw.choice(ENDINGS) if mutation is renamed else ending
        path = folder / f"{number:04d}{ending}"
        path.write_bytes(mutation(draw, clip, other))
        rows.append(row_of(f"{number:04d}", path) | {"accent": mutation.__name__})
    return rows


def row_of(name: str, path: Path) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "") | {"language": "Hindi", "corpus": "fuzz"}
    return row | {"utterance_id": name, "path": str(path)}


def outcome(work: Callable[[], str]) -> str:
    """Return what some work says in a process of its own, or how that ended."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LIMIT_S)
        limit = 16 << 30  # bytes: what would fill the memory fails
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            said = work()
        except BaseException:
            said = f"traceback: {traceback.format_exc()}"
        os.write(write, said.encode("utf-8", "backslashreplace")[:60_000])
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        told = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return "hang" if os.WTERMSIG(status) == signal.SIGALRM else f"crash {os.WTERMSIG(status)}"
    return told


def prepared(rows: list[dict[str, str]], good: Path) -> str:
    """Return for each row, as JSON, whether it was read, skipped (with the reason) or is lost."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "a.h5"
        prepare(store, Manifest(Rows([*rows, row_of("good", good)])), READER, DESCRIPTION)
        held = set(Store(store).columns["utterance_id"])
        skipped = {row[1]: row[3] for row in read_table(beside(store, "skipped"))[1]}
        ends = {
            row["utterance_id"]: "read"
            if row["utterance_id"] in held
            else f"skipped: {skipped[row['path']]}"
            if row["path"] in skipped
            else "lost"
            for row in rows
        }
        return json.dumps(ends)


def fuzz_clips(data: Path, count: int) -> tuple[dict[str, Counter[str]], float, list[str]]:
    """Return what became of mutated clips, by mutation, the slowest batch and what is wrong."""
    found: dict[str, Counter[str]] = {}
    slowest, wrong = 0.0, []
    good = good_clip(data)
    with tempfile.TemporaryDirectory() as folder:
        rows = mutated_clips(data, Path(folder), count)
        ends: dict[str, str] = {}
        for start in range(0, count, BATCH):
            batch, began = rows[start : start + BATCH], time.monotonic()
            said = outcome(lambda batch=batch: prepared(batch, good))  # type: ignore[misc]
            slowest = max(slowest, time.monotonic() - began)
            if said.startswith("{"):
                ends |= json.loads(said)
                continue
            for row in batch:
                alone = outcome(lambda row=row: prepared([row], good))  # type: ignore[misc]
                key = row["utterance_id"]
                ends |= json.loads(alone) if alone.startswith("{") else {key: alone}
        for row in rows:
            kind = ends[row["utterance_id"]].partition(":")[0]
            found.setdefault(row["accent"], Counter())[kind] += 1
            if kind not in ("read", "skipped"):
                wrong.append(f"{row['accent']} {row['path']}: {ends[row['utterance_id']]}")
    return found, slowest, wrong


FORMS = ("Common Voice", "TSV", "CSV", "JSON lines")


def table_of(form: str, rows: list[dict[str, str]]) -> bytes:
    """Return a table of real clips in a form."""
    names = ("path", "language", "speaker", "start_s")
    if form == "Common Voice":
        lines = [["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender"]]
        lines += [[row["speaker"], Path(row["path"]).name, "a", "2", "0", "", ""] for row in rows]
        return "\n".join(map("\t".join, lines)).encode() + b"\n"
    if form == "JSON lines":
        return b"".join(
            json.dumps({name: row[name] for name in names}).encode() + b"\n" for row in rows
        )
    file = io.StringIO()
    writer = csv.writer(file, delimiter="," if form == "CSV" else "\t", lineterminator="\n")
    writer.writerows([names, *([row[name] for name in names] for row in rows)])
    return file.getvalue().encode()


def read_and_prepared(reader: CommonVoice | ManifestFile, store: Path) -> str:
    """Return ``read``, or ``refused`` with the reason, of a table."""
    try:
        manifest = reader.read()
        prepare(store, manifest, READER, DESCRIPTION)
    except LangidError as error:
        lines = len(str(error).splitlines())
        return f"refused: {error}" if lines == 1 else f"{lines} lines: {error}"
    return "read"


def fuzz_tables(data: Path, count: int) -> tuple[dict[str, Counter[str]], float, list[str]]:
    """Return what became of mutated tables of four clips, by mutation, as ``fuzz_clips`` does."""
    draw, slowest, wrong = random.Random(0), 0.0, []
    found: dict[str, Counter[str]] = {}
    release = data / "cv-corpus-6.1-2020-12-11"
    rows = CommonVoice(str(release), ["en"]).read().utterances[:4]
    for number in range(count):
        form, mutation = FORMS[number % 4], OF_TABLES[number // 4 % len(OF_TABLES)]
        content = mutation(draw, table_of(form, rows), b"")
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "cv" / "en"
            place.mkdir(parents=True)
            (place / "clips").symlink_to(release / "en" / "clips")
            ending = {"CSV": ".csv", "JSON lines": ".jsonl"}.get(form, ".tsv")
            (place / f"validated{ending}").write_bytes(content)

            def work(form: str = form, place: Path = place, ending: str = ending) -> str:
                reader: CommonVoice | ManifestFile = ManifestFile(place / f"validated{ending}")
                reader = CommonVoice(str(place.parent)) if form == "Common Voice" else reader
                return read_and_prepared(reader, place / "a.h5")

            began = time.monotonic()
            said = outcome(work)
            slowest = max(slowest, time.monotonic() - began)
            kind = said.partition(":")[0]
            found.setdefault(mutation.__name__, Counter())[kind] += 1
            if kind not in ("read", "refused"):
                wrong.append(f"{mutation.__name__} of {form}, number {number}: {said}")
    return found, slowest, wrong


def main(data: str, clips: str = "2000", tables: str = "500") -> int:
    """Print the tables and what is wrong; return 1 where something is."""
    failed = []
    prepared([], good_clip(Path(data)))  # imports what all processes need
    for fuzz, count in ((fuzz_clips, int(clips)), (fuzz_tables, int(tables))):
        found, slowest, wrong = fuzz(Path(data), count)
        kinds = sorted({kind for counts in found.values() for kind in counts})
        print(f"| mutation | {' | '.join(kinds)} |")
        print("|---|" + "---|" * len(kinds))
        for name, counts in [*found.items(), ("all", sum(found.values(), Counter()))]:
            print(f"| {name} | {' | '.join(str(counts[kind]) for kind in kinds)} |")
        print(f"\nslowest: {slowest:.1f} s\n", flush=True)
        failed += wrong
    print("\n".join(failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
