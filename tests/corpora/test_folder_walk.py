import os
from pathlib import Path

import pytest

from langid.corpora.folder_walk import walk


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def told(root: Path) -> tuple[list[str], dict[str, str]]:
    """Return what a walk finds and leaves out, by paths below the root."""
    files, left_out = walk(root)
    reasons = {path.relative_to(root).as_posix(): why for path, why in left_out.items()}
    return [path.relative_to(root).as_posix() for path in files], reasons


def test_folders_behind_links_are_entered_and_hidden_ones_are_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(tmp_path / "elsewhere", "deep/1.wav", ".git/2.wav")
    fill(root, "b/3.wav", "b/._3.wav", ".ipynb_checkpoints/4.wav", "b/@eaDir/5.wav", "a.txt",
         "__MACOSX/6.wav")  # fmt: skip
    (root / "b" / "link").symlink_to(tmp_path / "elsewhere")
    (root / "file.wav").symlink_to(tmp_path / "elsewhere" / "deep" / "1.wav")
    files, left_out = told(root)
    assert files == ["a.txt", "b/3.wav", "b/link/deep/1.wav", "file.wav"]
    assert set(left_out.values()) == {"hidden, or kept by the system"}
    assert set(left_out) == {
        ".ipynb_checkpoints", "__MACOSX", "b/._3.wav", "b/@eaDir", "b/link/.git",
    }  # fmt: skip
    (tmp_path / "root_link").symlink_to(root)
    assert told(tmp_path / "root_link") == (files, left_out)


def test_links_in_circles_upwards_and_to_nothing_are_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(root, "z/1.wav", "z/deep/2.wav")
    fill(tmp_path, "beside/secret.wav")
    for name, target in {
        "a": root / "z", "z/again": root / "z" / "deep", "z/deep/up": root, "z/top": tmp_path,
        "z/nothing": root / "absent", "z/itself": root / "z" / "itself",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.wav")
    files, left_out = told(root)
    assert files == ["z/1.wav", "z/deep/2.wav"]
    assert left_out["a"] == f"the same folder as {root}/z"
    assert left_out["z/again"] == f"the same folder as {root}/z/deep"
    assert left_out["z/deep/up"] == f"the same folder as {root}"
    assert left_out["z/top"] == f"leads up to {tmp_path}"
    assert left_out["z/nothing"] == "a link that leads nowhere"
    assert left_out["z/itself"].startswith("cannot be read (")
    assert left_out["pipe.wav"] == "not a file"
    assert len(left_out) == 7


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "shut/1.wav", "open/2.wav")
    (tmp_path / "shut").chmod(0)
    try:
        assert told(tmp_path) == (
            ["open/2.wav"], {"shut": "the folder cannot be read (Permission denied)"}
        )  # fmt: skip
    finally:
        (tmp_path / "shut").chmod(0o700)
