"""Tests of langid verify, and of training, on stores that were damaged after they were written."""

import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from langid.commands.main import main
from langid.data.store import Store
from langid.data.text_columns import columns_of
from langid.errors import LangidError

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def damaged(store_path: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """Return a store with three damaged utterances, and their names."""
    path = tmp_path / "damaged.h5"
    shutil.copy(store_path, path)
    with h5py.File(path, "r+") as file:
        names, offsets = columns_of(file)["utterance_id"], file["offsets"][:]
        file["features"][offsets[4] + 2, 7] += 0.5  # a frame
        file["speech"][offsets[17] - 1] ^= True  # the mark of the last frame of the one before
        file["language.rows"][30] = 1  # Hindi
    return path, [names[row] for row in (4, 16, 30)]


def test_a_whole_store(store_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"store={store_path}"]) == 0
    told = capsys.readouterr().out.split()
    assert told == ["store", str(store_path), "whole", "36", "utterances"]


def test_damaged_utterances_are_named(
    damaged: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    path, names = damaged
    assert main(["verify", f"store={path}"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == names
    assert f"store={path}: 3 of 36 utterances are damaged" in err
    assert f"{', '.join(names)}. Restore the file from a copy, or delete it and run" in err


@pytest.mark.parametrize("workers", [0, 1])
def test_training_stops_with_the_same_names(
    damaged: tuple[Path, list[str]],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    workers: int,
) -> None:
    path, names = damaged
    asked = [f"store={path}", f"output={tmp_path}/run", f"data.workers={workers}"]
    assert main(["train", *TINY, *asked]) == 2
    told = capfd.readouterr().err
    assert f"langid: store={path}: 3 of 36 utterances are damaged" in told
    assert ", ".join(names) in told and "Traceback" not in told


def test_adding_to_a_damaged_store_stops_and_leaves_it(
    damaged: tuple[Path, list[str]], data_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, names = damaged
    before = path.read_bytes()
    asked = ["corpus=folders", f"corpus.root={data_root}/folders", "max_duration_s=null"]
    assert main(["prepare", *asked, f"store={path}", "add=true", "workers=1"]) == 2
    assert ", ".join(names) in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_store_of_before_is_read_and_says_that_nothing_tells(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "earlier.h5"
    shutil.copy(store_path, path)
    with h5py.File(path, "r+") as file:
        del file["checksums"]
        file.attrs["schema"] = "langid-store-3"
    assert Store(path).read(0, 10)[0].any()
    assert main(["verify", f"store={path}"]) == 2
    assert "an earlier version wrote it, without checksums" in capsys.readouterr().err


def held(store: Store) -> tuple[bytes, ...]:
    """Return all that a store says."""
    values, speech = store.read(0, int(store.offsets[-1]))
    cells = "\n".join("\t".join(column) for column in store.columns.values())
    return values.tobytes(), speech.tobytes(), store.offsets.tobytes(), cells.encode()


def in_child(work: Callable[[], bool]) -> bool:
    """Return what some work says in a process of its own.

    Damaged tables of HDF5 can make it loop for ever, in one of ten thousand flips; what does not
    return within ten seconds is not read as it is either.
    """
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        good = False
        try:
            good = work()
        finally:
            os._exit(0 if good else 1)
    return os.waitpid(child, 0)[1] in (0, signal.SIGALRM)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_no_flipped_byte_is_read_as_it_is(store_path: Path, tmp_path: Path) -> None:
    path, rng = tmp_path / "flipped.h5", random.Random(0)
    shutil.copy(store_path, path)
    whole, size = held(Store(path)), path.stat().st_size
    with h5py.File(path) as file:
        frames = file["features"].id.get_offset()
        end = frames + file["features"].id.get_storage_size()
    elsewhere = [*range(frames), *range(end, size)]
    places = rng.sample(elsewhere, 60) + [rng.randrange(frames, end) for _ in range(20)]

    def found() -> bool:
        """Whether it is refused, or nothing of it has changed."""
        try:
            store = Store(path)
            return bool(store.damaged_rows()) or held(store) == whole
        except LangidError:
            return True

    wrong = []
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ (1 << rng.randrange(8))]))
            file.flush()
            if not in_child(found):
                wrong.append(place)
            file.seek(place)
            file.write(bytes([byte]))
            file.flush()
    assert wrong == []
    assert held(Store(path)) == whole
    assert Store(path).damaged_rows() == []
