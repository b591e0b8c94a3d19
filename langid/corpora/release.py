"""A release of Common Voice as it lies on disk: unpacked, or still in the archive it came in."""

import functools
import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from langid.audio.archives import contents, is_archive, stem_of
from langid.corpora.clip_folder import ClipFolder
from langid.corpora.folder_walk import is_hidden
from langid.errors import LangidError
from langid.typed import override


class Locale:
    """One locale of a release: its ``folder`` with ``clips/`` and tables, and where both are from.

    ``release`` is the name of the release, ``code`` that of the locale.
    """

    def __init__(self, folder: Path, release: str, code: str):
        self.folder = folder
        self.release = release
        self.code = code

    @functools.cached_property
    def clips(self) -> ClipFolder:
        """The clips, which are listed once."""
        return ClipFolder(self.folder / "clips")

    @property
    def tables(self) -> list[str]:
        """The names of the tables, without ``.tsv``."""
        return sorted(path.stem for path in self.folder.glob("*.tsv") if not is_hidden(path.name))

    def table(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a table, of those that are there."""
        with (self.folder / f"{name}.tsv").open("rb") as file:
            yield from file


class PackedLocale(Locale):
    """A locale in an archive: what was found there when it was gone through."""

    def __init__(self, folder: Path, release: str, code: str):
        super().__init__(folder, release, code)
        self.names: list[str] = []
        self.content: dict[str, bytes] = {}

    @functools.cached_property
    def clips(self) -> ClipFolder:
        """The clips, in the order in which they lie in the archive."""
        return ClipFolder(self.folder / "clips", self.names)

    @property
    def tables(self) -> list[str]:
        """The names of the tables, without ``.tsv``."""
        return sorted(self.content)

    def table(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a table, of those that were asked for."""
        yield from io.BytesIO(self.content[name])


def locales_of(root: Path, tables: Iterable[str]) -> list[Locale]:
    """Return the locales of a release that is a folder or an archive, of which ``tables`` are read.

    Raises LangidError where that is not there, or holds no locale.
    """
    if root.is_file():
        return _packed(root, {f"{name}.tsv" for name in tables})
    if not root.is_dir():
        raise LangidError(f"corpus.root={root}: no such folder")
    folders = [clips.parent for clips in root.glob("*/clips")]
    found = [Locale(path, root.name, path.name) for path in folders if not is_hidden(path.name)]
    found = [locale for locale in found if locale.tables]
    if found:
        return found
    remedy = "expected LOCALE/clips/ and LOCALE/validated.tsv below it"
    if Locale(root, "", "").tables:
        parent = override("corpus.root", root.parent)
        remedy = f"this looks like one locale's folder; give its parent: {parent}"
    elif releases := sorted({clips.parents[1].name for clips in root.glob("*/*/clips")}):
        remedy += f"; it holds release folders, give those: {', '.join(releases)}"
    elif archives := sorted(path.name for path in root.iterdir() if is_archive(path)):
        remedy += f"; it holds archives, give those: {', '.join(archives)}"
    raise LangidError(f"corpus.root={root}: no folder of a locale; {remedy}")


def _packed(archive: Path, kept: set[str]) -> list[Locale]:
    """Return the locales of an archive; where folders have no name, its own stands for that."""
    if not is_archive(archive):
        raise LangidError(
            f"corpus.root={archive}: is a file; expected a release's folder, or its archive"
            " (.tar.gz, .tar, .zip)"
        )
    found: dict[PurePosixPath, PackedLocale] = {}
    tables: dict[PurePosixPath, dict[str, bytes]] = {}
    for name, content in contents(archive, kept).items():
        path = PurePosixPath(name)
        if any(is_hidden(part) for part in path.parts):
            continue
        if path.parent.name == "clips":
            folder = path.parents[1]
            if folder not in found:
                release = folder.parent.name or stem_of(archive)
                code = folder.name or stem_of(archive)
                found[folder] = PackedLocale(archive / folder, release, code)
            found[folder].names.append(path.name)
        elif path.suffix == ".tsv":
            tables.setdefault(path.parent, {})[path.stem] = content
    for folder, locale in found.items():
        locale.content = tables.get(folder, {})
    whole = [locale for locale in found.values() if locale.tables]
    if not whole:
        raise LangidError(
            f"corpus.root={archive}: no locale in it; expected RELEASE/LOCALE/clips/ and"
            " RELEASE/LOCALE/validated.tsv"
        )
    return list(whole)
