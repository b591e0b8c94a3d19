import multiprocessing
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from langid.audio.excerpt import Excerpt
from langid.corpora.manifest import ADDED, COLUMNS
from langid.data.store import Content, Store
from langid.data.store_writer import StoreWriter
from langid.data.text_columns import write_column
from langid.errors import LangidError


def test_layout_of_the_file(store_path: Path, real_rows: list[dict[str, str]]) -> None:
    with h5py.File(store_path) as file:
        total = file["features"].shape[0]
        assert file["features"].shape == (total, 64) and file["features"].dtype == np.float16
        assert file["features"].chunks is None  # contiguous: the fastest to read
        assert file["speech"].shape == (total,) and file["speech"].dtype == bool
        assert file["offsets"].shape == (len(real_rows) + 1,) and file["offsets"].dtype == np.int64
        assert all(len(file[f"{name}.rows"]) == len(real_rows) for name in COLUMNS)
        assert bytes(file["language"]) == b"English\0Hindi\0Mandarin"


def test_rows_and_frames(store_path: Path, real_rows: list[dict[str, str]]) -> None:
    store = Store(store_path)
    assert store.frames_per_second == 100.0
    table = store.utterances
    columns = [name for name in COLUMNS if name != "duration_s"]
    assert table[columns].to_dict("records") == [
        {name: row[name] for name in columns} for row in real_rows
    ]
    assert np.allclose(table["frames"], table["duration_s"].astype(float) * 100, atol=1.01)
    first, frames = (int(table[name][5]) for name in ("first_frame", "frames"))
    features, speech = store.read(first, first + frames)
    assert features.shape == (frames, 64) and features.dtype == np.float16
    assert speech.shape == (frames,) and speech.any()
    assert np.array_equal(store.read_speech(first, first + frames), speech)


def test_a_file_that_is_cut_off_is_refused(store_path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.h5"
    whole = store_path.read_bytes()
    for length in (0, 7, 96, 1000, len(whole) // 2, len(whole) - 5000, len(whole) - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises(LangidError, match=r"cut.h5: not a whole HDF5 file .*delete it"):
            Store(cut)
    cut.write_text("This is not a store.")
    with pytest.raises(LangidError, match="not a whole HDF5 file"):
        Store(cut)


def test_a_store_of_another_schema_is_refused(store_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        file.attrs["schema"] = "langid-store-99"
    message = r"schema langid-store-99, this version reads langid-store-5; .* langid prepare again"
    with pytest.raises(LangidError, match=message):
        Store(other)
    with h5py.File(other, "r+") as file:
        del file.attrs["schema"]
    with pytest.raises(LangidError, match="no langid schema"):
        Store(other)


@pytest.mark.parametrize("name", ["features", "speech", "offsets", "speaker", "speaker.rows"])
def test_a_missing_part_is_named(store_path: Path, tmp_path: Path, name: str) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        del file[name]
    with pytest.raises(LangidError, match=f"other.h5: incomplete .*{name}"):
        Store(other)


@pytest.mark.parametrize("name", ["fingerprint", "description"])
def test_a_missing_attribute_is_named(store_path: Path, tmp_path: Path, name: str) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        del file.attrs[name]
    with pytest.raises(LangidError, match=f"other.h5: incomplete .*{name}"):
        Store(other)


def test_parts_that_do_not_fit_are_refused(store_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        offsets = file["offsets"][:-1]
        del file["offsets"]
        file["offsets"] = offsets
    with pytest.raises(LangidError, match="its parts do not fit together"):
        Store(other)


def test_a_file_that_is_absent_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(LangidError, match=r"no.h5: no such file; make it with langid prepare"):
        Store(tmp_path / "no.h5")


def test_frames_are_mapped_late_and_never_pickled(store_path: Path) -> None:
    store = Store(store_path)
    assert "_frames" not in vars(store)
    features, _ = store.read(0, 10)
    assert "_frames" in vars(store)
    copy = pickle.loads(pickle.dumps(store))
    assert "_frames" not in vars(copy)
    assert np.array_equal(copy.read(0, 10)[0], features)
    assert copy.fingerprint == store.fingerprint


def test_what_is_read_is_what_hdf5_reads(store_path: Path) -> None:
    store = Store(store_path)
    features, speech = store.read(100, 700)
    with h5py.File(store_path) as file:
        assert np.array_equal(features, file["features"][100:700])
        assert np.array_equal(speech, file["speech"][100:700])
    features[:] = 0  # a copy: the file stays as it is
    with h5py.File(store_path) as file:
        assert file["features"][100:700].any()


def test_datasets_in_chunks_are_refused(store_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        features = file["features"][:]
        del file["features"]
        file.create_dataset("features", data=features, chunks=(100, features.shape[1]))
    with pytest.raises(LangidError, match=r"other.h5: its datasets are not contiguous; run langid"):
        Store(other).read(0, 10)


def _read_in_child(store: Store, results: Any) -> None:
    for start in range(200):
        store.read(start * 10, start * 10 + 10)
    results.put(store.read(100, 200)[0].tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_processes_read_at_the_same_time(store_path: Path) -> None:
    store = Store(store_path)
    expected = store.read(100, 200)[0].tobytes()
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_read_in_child, args=(store, results)) for _ in range(2)]
    for child in children:
        child.start()
    for _ in range(50):  # at the same time
        assert store.read(100, 200)[0].tobytes() == expected
    for child in children:
        assert results.get(timeout=60) == expected
        child.join()


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(ZeroDivisionError), StoreWriter(path, Content("features", 4)) as writer:
        writer.write_frames(np.ones((5, 4)), np.ones(5, bool))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_dropped_utterances_leave_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    row = dict.fromkeys(COLUMNS, "x")
    with StoreWriter(path, Content("features", 2)) as writer:
        writer.write_frames(np.full((3, 2), 1.0), np.ones(3, bool))
        writer.end_utterance(row)
        writer.write_frames(np.full((90, 2), 2.0), np.ones(90, bool))
        writer.drop_utterance()
        writer.write_frames(np.full((2, 2), 3.0), np.zeros(2, bool))
        writer.end_utterance(row)
        writer.write_frames(np.full((7, 2), 4.0), np.ones(7, bool))
        writer.drop_utterance()
        writer.finish({})
    with h5py.File(path) as file:
        assert file["features"][:, 0].tolist() == [1, 1, 1, 3, 3]
        assert file["speech"][:].tolist() == [True] * 3 + [False] * 2
        assert file["offsets"][:].tolist() == [0, 3, 5]


def test_a_store_without_the_columns_that_were_added_is_read(
    store_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "earlier.h5"
    shutil.copy(store_path, path)
    with h5py.File(path, "a") as file:
        for name in ADDED:
            del file[name], file[f"{name}.rows"]
    store, now = Store(path), Store(store_path)
    assert list(store.utterances.columns) == list(now.utterances.columns)
    assert all(set(store.columns[name]) == {""} for name in ADDED)
    assert store.excerpt(3) == Excerpt(Path(store.columns["path"][3]))


def test_a_store_larger_than_memory_is_read(tmp_path: Path) -> None:
    frames, path = 1 << 32, tmp_path / "large.h5"  # half a terabyte of holes, which take no room
    with h5py.File(path, "w") as file:
        for name, shape, kind in (
            ("features", (frames, 64), "float16"),
            ("speech", (frames,), "?"),
        ):
            file.create_dataset(name, shape, kind)[-1:] = 1
        file["offsets"] = np.array([0, frames])
        for name in COLUMNS:
            write_column(file, name, ["one"])
        file.attrs.update(schema="langid-store-3", description="{}", fingerprint="large")
    features, speech = Store(path).read(frames - 2, frames)
    assert features.sum(1).tolist() == [0, 64] and speech.tolist() == [False, True]
