"""Prepare on real clips: killed, resumed, added to, refused, and short of disk or memory."""

import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import soundfile
import torch
from forked import Forked

from langid.audio.decode import read_audio, read_blocks
from langid.audio.full_scale import in_16_bits
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS, Manifest, Rows, read_table
from langid.corpora.manifest_file import ManifestFile
from langid.data import clip_frames, merge, shard
from langid.data import prepare as preparing
from langid.data.merge import beside
from langid.data.store import Store
from langid.data.text_columns import columns_of
from langid.errors import LangidError
from langid.signal.clip_features import Spectrogram
from langid.signal.front_end import build_front_end

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make nine shards of 36 clips."""
    monkeypatch.setattr(shard, "SHARD_UTTERANCES", 4)


def prepared(
    rows: list[dict[str, str]], path: Path, reader: str = "one", add: bool = False, **more: Any
) -> Store:
    """Prepare a store of LogMel, or of what ``more`` says."""
    description = {
        "content": "features",
        "features": {"_target_": f"langid.signal.{more.pop('features', 'features.LogMel')}"},
        "detector": {
            "_target_": "langid.signal.speech_detector.EnergyDetector",
            "threshold_db": 12,
        },
        "min_duration_s": 0.5,
        "max_duration_s": None,
    }
    manifest, corpus = Manifest(Rows(rows)), {"_target_": "reader", "root": reader}
    return preparing.prepare(path, manifest, corpus, description | more, add=add)


def contents(path: Path) -> tuple[str, bytes, bytes, list[Any]]:
    """Return fingerprint, features, speech and the manifest's cells of a store."""
    with h5py.File(path) as file:
        cells = [cells.tolist() for cells in columns_of(file).values()]
        speech = file["speech"][:].tobytes()
        return str(file.attrs["fingerprint"]), file["features"][:].tobytes(), speech, cells


def skipped(path: Path) -> dict[str, str]:
    """Return the reason for each file name in the table beside a store."""
    header, rows = read_table(beside(path, "skipped"))
    assert header == ["source", "path", "language", "reason"]
    assert len({tuple(row) for row in rows}) == len(rows)
    return {Path(row[1]).name: row[3] for row in rows}


def in_child(work: Callable[[], object]) -> int:
    """Run some work in a forked process; return its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status := os.waitpid(child, 0)[1]) else status


def kill_at(owner: Any, name: str, call: int) -> None:
    """Make this process die by SIGKILL at a call of a function."""
    function, calls = getattr(owner, name), 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)

    setattr(owner, name, counted)


@pytest.fixture(scope="module")
def whole(real_rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of the real clips that was made without interruption."""
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD_UTTERANCES", 4)
        prepared(real_rows, path)
    return path


def test_what_lies_beside_the_store(whole: Path, real_rows: list[dict[str, str]]) -> None:
    names = {child.name for child in whole.parent.iterdir()}
    assert names == {"a.h5", "a.manifest.tsv", "a.skipped.tsv"}
    header, rows = read_table(beside(whole, "manifest"))
    assert header == list(COLUMNS)
    ids = [row["utterance_id"] for row in real_rows]
    assert [row[0] for row in rows] == ids
    durations = [float(row[header.index("duration_s")]) for row in rows]
    assert all(0.5 < duration < 15 for duration in durations)
    assert skipped(whole) == {}


@pytest.mark.parametrize(
    ("owner", "name", "call", "finished"),
    [
        (shard, "_write_utterance", 15, 3),  # in the middle of the fourth shard
        (merge, "_copied", 5, 9),  # in the middle of the joining
        (os, "replace", 12, 9),  # between the tables and the store
    ],
)
def test_killed_and_resumed_gives_the_same_bytes(
    whole: Path,
    real_rows: list[dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
    finished: int,
) -> None:
    path = tmp_path / "a.h5"

    def killed() -> None:
        kill_at(owner, name, call)
        prepared(real_rows, path)

    assert in_child(killed) == -signal.SIGKILL
    assert not path.exists()
    shards = sorted(path.with_name("a.h5.parts").glob("*/??????.h5"))
    assert len(shards) == finished
    before = {shard: shard.stat().st_mtime_ns for shard in shards}
    computed: list[Path] = []

    def counted(place: Path, *arguments: Any) -> int:
        computed.append(place)
        assert place not in before
        return write_shard(place, *arguments)

    write_shard = shard.write_shard
    monkeypatch.setattr(shard, "write_shard", counted)
    prepared(real_rows, path)
    assert len(computed) == 9 - finished
    assert contents(path) == contents(whole)
    assert {child.name for child in tmp_path.iterdir()} == {
        "a.h5", "a.manifest.tsv", "a.skipped.tsv",
    }  # fmt: skip


def hindi(data_root: Path, store: Path, workers: int) -> list[str]:
    """Return the line that prepares 100 clips, two shards."""
    root = data_root / "cv-corpus-6.1-2020-12-11"
    return ["prepare", "corpus=common_voice", f"corpus.root={root}", "corpus.locales=hi",
            f"store={store}", f"workers={workers}"]  # fmt: skip


def processes_that_decode(command: int) -> list[int]:
    """Return the processes that joblib has started for a command."""
    tasks = Path(f"/proc/{command}/task").glob("*/children")
    found = [int(word) for task in tasks for word in task.read_text().split()]
    return [one for one in found if "popen_loky" in Path(f"/proc/{one}/cmdline").read_text()]


def soon(condition: Callable[[], object], seconds: float = 240) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return bool(condition())


linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")


@linux
def test_the_command_killed_from_outside_on_two_processes(data_root: Path, tmp_path: Path) -> None:
    with Forked(["-m", "langid", *hindi(data_root, tmp_path / "a.h5", 2)]) as process:
        assert soon(lambda: list(tmp_path.glob("a.h5.parts/*/??????.h5")))
        workers = processes_that_decode(process.pid)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert len(workers) == 2
    assert soon(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    assert not (tmp_path / "a.h5").exists()
    assert list(tmp_path.glob("a.h5.parts/*/??????.h5"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD_UTTERANCES", 64)
        assert main(hindi(data_root, tmp_path / "a.h5", 1)) == 0
        assert main(hindi(data_root, tmp_path / "b.h5", 1)) == 0
    assert contents(tmp_path / "a.h5") == contents(tmp_path / "b.h5")
    assert len(Store(tmp_path / "a.h5").utterances) == 100


@linux
def test_a_process_that_is_killed_ends_the_command_with_one_line(
    data_root: Path, tmp_path: Path
) -> None:
    with Forked(["-m", "langid", *hindi(data_root, tmp_path / "a.h5", 2)]) as process:
        assert soon(lambda: len(processes_that_decode(process.pid)) == 2)
        os.kill(processes_that_decode(process.pid)[1], signal.SIGKILL)
        _, said = process.communicate()
    assert process.returncode == 2
    assert said.startswith("langid: a process was ended from outside") and said.count("\n") == 1
    assert said.endswith(
        "; the same line goes on where it was; where memory is short, take fewer, workers=1\n"
    )
    assert not (tmp_path / "a.h5").exists()


def bad_files(folder: Path) -> dict[str, str]:
    """Write files that cannot be used; return what the reason of each must say."""
    rate = 16000
    noise = np.random.default_rng(0).normal(size=rate)
    soundfile.write(folder / "nan.wav", np.where(noise > 3, np.nan, noise), rate, subtype="FLOAT")
    soundfile.write(folder / "huge.wav", noise * 1e30, rate, subtype="FLOAT")
    soundfile.write(folder / "short.wav", 0.1 * noise[:4800], rate)
    soundfile.write(folder / "zeros.wav", np.zeros(rate), rate)
    soundfile.write(folder / "hum.wav", 0.005 * np.sign(noise), rate)
    soundfile.write(folder / "header.wav", np.zeros(0), rate)
    (folder / "empty.mp3").touch()
    (folder / "text.wav").write_text("This is not speech.\n" * 99)
    (folder / "samples.raw").write_bytes(bytes(9999))
    return {
        "nan.wav": "not finite",
        "huge.wav": "samples reach",
        "short.wav": "too short (0.30 s; min_duration_s=0.5)",
        "zeros.wav": "silent (no sample above -60 dB",
        "hum.wav": "silent (the detector finds no speech)",
        "header.wav": "holds no samples",
        "empty.mp3": "the file is empty (0 bytes)",
        "text.wav": "cannot be decoded (it is text, not audio)",
        "samples.raw": "cannot be decoded",
        "absent.mp3": "no such file",
    }


def rows_of(folder: Path, names: list[str]) -> list[dict[str, str]]:
    row = dict.fromkeys(COLUMNS, "") | {"language": "Hindi", "corpus": "bad"}
    return [row | {"utterance_id": name, "path": str(folder / name)} for name in names]


def test_files_that_cannot_be_used_never_reach_the_store(
    real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    expected = bad_files(tmp_path)
    stereo = np.stack([soundfile.read(real_rows[0]["path"])[0]] * 2, axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 8000)
    names = list(expected)
    rows = [*rows_of(tmp_path, names[:5]), *real_rows[:3], *rows_of(tmp_path, names[5:])]
    rows += rows_of(tmp_path, ["stereo.wav"])
    path = tmp_path / "a.h5"
    made = prepared(rows, path, features="features.MFCC")
    good = [row["utterance_id"] for row in real_rows[:3]]
    assert list(made.utterances["utterance_id"]) == [*good, "stereo.wav"]
    assert np.isfinite(made.read(0, int(made.utterances["frames"].sum()))[0]).all()
    reasons = skipped(path)
    assert set(reasons) == set(expected)
    for name, reason in expected.items():
        assert reason in reasons[name], name
        assert str(tmp_path) not in reasons[name]
    only = prepared(real_rows[:3], tmp_path / "b.h5", features="features.MFCC")
    stop = int(only.utterances["frames"].sum())
    assert np.array_equal(made.read(0, stop)[0], only.read(0, stop)[0])


def test_clips_that_change_between_planning_and_reading_are_read_as_they_are_then(
    real_rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row | {"path": shutil.copy(row["path"], tmp_path)} for row in real_rows]
    removed, replaced = (Path(rows[number]["path"]) for number in (5, 20))
    write = preparing.write_shards

    def changed(plan: Any) -> list[Path]:
        removed.unlink()
        shutil.copy(rows[0]["path"], replaced)
        return write(plan)

    monkeypatch.setattr(preparing, "write_shards", changed)
    prepared(rows, tmp_path / "a.h5")
    assert skipped(tmp_path / "a.h5") == {removed.name: "no such file"}
    monkeypatch.setattr(preparing, "write_shards", write)
    prepared(rows, tmp_path / "b.h5")
    assert contents(tmp_path / "a.h5") == contents(tmp_path / "b.h5")


def test_a_store_that_was_moved_is_added_to(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    other = [row | {"utterance_id": f"x/{i}", "corpus": "x"} for i, row in enumerate(real_rows[:3])]
    (tmp_path / "elsewhere").mkdir()
    paths = tmp_path / "a.h5", tmp_path / "elsewhere" / "b.h5"
    for path in paths:
        for kind in ("manifest", "skipped"):
            shutil.copy(beside(whole, kind), beside(path, kind))
        shutil.copy(whole, path)
        prepared(other, path, reader="two", add=True)
    assert len(Store(paths[1]).columns["path"]) == len(real_rows) + 3
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_where_all_are_bad_no_store_is_made_and_mended_files_are_looked_at(
    real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    rows = rows_of(tmp_path, ["a.mp3", "b.mp3"])
    (tmp_path / "a.mp3").write_text("no")
    path = tmp_path / "s.h5"
    with pytest.raises(LangidError, match=r"all 2 were left out, the first .*a.mp3.*decoded"):
        prepared(rows, path)
    assert {child.name for child in tmp_path.iterdir()} == {"a.mp3", "s.skipped.tsv"}
    assert skipped(path)["b.mp3"] == "no such file"
    shutil.copy(real_rows[0]["path"], tmp_path / "a.mp3")
    assert list(prepared(rows, path).utterances["utterance_id"]) == ["a.mp3"]


def test_odd_file_names_reach_the_store_and_its_manifest_reads_back(
    real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "speech" / "hi"
    folder.mkdir(parents=True)
    names = ["two\nlines.mp3", "tab\t\r.mp3", "\x85\u2028.mp3", r"$'back\n'.mp3", "'quoted\".mp3"]
    for name, row in zip(names, real_rows, strict=False):
        shutil.copy(row["path"], folder / name)
    (folder / "bad\nname.mp3").write_text("no sound")
    shutil.copy(real_rows[0]["path"], folder / os.fsdecode(b"caf\xe9.mp3"))
    stores = tmp_path / "a.h5", tmp_path / "b.h5"
    arguments = ["prepare", "corpus=folders", f"corpus.root={folder.parent}"]
    assert main([*arguments, f"store={stores[0]}", "workers=1"]) == 0
    rows = Store(stores[0]).utterances[list(COLUMNS)].to_dict("records")
    assert {Path(row["path"]).name for row in rows} == set(names)
    assert set(skipped(stores[0])) == {"bad\nname.mp3", "caf\ufffd.mp3"}
    again = ManifestFile(beside(stores[0], "manifest")).read().utterances
    assert again == [row | {"duration_s": ""} for row in rows]
    path = f"corpus.path={beside(stores[0], 'manifest')}"
    assert main(["prepare", "corpus=manifest", path, f"store={stores[1]}", "workers=1"]) == 0
    assert contents(stores[1])[1:] == contents(stores[0])[1:]  # shards are cut elsewhere


def test_rows_that_a_store_cannot_hold_are_left_out_before_any_work(
    real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    table = tmp_path / "hand.tsv"
    rows = [(row["utterance_id"], row["path"], "Hindi") for row in real_rows[:3]]
    rows[1] = (*rows[1][:2], "Hin\0di")
    table.write_text("\n".join(map("\t".join, [("utterance_id", "path", "language"), *rows])))
    arguments = ["prepare", "corpus=manifest", f"corpus.path={table}", f"store={tmp_path}/a.h5"]
    assert main([*arguments, "workers=1"]) == 0
    assert len(Store(tmp_path / "a.h5").utterances) == 2
    [row] = read_table(beside(tmp_path / "a.h5", "skipped"))[1]
    assert row == [
        f"{table}:3",
        rows[1][1],
        "Hin\0di",
        "language holds a NUL character; take it out",
    ]


def test_a_folder_of_no_language_is_kept_and_its_nearest_name_is_printed(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = data_root / "cv-corpus-6.1-2020-12-11" / "hi" / "clips"
    for folder in ("hi_in", "Hindii"):
        (tmp_path / "speech" / folder).mkdir(parents=True)
        shutil.copy(next(clips.glob("*.mp3")), tmp_path / "speech" / folder)
    arguments = [f"corpus.root={tmp_path}/speech", f"store={tmp_path}/a.h5", "workers=1"]
    assert main(["prepare", "corpus=folders", *arguments]) == 0
    assert (
        f"note: {tmp_path}/speech: no language is known as 'Hindii' (the nearest is Hindi); kept"
        " as the name of the class\n"
    ) in capsys.readouterr().out
    store = Store(tmp_path / "a.h5")
    assert sorted(store.columns["language"]) == ["Hindi", "Hindii"]


def test_what_is_to_know_of_a_corpus_is_printed_once(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clips made WAV, and a locale without one of its parts."""
    for locale in ("hi", "en"):
        source, folder = data_root / "cv-corpus-6.1-2020-12-11" / locale, tmp_path / "cv" / locale
        (folder / "clips").mkdir(parents=True)
        lines = (source / "validated.tsv").read_text().splitlines()[:4]
        for table in ("train", "dev"):
            number = 1 if table == "train" else 2
            (folder / f"{table}.tsv").write_text(f"{lines[0]}\n{lines[number]}\n")
        for row in lines[1:]:
            name = row.split("\t")[1]
            samples, rate = soundfile.read(source / "clips" / name)
            soundfile.write(folder / "clips" / f"{Path(name).stem}.wav", samples, rate)
    (tmp_path / "cv" / "en" / "dev.tsv").unlink()
    arguments = [f"corpus.root={tmp_path}/cv", "corpus.tsv=[train,dev]", f"store={tmp_path}/a.h5"]
    assert main(["prepare", "corpus=common_voice", *arguments, "workers=1"]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert [note.partition(": ")[2].removeprefix(f"{tmp_path}/cv") for note in notes] == [
        *(
            f"/{place}: clips with another ending than the table says: 1 are .wav"
            for place in ("en/train.tsv", "hi/train.tsv", "hi/dev.tsv")
        ),
        ": dev.tsv is missing or has no rows in 1 of 2 locales (en); what is there is read",
    ]
    assert len(Store(tmp_path / "a.h5").utterances) == 3
    assert [row[0] for row in read_table(beside(tmp_path / "a.h5", "skipped"))[1]] == [
        f"{tmp_path}/cv/en/dev.tsv"
    ]


def test_an_equal_store_is_returned_as_it_is(
    whole: Path, real_rows: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole.stat().st_mtime_ns
    monkeypatch.setattr(preparing, "merge", lambda *_: pytest.fail("it was made again"))
    assert prepared(real_rows, whole).fingerprint == contents(whole)[0]
    assert whole.stat().st_mtime_ns == before


def test_a_store_that_differs_is_refused_with_the_difference(
    whole: Path, real_rows: list[dict[str, str]]
) -> None:
    before = whole.read_bytes()
    with pytest.raises(
        LangidError,
        match=r"configuration: features._target_: the store has \S*LogMel, asked is \S*MFCC",
    ):
        prepared(real_rows, whole, features="features.MFCC")
    with pytest.raises(LangidError, match=r"min_duration_s: the store has 0.5, asked is 3.0"):
        prepared(real_rows, whole, min_duration_s=3.0)
    with pytest.raises(
        LangidError, match=r"corpus.root: the store has one, asked is two.*add=true"
    ):
        prepared(real_rows, whole, "two")
    last, extra = real_rows[-1], real_rows[0] | {"utterance_id": "more"}
    for rows, how in (
        (real_rows[:-1], "was removed"),
        ([*real_rows[:-1], extra], "was removed"),
        ([*real_rows[:-1], last | {"speaker": "x"}, extra], "was edited: speaker: the store has"),
    ):
        changed = f"the corpus has changed since the store was made .{last['utterance_id']} {how}"
        for add in (True, False):
            with pytest.raises(LangidError, match=changed):
                prepared(rows, whole, add=add)
    assert whole.read_bytes() == before


def added(whole: Path, path: Path, rows: list[dict[str, str]]) -> tuple[Callable[[], Store], Path]:
    """Return what adds rows and one absent file to a copy of a store."""
    for kind in ("manifest", "skipped"):
        shutil.copy(beside(whole, kind), beside(path, kind))
    shutil.copy(whole, path)
    absent = rows_of(path.parent, ["absent.wav"])
    return functools.partial(prepared, [*rows, *absent], path, "two", add=True), path


def test_of_longer_files_the_first_seconds_are_stored_and_told(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    hum = 0.01 * np.sign(np.random.default_rng(0).normal(size=50000))
    soundfile.write(tmp_path / "hum.wav", hum, 16000)  # longer than asked, without speech
    late = np.pad(read_audio(real_rows[0]["path"], 16000)[:20000], (50000, 0))
    soundfile.write(tmp_path / "late.wav", late, 16000)  # too little from its speech on
    path, rows = tmp_path / "a.h5", [*real_rows[:6], *rows_of(tmp_path, ["hum.wav", "late.wav"])]
    options = {"min_duration_s": 2, "max_duration_s": 3}
    made, all_of = prepared(rows, path, **options), Store(whole)
    assert len(made.utterances) == 6
    for number, duration_s in enumerate(made.columns["duration_s"].astype(float)):
        start, stop = all_of.offsets[number : number + 2]
        if stop - start > 300:
            start += int(all_of.read_speech(start, stop).argmax())
        speech = all_of.read_speech(start, min(stop, start + 300))
        first, last = made.offsets[number : number + 2]
        assert np.array_equal(made.read_speech(first, last), speech)
        assert len(speech) - 1 < duration_s * 100 <= len(speech) <= 300
    assert skipped(path)["hum.wav"] == "silent (the detector finds no speech)"
    assert "s would be stored; min_duration_s=2)" in skipped(path)["late.wav"]
    fingerprint = made.fingerprint
    assert prepared(rows, path, **options).fingerprint == fingerprint
    with pytest.raises(LangidError, match=r"max_duration_s: the store has 3, asked is None"):
        prepared(rows, path, min_duration_s=2)


def test_a_store_of_before_holds_whole_files(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    old = Path(shutil.copy(whole, tmp_path / "a.h5"))
    with h5py.File(old, "r+") as file:
        description = json.loads(file.attrs["description"])
        del description["max_duration_s"]
        file.attrs["description"] = json.dumps(description)
    assert prepared(real_rows, old).fingerprint == contents(whole)[0]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (0, "max_duration_s=0: accepted are null and seconds above 0"),
        (-3, "max_duration_s=-3: accepted"),
        ("long", "max_duration_s=long: accepted"),
        (True, "max_duration_s=True: accepted"),
        (float("inf"), "max_duration_s=inf: accepted"),
        (float("nan"), "max_duration_s=nan: accepted"),
        (0.3, "max_duration_s=0.3: is below min_duration_s=0.5, so that all longer files"),
    ],
)
def test_what_is_no_longest_duration_is_refused(
    asked: Any, reason: str, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    with pytest.raises(LangidError, match=f"^{reason}"):
        prepared(real_rows[:1], tmp_path / "a.h5", max_duration_s=asked)
    assert not list(tmp_path.iterdir())


def test_a_second_corpus_is_added(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    other = [
        row | {"utterance_id": f"folders/{i}.mp3", "corpus": "folders", "speaker": ""}
        for i, row in enumerate(real_rows[:5])
    ]
    clip = real_rows[7] | {"corpus": "delta"}
    clip["utterance_id"] = f"delta/en/{Path(real_rows[7]['utterance_id']).name}"
    add, path = added(whole, tmp_path / "a.h5", [*other, clip])
    made = add()
    corpora = list(made.utterances["corpus"])
    assert corpora == [row["corpus"] for row in real_rows] + ["folders"] * 5
    old, new = Store(whole), int(made.utterances["first_frame"][36])
    assert np.array_equal(made.read(0, new)[0], old.read(0, new)[0])
    stop = int(made.utterances["first_frame"][40] + made.utterances["frames"][40])
    frames = int(old.utterances["frames"][:5].sum())
    assert stop - new == frames
    assert np.array_equal(made.read(new, stop)[0], old.read(0, frames)[0])
    assert made.fingerprint != old.fingerprint
    reasons = skipped(path)
    assert reasons["absent.wav"] == "no such file"
    held = f"the store already holds this clip as {real_rows[7]['utterance_id']}"
    assert reasons[Path(clip["path"]).name] == held
    # Both corpora are held now: asking for either again changes nothing.
    assert add().fingerprint == made.fingerprint
    assert prepared(real_rows, path).fingerprint == made.fingerprint


def test_of_a_corpus_that_has_grown_the_new_rows_alone_are_prepared(
    real_rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mended = tmp_path / "a.h5", rows_of(tmp_path, ["mended.wav"])
    other = [row | {"utterance_id": f"x/{i}", "corpus": "x"} for i, row in enumerate(real_rows[:3])]
    first = prepared([*mended, *real_rows[1:30:3]], path)
    prepared(other, path, "two", add=True)
    assert set(skipped(path)) == {"mended.wav"}
    grown, before = [*mended, *real_rows[:30]], path.read_bytes()
    with pytest.raises(
        LangidError, match=r"21 of its rows are not in the store. add=true prepares"
    ):
        prepared(grown, path)
    assert path.read_bytes() == before
    shutil.copy(real_rows[35]["path"], tmp_path / "mended.wav")
    written: list[str] = []
    write_shard = shard.write_shard

    def noted(place: Path, rows: list[dict[str, str]], *arguments: Any) -> int:
        written.extend(row["utterance_id"] for row in rows)
        return write_shard(place, rows, *arguments)

    def killed() -> None:
        kill_at(shard, "_write_utterance", 6)
        prepared(grown, path, add=True)

    assert in_child(killed) == -signal.SIGKILL
    assert path.read_bytes() == before
    monkeypatch.setattr(shard, "write_shard", noted)
    made = prepared(grown, path, add=True)
    new = [
        "mended.wav",
        *(row["utterance_id"] for i, row in enumerate(real_rows[:30]) if i % 3 != 1),
    ]
    assert written == new[4:]  # the first four were written before the kill
    held = [*(row["utterance_id"] for row in real_rows[1:30:3]), "x/0", "x/1", "x/2"]
    assert list(made.columns["utterance_id"]) == held + new
    assert made.read_from.tolist() == [0] * 10 + [1] * 3 + [0] * 21
    assert [one["reader"]["root"] for one in made.description["corpora"]] == ["one", "two"]
    assert made.description["corpora"][0] != first.description["corpora"][0]
    assert skipped(path) == {} and made.damaged_rows() == []
    for again in (False, True):  # nothing is left to do
        assert prepared(grown, path, add=again).fingerprint == made.fingerprint
        assert prepared(other, path, "two", add=again).fingerprint == made.fingerprint


def test_a_store_of_before_that_has_one_corpus_may_grow(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    old, more = Path(shutil.copy(whole, tmp_path / "a.h5")), real_rows[0] | {"utterance_id": "more"}
    shutil.copy(beside(whole, "skipped"), beside(old, "skipped"))
    with h5py.File(old, "r+") as file:
        del file["read_from"]
    shutil.copy(old, tmp_path / "b.h5")
    assert prepared([more], old, "two", add=True).read_from.tolist() == [0] * 36 + [1]
    with h5py.File(old, "r+") as file:
        del file["read_from"]
    with pytest.raises(LangidError, match="without telling of which corpus rows are"):
        prepared([*real_rows, more], old, add=True)
    assert len(prepared([*real_rows, more], tmp_path / "b.h5", add=True).columns["path"]) == 37


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(shard, "_write_utterance", 6), (merge, "_copied", 2), (os, "replace", 5)],
)
def test_a_killed_add_leaves_the_store_and_goes_on(
    whole: Path,
    real_rows: list[dict[str, str]],
    tmp_path: Path,
    owner: Any,
    name: str,
    call: int,
) -> None:
    other = [row | {"utterance_id": f"x/{i}", "corpus": "x"} for i, row in enumerate(real_rows[:7])]
    add, path = added(whole, tmp_path / "a.h5", other)
    uninterrupted, straight = added(whole, tmp_path / "b.h5", other)

    def killed() -> None:
        kill_at(owner, name, call)
        add()

    assert in_child(killed) == -signal.SIGKILL
    assert contents(path) == contents(whole)
    add()
    uninterrupted()
    assert contents(path)[1:] == contents(straight)[1:]
    assert contents(path)[0] == contents(straight)[0]
    assert skipped(path) == skipped(straight) == {"absent.wav": "no such file"}


@pytest.mark.parametrize("limit", [5_000, 100_000, 400_000, 2_000_000])
def test_a_full_disk_leaves_nothing_that_is_taken_for_whole(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path, limit: int
) -> None:
    path = tmp_path / "place" / "a.h5"
    path.parent.mkdir()
    said = tmp_path / "said"

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            prepared(real_rows, path)
        except LangidError as error:
            said.write_text(str(error))

    assert in_child(work) == 0
    assert f"{path}: cannot be written (File too large); free space" in said.read_text()
    assert not path.exists()
    assert not list(tmp_path.glob("**/*.partial*"))
    shards = list(path.parent.glob("a.h5.parts/*/*.h5"))
    assert len(shards) == {5_000: 0, 100_000: 0, 2_000_000: 9}.get(limit, len(shards))
    prepared(real_rows, path)
    assert contents(path) == contents(whole)


def test_the_command_on_a_full_disk_ends_with_a_clear_message(
    langid: Callable[..., subprocess.CompletedProcess[str]], real_manifest: Path, tmp_path: Path
) -> None:
    done = langid(
        "prepare", "corpus=manifest", f"corpus.path={real_manifest}", f"store={tmp_path}/a.h5",
        "workers=1", limits={resource.RLIMIT_FSIZE: 10**6},
    )  # fmt: skip
    assert done.returncode == 2
    assert f"langid: {tmp_path}/a.h5: cannot be written (File too large)" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert not (tmp_path / "a.h5").exists()


def test_a_disk_that_is_full_at_an_add_leaves_the_store(
    whole: Path, real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    other = [row | {"utterance_id": f"x/{i}", "corpus": "x"} for i, row in enumerate(real_rows[:7])]
    add, path = added(whole, tmp_path / "a.h5", other)

    def work() -> None:
        limit = whole.stat().st_size + 10_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        add()

    assert in_child(work) == 1 << 8  # the error, not a crash of HDF5
    assert contents(path) == contents(whole)
    assert len(add().utterances) == 43


def test_a_place_that_cannot_be_written_is_named(
    real_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LangidError, match=r"file/a.h5: cannot be written \(Not a directory\)"):
        prepared(real_rows[:1], tmp_path / "file" / "a.h5")
    made = prepared(real_rows[:1], tmp_path / "new" / "folder" / "a.h5")
    assert len(made.utterances) == 1  # folders that are missing are made


def test_a_long_recording_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    """Of 50 minutes the samples are 190 MB, their windows 480 MB; of 10 hours, 12 times that."""
    noise = 0.2 * np.random.default_rng(0).normal(size=8000 * 60).astype(np.float32)
    noise *= np.tile(np.repeat([0.01, 1], 4000), 60).astype(np.float32)  # in bursts, as speech is
    for name, minutes in (("short.wav", 3), ("long.wav", 50)):
        with soundfile.SoundFile(tmp_path / name, "w", 8000, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(noise)

    def work() -> None:
        peaks = []
        for name in ("short.wav", "long.wav"):
            prepared(rows_of(tmp_path, [name]), tmp_path / f"{name}.h5")
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        (tmp_path / "peaks.json").write_text(json.dumps(peaks))

    in_child(work)
    short, long = json.loads((tmp_path / "peaks.json").read_text())
    assert int(Store(tmp_path / "long.wav.h5").utterances["frames"][0]) == 50 * 6000
    assert (long - short) / 1024 < 60, "MiB"


def test_features_of_the_whole_clip_refuse_a_long_one_before_it_fills_the_memory(
    real_rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_frames, "WHOLE_CLIP_LIMIT_S", 10.0)
    noise = 0.2 * np.random.default_rng(0).normal(size=16000 * 200)
    soundfile.write(tmp_path / "long.flac", noise, 16000)
    heard: list[int] = []
    blocks = read_blocks

    def counted(*arguments: Any) -> Any:
        for block in blocks(*arguments):
            heard.append(len(block))
            yield block

    monkeypatch.setattr(clip_frames, "read_blocks", counted)
    rows = [real_rows[0], *rows_of(tmp_path, ["long.flac"])]
    made = prepared(rows, tmp_path / "a.h5", features="clip_features.MFCCLibrosa")
    assert len(made.utterances) == 1
    assert skipped(tmp_path / "a.h5")["long.flac"].startswith("longer than 10 s")
    assert sum(heard) < 16000 * 100


def test_where_memory_is_full_what_is_done_is_kept(
    real_rows: list[dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = "clip_features.Spectrogram"
    prepared(real_rows[:10], tmp_path / "whole.h5", features=features)
    frames, calls = Spectrogram.frames, 0

    def full(self: Spectrogram, clip: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 7:  # in the second shard
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return frames(self, clip)

    monkeypatch.setattr(Spectrogram, "frames", full)
    path = tmp_path / "a.h5"
    with pytest.raises(
        LangidError, match=r"\.mp3: no memory for features of its \d+\.\d s \(.* take"
    ):
        prepared(real_rows[:10], path, features=features)
    assert [shard.name for shard in tmp_path.glob("a.h5.parts/*/*")] == ["000000.h5"]
    prepared(real_rows[:10], path, features=features)
    assert calls == 7 + 6  # of four clips that are done none again
    assert contents(path) == contents(tmp_path / "whole.h5")


def test_power_is_stored_as_it_is(real_rows: list[dict[str, str]], tmp_path: Path) -> None:
    """Of a full-scale square wave mel power leaves float16 upwards, of silence downwards."""
    wave = 0.999 * np.sign(np.sin(0.2 * np.arange(64000)))
    wave[32000:] *= 1e-4
    soundfile.write(tmp_path / "wave.wav", wave, 32000, subtype="FLOAT")
    rows, path = [*real_rows[:5], *rows_of(tmp_path, ["wave.wav"])], tmp_path / "a.h5"
    power = "clip_features.MelSpectrogram"
    first = prepared(rows[:3], path, features=power)
    assert first.bins == 64 and first.read(0, 9)[0].dtype == np.float32
    made = prepared(rows[3:], path, "two", features=power, add=True)
    assert made.fingerprint != first.fingerprint
    assert list(made.utterances["utterance_id"]) == [row["utterance_id"] for row in rows]
    front_end = build_front_end(made.description["features"], made.description["detector"])
    for row, start, frames in zip(
        rows, made.utterances["first_frame"], made.utterances["frames"], strict=True
    ):
        samples = torch.from_numpy(in_16_bits(read_audio(row["path"], 32000)))[None]
        features, speech = made.read(start, start + frames)
        expected, expected_speech = front_end(samples)
        assert features.dtype == np.float32
        assert np.array_equal(features, expected[0].numpy())
        assert np.array_equal(speech, expected_speech[0].numpy())
    assert features.max() > np.finfo(np.float16).max
    assert 0 < features.min() < np.finfo(np.float16).smallest_subnormal


@pytest.mark.parametrize(
    ("scale", "reason"), [(0.999, "its features are not finite"), (2.1, "samples reach 2.1: scale")]
)
def test_what_is_too_loud_is_refused(
    scale: float, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No loudness is lost in silence: what does not fit is left out with the reason."""
    frames = Spectrogram.frames
    monkeypatch.setattr(Spectrogram, "stored_as", "float16")
    monkeypatch.setattr(Spectrogram, "frames", lambda self, clip: frames(self, clip) * 100)
    wave = scale * np.sign(np.sin(0.2 * np.arange(64000)))
    soundfile.write(tmp_path / "loud.wav", wave, 16000, subtype="FLOAT")
    with pytest.raises(LangidError, match=reason):
        rows = rows_of(tmp_path, ["loud.wav"])
        prepared(rows, tmp_path / "a.h5", features="clip_features.Spectrogram")
