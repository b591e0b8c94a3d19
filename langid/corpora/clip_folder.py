"""Clips that a table names, found in a folder by name or, where they were converted, by stem."""

import functools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import soundfile

from langid.corpora.folder_walk import is_hidden

RANKS = {"wav": 0, "flac": 1, "ogg": 2, "opus": 3}  # of several conversions; all others behind


@functools.cache
def audio_suffixes() -> frozenset[str]:
    """Return the suffixes of files that libsndfile reads; raw samples do not say what they are."""
    formats = {name.lower() for name in soundfile.available_formats()} - {"raw"}
    return frozenset(formats | {"aif", "aifc", "oga", "opus", "sph", "snd", "wave"})


def suffix_of(name: str) -> str:
    """Return a file's suffix in lower case, without the dot."""
    return os.path.splitext(name)[1].lower().removeprefix(".")


class ClipFolder:
    """The clips of a folder, which is listed once; tables may name them with another suffix.

    ``names`` are those of a folder that is in an archive; rows follow their order (see ``place``),
    which is what ``ordered`` says.
    """

    def __init__(self, folder: Path, names: Sequence[str] | None = None):
        self.folder = folder
        self.ordered = names is not None
        if names is None:
            self.names = dict.fromkeys(os.listdir(folder) if folder.is_dir() else (), 0)
        else:
            self.names = {name: place for place, name in enumerate(names)}

    def place(self, path: str) -> int:
        """Return after which others a clip lies; of clips that can be read in any order, none."""
        return self.names[os.path.basename(path)]

    def find(self, path: str) -> list[str]:
        """Return the files that a table's cell can mean, the one to take first."""
        if path in self.names:
            return [path]
        exact = [name for name in self.names_of(path) if name in self.names]
        if exact:
            return exact[:1]
        stem, _ = os.path.splitext(path)
        return self._of_stem.get(stem if suffix_of(path) in audio_suffixes() else path, [])

    @staticmethod
    def names_of(path: str) -> tuple[str, str]:
        """Return the names of the very file of a cell; early tables leave out ``.mp3``."""
        return path, f"{path}.mp3"

    @functools.cached_property
    def _of_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self.names, key=lambda name: (RANKS.get(suffix_of(name), 9), name)):
            if suffix_of(name) in audio_suffixes() and not is_hidden(name):
                found.setdefault(os.path.splitext(name)[0], []).append(name)
        return found


def converted_note(converted: Sequence[Sequence[str]]) -> str:
    """Return a line for people on clips that were found by their stems."""
    endings = Counter(suffix_of(files[0]) for files in converted)
    told = ", ".join(f"{count} are .{suffix}" for suffix, count in endings.most_common())
    several = [files for files in converted if len(files) > 1]
    note = f"clips with another ending than the table says: {told}"
    if several:
        note += f"; {len(several)} are there more than once, and the first of them is read, as in"
        note += f" {', '.join(several[0])}"
    return note
