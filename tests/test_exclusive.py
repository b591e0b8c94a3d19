"""One process at a time writes a file or folder; real processes hold, die and wait."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from langid.errors import LangidError
from langid.exclusive import InUse, exclusive_folder, exclusively

COUNT = """
import sys, time
from pathlib import Path
from langid.exclusive import InUse, exclusively
path = Path(sys.argv[1])
for _ in range(40):
    while True:
        try:
            with exclusively("output", path):
                number = int((path / "number").read_text())
                time.sleep(0.001)
                (path / "number").write_text(str(number + 1))
            break
        except InUse:
            time.sleep(0.0005)
"""


def test_one_process_at_a_time_writes(tmp_path: Path) -> None:
    """None of them sees a lock that another has just taken away."""
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "120"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


@pytest.mark.parametrize("name", ["", "a [v2].h5"])
def test_who_holds_it_is_named_and_a_dead_process_holds_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    hold = (
        "import sys, time; from pathlib import Path; from langid.exclusive import exclusively\n"
        "with exclusively('store', Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        words = rf"store=.* \(process {holder.pid} on .+\) is at work on it; wait for its end"
        with pytest.raises(InUse, match=words), exclusively("store", path):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with exclusively("store", path), exclusively("store", path):  # who holds it may ask again
            pass
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_made_nothing_is_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with exclusively("store", tmp_path / "file" / "a.h5"):
        pass


def test_a_folder_that_was_made_in_vain_is_removed_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(LangidError), exclusive_folder(tmp_path / "new" / "below"):
        raise LangidError("nothing came of it")
    assert not list(tmp_path.iterdir())
    with pytest.raises(LangidError), exclusive_folder(tmp_path / "new" / "below"):
        (tmp_path / "new" / "kept.txt").write_text("")
        raise LangidError("something came of it")
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "kept.txt"]
    with exclusive_folder(tmp_path / "new" / "below"):
        pass
    assert (tmp_path / "new" / "below").is_dir()
