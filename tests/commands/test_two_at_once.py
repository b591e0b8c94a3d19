"""Two commands at once that would write the same: none of them mixes with the other."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from forked import Forked, run

from langid.commands.main import main
from langid.commands.train import run_folder
from langid.data.store import Store

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
    "~callbacks.pictures",
)  # fmt: skip


def both(*arguments: str, folder: Path) -> list[tuple[int, str, str]]:
    """Return exit code, output and errors of one command, started twice at the same time."""
    return at_once([["-m", "langid", *arguments]] * 2, folder)


def at_once(commands: list[list[str]], folder: Path) -> list[tuple[int, str, str]]:
    """Return exit code, output and errors of commands that are started at the same time."""
    running = [Forked(command, cwd=folder) for command in commands]
    told = [process.communicate() for process in running]
    return [(process.wait(), *words) for process, words in zip(running, told, strict=True)]


def test_runs_that_start_in_one_second_have_folders_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {run_folder(None, "gru", make=True) for _ in range(4)}
    assert len(folders) == 4
    assert all(Path(folder).is_dir() for folder in folders)


def test_a_run_without_output_makes_one_folder(
    store_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *TINY, f"store={store_path}"]) == 0
    assert main(["train", *TINY, f"store={store_path}", "split=recording"]) == 0
    runs = list((tmp_path / "runs" / "gru").iterdir())
    assert [(run / "run.json").is_file() for run in runs] == [True, True]
    assert not list(tmp_path.rglob("*.lock"))


def test_of_two_trainings_in_one_folder_one_is_refused(store_path: Path, tmp_path: Path) -> None:
    line = ("train", *TINY, f"store={store_path}", "output=same")
    ended = both(*line, "trainer.max_epochs=4", folder=tmp_path)
    assert sorted(code for code, _, _ in ended) == [0, 2], ended
    (refused,) = [words for code, _, words in ended if code]
    at_work = r"output=\S*same: langid train \(process \d+ on .+\) is at work on it"
    assert re.search(f"{at_work}|a run is already there", refused), refused
    record = json.loads((tmp_path / "same" / "run.json").read_text())
    assert (record["status"], record["epochs"]) == ("finished", 4)


def test_a_folder_that_another_process_writes_is_refused(
    store_path: Path,
    checkpoint_path: Path,
    tmp_path: Path,
    held_elsewhere: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with held_elsewhere(tmp_path):
        assert main(["train", *TINY, f"store={store_path}", f"output={tmp_path}"]) == 2
        assert "is at work on it; wait for its end" in capsys.readouterr().err
        assert not (tmp_path / "run.json").exists()
        given = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}"]
        assert main(["evaluate", *given]) == 2
        assert "is at work on it; wait for its end" in capsys.readouterr().err
        assert not (tmp_path / "report.json").exists()
        assert main(["compare", str(checkpoint_path.parents[1]), f"output={tmp_path}"]) == 2
        assert "is at work on it; wait for its end" in capsys.readouterr().err
        assert not (tmp_path / "compare.csv").exists()


def test_a_job_that_another_process_trains_is_left_to_it(
    store_path: Path, tmp_path: Path, held_elsewhere: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where the same line of a sweep is typed in two terminals."""
    line = ["train", "-m", *TINY, f"store={store_path}", f"output={tmp_path}", "seed=0,1"]
    assert main([*line, "trainer.max_epochs=1"]) == 0
    first = min(tmp_path.glob("*/run.json")).parent
    for path in (first / "run.json", first / "checkpoints" / "best.ckpt"):
        path.unlink()  # as if it were not finished
    kept = {path.name for path in (first / "checkpoints").iterdir()}
    with held_elsewhere(first):
        assert main([*line, "trainer.max_epochs=1"]) == 0
    told = capsys.readouterr()
    assert (
        told.out.splitlines()[-1] == "2 jobs: 1 skipped, is being trained, 1 skipped, was finished"
    )
    assert "is at work on it" in told.err
    assert {path.name for path in (first / "checkpoints").iterdir()} == kept
    assert not (first / "run.json").exists()


def test_two_that_add_to_a_store_lose_nothing(
    real_rows: list[dict[str, str]], data_root: Path, tmp_path: Path
) -> None:
    for name, rows in (("one", real_rows[:4]), ("two", real_rows[12:16])):
        folder = tmp_path / name / "en"
        folder.mkdir(parents=True)
        for row in rows:
            (folder / Path(row["path"]).name).symlink_to(row["path"])
    prepare = ["-m", "langid", "prepare", "corpus=folders", "store=a.h5"]
    lines = [[*prepare, f"corpus.root={name}", "add=true", "workers=1"] for name in ("one", "two")]
    told = at_once(lines, tmp_path)
    assert [code for code, *_ in told] in ([0, 0], [0, 2], [2, 0]), told
    for code, _, words in told:
        assert not code or "langid prepare (process" in words or "another process" in words, words
    for line in lines:  # what was refused is typed again, and what was done is not done twice
        assert run(line, cwd=tmp_path).returncode == 0
    store = Store(tmp_path / "a.h5")
    assert len(store.columns["path"]) == 8
    assert len(store.description["corpora"]) == 2
    assert not list(tmp_path.glob(".*"))


def test_two_that_prepare_a_store_make_one(real_manifest: Path, tmp_path: Path) -> None:
    prepare = ["-m", "langid", "prepare", "corpus=manifest", f"corpus.path={real_manifest}"]
    told = at_once([[*prepare, "store=a.h5", "workers=1"]] * 2, tmp_path)
    assert sorted(code for code, *_ in told) in ([0, 0], [0, 2]), told
    for code, _, words in told:
        assert not code or "is at work on it" in words, words
    assert run([*prepare, "store=b.h5", "workers=1"], cwd=tmp_path).returncode == 0
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_eight_that_read_a_store_need_no_right_to_write(store_path: Path, tmp_path: Path) -> None:
    """Of an account that may write anywhere the modes say nothing; then its files tell."""
    folder = tmp_path / "shared"
    folder.mkdir()
    store = Path(shutil.copy(store_path, folder))
    store.chmod(0o444)
    folder.chmod(0o555)
    before = store.stat()
    told = at_once([["-m", "langid", "verify", f"store={store}"]] * 8, tmp_path)
    folder.chmod(0o755)
    assert [code for code, *_ in told] == [0] * 8, told
    assert list(folder.iterdir()) == [store]
    assert (store.stat().st_mtime_ns, store.stat().st_ctime_ns) == (
        before.st_mtime_ns, before.st_ctime_ns,
    )  # fmt: skip
