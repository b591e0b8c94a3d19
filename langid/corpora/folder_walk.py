"""The files below a folder, behind links as well, without what systems keep there."""

import os
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from langid.errors import LangidError

OF_SYSTEMS = ("@eaDir", "__MACOSX")  # of network disks, and of archives that were made on a Mac


def root_folders(root: str | Sequence[str]) -> list[Path]:
    """Return the absolute folders of ``corpus.root``; raises LangidError where names are shared."""
    roots = [root] if isinstance(root, str | Path) else list(root)
    folders = [Path(os.path.abspath(Path(folder).expanduser())) for folder in roots]
    if not folders:
        raise LangidError("corpus.root must not be an empty list")
    names = Counter(folder.name for folder in folders)
    if doubled := sorted(name for name in names if names[name] > 1):
        raise LangidError(
            f"corpus.root: more than one folder is named {', '.join(doubled)}; the name"
            " identifies the corpus of a row, so give each folder once, with its own name"
        )
    return folders


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name holds no data of the user's."""
    return name.startswith(".") or name in OF_SYSTEMS


def walk(root: Path) -> tuple[list[Path], dict[Path, str]]:
    """Return the files below a folder, sorted, and what is left out, with the reasons.

    Each folder is entered once, by its own path if it has one. Left out are hidden names, links
    that lead nowhere, upwards or to a folder that was entered, and folders that cannot be read.
    Raises OSError where that is ``root``.
    """
    files: list[Path] = []
    left_out: dict[Path, str] = {}
    above = [*root.absolute().parents, *root.resolve().parents]
    known = {folder.stat()[1:3]: f"leads up to {folder}" for folder in above}
    folders, links = deque([root]), deque[Path]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            identity = folder.stat()[1:3]  # inode and device
            if identity in known:
                left_out[folder] = known[identity]
                continue
            known[identity] = f"the same folder as {folder}"
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                raise
            left_out[folder] = f"the folder cannot be read ({error.strerror})"
            continue
        for entry in entries:
            path = folder / entry.name
            if reason := _obstacle(entry):
                left_out[path] = reason
            elif entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)
            else:
                files.append(path)
    return sorted(files), left_out


def _obstacle(entry: "os.DirEntry[str]") -> str:
    """Return why an entry of a folder is neither a file nor a folder to go on with, or nothing."""
    if is_hidden(entry.name):
        return "hidden, or kept by the system"
    try:
        if entry.is_dir() or entry.is_file():
            return ""
        return "a link that leads nowhere" if entry.is_symlink() else "not a file"
    except OSError as error:  # links in a circle, say
        return f"cannot be read ({error.strerror})"
