import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from langid.corpora.manifest import COLUMNS
from langid.data.store import Store
from langid.data.text_columns import columns_of, read_column, write_column
from langid.errors import LangidError


@pytest.mark.parametrize("cells", [["b", "", "a", "b", "语言\n\t", ""], [""], ["", ""], ["a", "b"]])
def test_cells_are_read_as_they_were_written(cells: list[str], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "text.h5", "w") as file:
        write_column(file, "accent", cells)
        found = read_column(file, "accent")
        assert found.tolist() == cells
        assert len(file["accent.rows"]) == len(cells)
    assert len({id(cell) for cell in found}) == len(set(cells))  # each kept once


def test_a_store_with_a_string_a_cell_is_read(store_path: Path, tmp_path: Path) -> None:
    earlier, now = Path(shutil.copy(store_path, tmp_path / "earlier.h5")), Store(store_path)
    with h5py.File(earlier, "r+") as file:
        for name, cells in columns_of(file).items():
            del file[name], file[f"{name}.rows"]
            file.create_dataset(name, data=cells.tolist(), dtype=h5py.string_dtype("utf-8"))
        file.attrs["schema"] = "langid-store-4"
    store = Store(earlier)
    assert all(np.array_equal(store.columns[name], now.columns[name]) for name in COLUMNS)
    assert store.damaged_rows() == []


def test_a_number_of_no_cell_is_damage(store_path: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store_path, tmp_path / "other.h5"))
    with h5py.File(other, "r+") as file:
        file["language.rows"][5] = 1000
    with pytest.raises(LangidError, match=r"other.h5: incomplete .*run langid prepare again"):
        Store(other)
