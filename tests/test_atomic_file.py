"""Files that are whole under their name, or not there."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from langid.atomic_file import new_folder, replaced, write_text, writing
from langid.errors import LangidError

FULL = 10_000  # bytes of a file, beyond which the disk is full


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file become larger than FULL."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_named_and_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("an older file")
    message = r"output=.*model\.onnx: cannot be written \(File too large\); choose another output="
    with (
        full_disk(),
        pytest.raises(LangidError, match=message),
        replaced(path, "output") as partial,
    ):
        partial.write_bytes(bytes(2 * FULL))
    assert path.read_text() == "an older file"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "full"), "No space left on device"),
        (OSError("Can't write data (errno = 28, error message = 'No space')"), "No space left on"),
        (OSError("odd"), "(odd)"),
    ],
)
def test_what_is_said_of_a_file_that_no_key_names(error: OSError, reason: str) -> None:
    with pytest.raises(LangidError) as raised, writing(Path("a.h5")):
        raise error
    assert str(raised.value).startswith("a.h5: cannot be written (")
    assert reason in str(raised.value) and "finished work is kept" in str(raised.value)


def test_a_text_is_whole_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.tsv"
    write_text(path, "één\r\n\n")
    assert path.read_bytes() == "één\r\n\n".encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\udce9")
    with full_disk(), pytest.raises(LangidError, match=r"a\.tsv: cannot be written"):
        write_text(path, "a" * 2 * FULL)
    assert path.read_bytes() == "één\r\n\n".encode()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        (r"\bos\.(replace|rename)\(|\.partial[{\"]", "atomic_file.py"),
        (r"\.savefig\(|\.to_csv\((?!index=|sep=)", "plots.py"),  # of a table the text is made
    ],
)
def test_one_place_gives_a_file_its_name(pattern: str, place: str) -> None:
    package = Path(__file__).resolve().parents[1] / "langid"
    texts = [(path.name, path.read_text("utf-8")) for path in package.rglob("*.py")]
    assert [name for name, text in texts if re.search(pattern, text)] == [place]


@pytest.mark.parametrize(("kind", "suffix"), [("module", "pt"), ("pt2", "pt2")])
def test_torch_meets_no_full_disk(
    kind: str,
    suffix: str,
    checkpoint_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FULL}, -1)); "
    command = f"{limit}from langid.commands.main import main; import sys; sys.exit(main())"
    path = tmp_path / f"model.{suffix}"
    arguments = [f"checkpoint={checkpoint_path}", f"output={path}", f"format={kind}"]
    done = subprocess.run(
        [sys.executable, "-c", command, "export", *arguments, f"audio={real_clips[0]}"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines() == [
        f"langid: output={path}: cannot be written (File too large); choose another output=PATH"
    ]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, others = tmp_path / f"model.{gone.pid}.partial.onnx", []
    for name in (f"model.{os.getppid()}.partial.onnx", f"other.{gone.pid}.partial.onnx"):
        others.append(tmp_path / name)
    for path in (left, *others):
        path.touch()
    with replaced(tmp_path / "model.onnx") as partial:
        partial.touch()
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "model.onnx"])


def test_a_folder_is_there_with_all_its_files_or_not(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, path = tmp_path / "in" / f"new.{gone.pid}.partial", tmp_path / "in" / "new"
    left.mkdir(parents=True)
    (left / "a").touch()
    full = pytest.raises(LangidError, match=r"output=.*new: cannot be written")
    with full_disk(), full, new_folder(path, "output") as partial:
        (partial / "a").write_text("a")
        (partial / "b").write_bytes(b"b" * 2 * FULL)
    assert list(path.parent.iterdir()) == []
    with new_folder(path, "output") as partial:
        (partial / "a").write_text("a")
        assert not path.exists()
    assert [(child.name, child.read_text()) for child in path.iterdir()] == [("a", "a")]
    with (
        pytest.raises(LangidError, match=r"output=.*new: is there already; choose another"),
        new_folder(path, "output"),
    ):
        pass
    assert list(path.parent.iterdir()) == [path]
