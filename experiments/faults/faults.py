"""What ``langid prepare`` loses where something dies, fills up or changes; it should be nothing.

python experiments/faults/faults.py RELEASE [FAULT ...]

RELEASE is a Common Voice release with en, hi and zh-CN. Every round does a fault to ``langid
prepare`` in a process of its own, on 60 clips with two workers, types the same line again, and
compares the store with one that was made undisturbed. Moments are random, by a seed.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, read_table, write_table
from langid.data.merge import beside
from langid.data.store import Store

LOCALES, CLIPS, SHARD = ("en", "hi", "zh-CN"), 20, 6  # of each, and to a shard: ten shards
SHARDS = len(LOCALES) * CLIPS // SHARD
LIMIT_S, BEHIND_S = 300.0, 3.0
COMMAND = (  # the command with smaller shards, so that there are moments between them
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "import langid.data.shard as shard; from langid.commands.main import main;"
    f"shard.SHARD_UTTERANCES = {SHARD}; sys.argv[0] = 'langid'; sys.exit(main())"
)
# A clock that goes a year back or ahead each time that it is looked at, in every process.
JUMPING = """
import random, time
now, jump = time.time, random.Random(0)
time.time = lambda: now() + jump.uniform(-1, 1) * 3e7
"""
TINY = ("experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
        "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu")  # fmt: skip
Tables = tuple[list[str], dict[tuple[str, ...], str]]


class Round(NamedTuple):
    """What a round has found: utterances lost and wrong, what was left behind, what was said."""

    lost: int
    wrong: int
    behind: int
    said: str


class Bench:
    """A folder with the clips of a release, their table, and an undisturbed store of them."""

    def __init__(self, folder: Path, release: str):
        self.folder, self.random = folder, random.Random(0)
        rows = CommonVoice(release, LOCALES).read().utterances
        self.rows = [row for start in range(0, len(rows), 100) for row in rows[start:][:CLIPS]]
        self.table = folder / "clips.tsv"
        write_table(self.rows, COLUMNS, self.table)
        self.whole = self.place()
        self.again(self.whole)

    def place(self) -> Path:
        """Return a store's path in a new folder."""
        return Path(tempfile.mkdtemp(dir=self.folder)) / "a.h5"

    def start(self, store: Path, *more: str, **options: Any) -> "subprocess.Popen[str]":
        """Start ``langid prepare``; what it says as an error goes to a file beside the store."""
        table = options.pop("table", self.table)
        line = ["prepare", "corpus=manifest", f"corpus.path={table}", f"store={store}", "workers=2"]
        return self.langid(store, *line, *more, **options)

    def langid(self, store: Path, *line: str, **options: Any) -> "subprocess.Popen[str]":
        with said_of(store).open("a") as said:
            command = [sys.executable, "-c", COMMAND, *line]
            options |= {"stdout": subprocess.DEVNULL, "stderr": said, "text": True}
            return subprocess.Popen(command, start_new_session=True, **options)

    def again(self, store: Path, *more: str, **options: Any) -> None:
        """Prepare, which has to succeed."""
        process = self.start(store, *more, **options)
        if process.wait(LIMIT_S):
            raise SystemExit(f"{store}: {said_of(store).read_text()}")

    def met(self, store: Path, fault: Callable[[int], object], **options: Any) -> tuple[int, int]:
        """Prepare and do a fault to the process at a random moment; return code and leftovers.

        Those are processes of it that are there yet when it has ended, seconds later.
        """
        while True:
            process = self.start(store, **options)
            number = self.random.randrange(-1, SHARDS + 1)
            if number < 0:  # while libraries are imported and the corpus is read
                time.sleep(self.random.uniform(0, 3))
            while process.poll() is None and len(shards_of(store)) < number:
                time.sleep(0.01)
            time.sleep(self.random.uniform(0, 0.2))
            family = children(process.pid)
            if process.poll() is None and fault(process.pid) is not False:
                code = process.wait(LIMIT_S)
                until = time.monotonic() + BEHIND_S
                while time.monotonic() < until and any(map(alive, family)):
                    time.sleep(0.05)
                return code, sum(map(alive, family))
            process.wait(LIMIT_S)  # too late: this is no round
            shutil.rmtree(store.parent)
            store.parent.mkdir()

    def judged(self, store: Path, behind: int = 0, expected: Path | None = None) -> Round:
        """Return what differs from an undisturbed store, and what lies beside it."""
        lost, wrong = differing(store, expected or self.whole)
        ours = {store, said_of(store), beside(store, "manifest"), beside(store, "skipped")}
        left = [path for path in store.parent.iterdir() if path not in ours]
        return Round(lost, wrong, behind + len(left), told_of(store))


def said_of(store: Path) -> Path:
    """Return where stands what the commands on a store have said."""
    return store.with_name("said")


def shards_of(store: Path) -> list[Path]:
    """Return the shards that are whole."""
    return list(store.parent.glob(f"{store.name}.parts/*/??????.h5"))


def children(process: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        own = [int(word) for task in tasks for word in task.read_text().split()]
        return own + [other for child in own for other in children(child)]
    return []


def alive(process: int) -> bool:
    """Return whether a process is there, and has not ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def differing(store: Path, expected: Path) -> tuple[int, int]:
    """Return how many utterances a store lacks, and how many it has otherwise or should not."""
    found, right = (_contents(path) for path in (store, expected))
    lost = sum(key not in found for key in right)
    wrong = sum(right.get(key) != content for key, content in found.items())
    same = all(
        read_table(beside(store, kind)) == read_table(beside(expected, kind))
        for kind in ("manifest", "skipped")
    )
    if not lost and not wrong and (not same or store.read_bytes() != expected.read_bytes()):
        raise SystemExit(f"{store}: the same utterances, but another file or table")
    return lost, wrong


def _contents(path: Path) -> dict[str, tuple[Any, ...]]:
    store, contents = Store(path), {}
    for number, key in enumerate(store.columns["utterance_id"]):
        values, speech = store.read(*store.offsets[number : number + 2])
        cells = tuple(column[number] for column in store.columns.values())
        contents[key] = (cells, values.tobytes(), speech.tobytes())
    return contents


def worker_killed(bench: Bench) -> Round:
    """Kill -9 of one of the processes that decode."""

    def fault(process: int) -> bool:
        found = [child for child in children(process) if is_worker(child)]
        if found:
            os.kill(bench.random.choice(found), signal.SIGKILL)
        return bool(found)

    return after(bench, fault)


def is_worker(process: int) -> bool:
    with contextlib.suppress(OSError):
        return b"popen_loky" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def parent_killed(bench: Bench) -> Round:
    """Kill -9 of the process that was started."""
    return after(bench, lambda process: os.kill(process, signal.SIGKILL))


def interrupted(bench: Bench) -> Round:
    """Ctrl-C, which a terminal sends to all processes."""
    return after(bench, lambda process: os.killpg(process, signal.SIGINT))


def after(bench: Bench, fault: Callable[[int], object]) -> Round:
    store = bench.place()
    _, behind = bench.met(store, fault)
    told = told_of(store)
    bench.again(store)
    return bench.judged(store, behind)._replace(said=told)


def told_of(store: Path) -> str:
    text = said_of(store).read_text()
    lines = [line for line in text.splitlines() if line.startswith("langid: ")]
    told = "a traceback" if "Traceback" in text else "".join(lines[-1:]).removeprefix("langid: ")
    return told.replace(str(store), "STORE") or "nothing"


def disk_full(bench: Bench) -> Round:
    """A disk that is full at a random size, and gets room afterwards."""
    size = bench.whole.stat().st_size
    with mounted(bench, f"size={int(size * bench.random.uniform(0.1, 1.9))}") as folder:
        store = folder / "a.h5"
        code = bench.start(store).wait(LIMIT_S)
        told = f"exit {code}: {told_of(store)}"
        subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
        bench.again(store)
        return bench.judged(store)._replace(said=told.replace(str(folder), "DISK"))


@contextlib.contextmanager
def mounted(bench: Bench, options: str) -> Iterator[Path]:
    folder = bench.place().parent
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # trackers of joblib end late


def clip_removed(bench: Bench) -> Round:
    """A clip that is gone between planning and reading."""
    return clip_changed(bench, lambda path, _: path.unlink())


def clip_replaced(bench: Bench) -> Round:
    """A clip in whose place there is another between planning and reading."""
    return clip_changed(bench, lambda path, other: shutil.copy(other, path))


def clip_changed(bench: Bench, change: Callable[[Path, Path], object]) -> Round:
    """Expected is the store of the clips as they are when they are read."""
    store = bench.place()
    clips, table = store.parent / "clips", store.parent / "clips" / "clips.tsv"
    clips.mkdir()
    rows = [row | {"path": shutil.copy(row["path"], clips)} for row in bench.rows]
    write_table(rows, COLUMNS, table)
    process = bench.start(store, table=table)
    while not shards_of(store):
        time.sleep(0.01)
    number = bench.random.randrange(len(rows) - 2 * SHARD, len(rows))  # not yet read
    change(Path(rows[number]["path"]), Path(rows[0]["path"]))
    process.wait(LIMIT_S)
    expected = bench.place()
    bench.again(expected, table=table)
    _, skipped = read_table(beside(store, "skipped"))
    told = f"skipped: {skipped[0][3]}" if skipped else ""
    shutil.move(clips, bench.place().parent)
    return bench.judged(store, expected=expected)._replace(said=told)


def read_by_eight(bench: Bench) -> Round:
    """A store on a disk for reading only, read through by eight processes at once."""
    with mounted(bench, "size=1g") as folder:
        for path in bench.whole.parent.iterdir():
            shutil.copy(path, folder)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        line, elsewhere = ("verify", f"store={folder / 'a.h5'}"), bench.place()
        readers = [bench.langid(elsewhere, *line) for _ in range(8)]
        codes = [reader.wait(LIMIT_S) for reader in readers]
        return bench.judged(folder / "a.h5", sum(map(bool, codes)))._replace(said=f"exits {codes}")


def two_at_once(bench: Bench) -> Round:
    """The same line in two terminals."""
    store = bench.place()
    first = bench.start(store)
    time.sleep(bench.random.uniform(0, 6))
    second = bench.start(store)
    codes = sorted(process.wait(LIMIT_S) for process in (first, second))
    return bench.judged(store, int(codes not in ([0, 0], [0, 2])))._replace(said=f"exits {codes}")


def clock(bench: Bench) -> Round:
    """A clock that jumps by up to a year at every look, and files of the past and the future."""
    store, patches = bench.place(), bench.place().parent
    (patches / "sitecustomize.py").write_text(JUMPING)
    variables = os.environ | {"PYTHONPATH": f"{patches}:{os.environ.get('PYTHONPATH', '')}"}
    _, behind = bench.met(store, lambda process: os.kill(process, signal.SIGKILL), env=variables)
    for number, path in enumerate(sorted(store.parent.rglob("*"))):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))  # 1970 and 2096
    bench.again(store, env=variables)
    return bench.judged(store, behind)


def moved(bench: Bench) -> Round:
    """A store that is moved to another folder, trained on there, and added to."""
    store = bench.place()
    bench.again(store)
    place = store.parent.rename(bench.folder / "another place") / "a.h5"
    lost = bench.judged(place)
    training = ["train", *TINY, f"store={place}", f"output={bench.place().parent}/run"]
    code = bench.langid(place, *training).wait(LIMIT_S)
    more = bench.place().parent / "more.tsv"
    added = [row | {"utterance_id": f"more/{i}"} for i, row in enumerate(bench.rows[:5])]
    write_table(added, COLUMNS, more)
    expected = bench.place()
    for path in (bench.whole, beside(bench.whole, "skipped"), beside(bench.whole, "manifest")):
        shutil.copy(path, expected.parent)
    for path in (place, expected):
        bench.again(path, "add=true", table=more)
    found = bench.judged(place, lost.behind, expected)
    return found._replace(said=f"training exits {code}; {len(Store(place).offsets) - 1} utterances")


FAULTS = {
    "kill -9 of a worker": (worker_killed, 20),
    "kill -9 of the command": (parent_killed, 20),
    "Ctrl-C": (interrupted, 5),
    "disk full": (disk_full, 5),
    "a clip removed before it is read": (clip_removed, 3),
    "a clip replaced before it is read": (clip_replaced, 3),
    "a read-only store, eight readers": (read_by_eight, 1),
    "the same line twice at once": (two_at_once, 4),
    "a clock that jumps, then kill -9": (clock, 4),
    "a store moved, trained on, added to": (moved, 1),
}


def main(release: str, *chosen: str) -> None:
    """Print the table, a line at a time."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), release)
        print("| fault | rounds | utterances lost | wrong | left behind | what was said |")
        print("|---|---|---|---|---|---|")
        for name, (fault, count) in FAULTS.items():
            if chosen and fault.__name__ not in chosen:
                continue
            found = [fault(bench) for _ in range(count)]
            lost, wrong, behind = (sum(each[i] for each in found) for i in range(3))
            said = "; ".join(sorted({each.said for each in found}))
            print(f"| {name} | {count} | {lost} | {wrong} | {behind} | {said} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
