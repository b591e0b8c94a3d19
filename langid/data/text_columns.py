"""Columns of text in a store: each cell that a column has once, and which of them stands where.

``NAME`` holds the different cells as UTF-8 with a NUL between two, ``NAME.rows (rows,) int32`` the
number of each row's among them: some bytes a row, read in one go. Earlier stores (schemas 3 and 4)
have a string of HDF5 for each cell, at nine times the time.
"""

from collections.abc import Iterable

import h5py
import numpy as np

from langid.corpora.manifest import ADDED, COLUMNS


def write_column(file: h5py.File, name: str, cells: Iterable[str]) -> None:
    """Write a column, of cells without NUL."""
    numbers: dict[str, int] = {}
    rows = [numbers.setdefault(cell, len(numbers)) for cell in cells]
    file[name] = np.frombuffer("\0".join(numbers).encode(), np.uint8)
    file[f"{name}.rows"] = np.array(rows, np.int32)


def read_column(file: h5py.File, name: str) -> np.ndarray:
    """Return a column as ``(rows,) object``; cells that are the same are one string."""
    dataset = file[name]
    if h5py.check_string_dtype(dataset.dtype):
        return np.asarray(dataset.asstr()[:])
    cells = dataset[:].tobytes().decode().split("\0")
    column: np.ndarray = np.array(cells, object)[file[f"{name}.rows"][:]]
    return column


def columns_of(file: h5py.File) -> dict[str, np.ndarray]:
    """Return the columns of the manifest in a store; those that it was made without are empty."""
    rows = len(file["offsets"]) - 1
    return {
        name: np.full(rows, "", object)
        if name in ADDED and name not in file
        else read_column(file, name)
        for name in COLUMNS
    }
