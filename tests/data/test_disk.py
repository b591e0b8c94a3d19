import errno
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from langid.data.disk import Disk


def test_a_file_that_fits_is_an_ordinary_one(tmp_path: Path) -> None:
    values = np.arange(1000.0)
    disk = Disk(tmp_path / "a.h5")
    with h5py.File(disk, "w") as file:
        file["values"] = values
    disk.check()
    disk.close()
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["values"], values)


@pytest.mark.parametrize("limit", [0, 100, 3000, 50_000])
def test_hdf5_can_close_a_file_that_does_not_fit(tmp_path: Path, limit: int) -> None:
    disk = Disk(tmp_path / "a.h5")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with h5py.File(disk, "w") as file:
            growing = file.create_dataset("x", (0,), "f4", maxshape=(None,), chunks=(1000,))
            for count in (3000, 9000, 20_000):
                growing.resize(count, axis=0)
                growing[:] = np.arange(count)
                assert growing[count - 1] == count - 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(OSError) as caught:
        disk.check()
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "a.h5").stat().st_size <= limit
    disk.close()
