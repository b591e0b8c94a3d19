"""Files inside archives, under paths as if these were folders: ``RELEASE.tar.gz/en/clips/a.mp3``.

A zip is read at any place. A tar, packed or not, has no index: each process that reads of one goes
through it once, from its beginning on, as long as it asks for files in the order in which they lie.
So readers of corpora give their rows that order, and ``prepare`` needs no disk beside its store
and memory for a single file, and goes on after a kill by going through the archive again, which
takes a tenth of the time of decoding it. The price is that every process unpacks the whole archive.
"""

import contextlib
import functools
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from langid.errors import LangidError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
BUFFER = 1 << 16
MOST_ROUNDS = 50  # through a tar, in one process
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError, RuntimeError,  # of zip: a method that is not known, and a password
)  # fmt: skip


class ArchiveError(LangidError):
    """An archive that cannot be read, or does not hold a file."""


def is_archive(path: Path) -> bool:
    """Return whether a path is, by its name, that of an archive."""
    return path.name.lower().endswith((".zip", *TARS))


def stem_of(path: Path) -> str:
    """Return the name of an archive without its suffixes."""
    suffix = next(end for end in (".zip", *TARS[::-1]) if path.name.lower().endswith(end))
    return path.name[: -len(suffix)]


def archive_and_name(path: Path) -> tuple[Path, str] | None:
    """Return the archive that a path leads into, and the file's name in it; None where none is."""
    for folder in path.parents:
        if is_archive(folder) and folder.is_file():
            return folder, path.relative_to(folder).as_posix()
    return None


def contents(archive: Path, kept: Collection[str] = ()) -> dict[str, bytes]:
    """Return the files of an archive in the order in which they lie, as paths with ``/``.

    Those whose last name is one of ``kept`` come with their content, all others with none. Raises
    ArchiveError for what is not a whole archive.
    """
    found = {}
    with _readable(archive):
        if archive.suffix.lower() == ".zip":
            with zipfile.ZipFile(archive) as packed:
                for name in packed.namelist():
                    if not name.endswith("/"):
                        wanted = PurePosixPath(name).name in kept
                        found[_normal(name)] = packed.read(name) if wanted else b""
            return found
        with tarfile.open(archive, "r|*", bufsize=BUFFER) as packed:
            for member in _files(packed):
                name, content = _normal(member.name), b""
                if PurePosixPath(name).name in kept:
                    content = _content(packed, member)
                found[name] = content
    return found


def read_file(archive: Path, name: str) -> bytes:
    """Return the content of a file of an archive; raises ArchiveError where that cannot be had."""
    with _readable(archive):
        content = _opened(archive).read(name)
    if content is None:
        raise ArchiveError(f"{archive}: holds no {name}")
    return content


class _Zip:
    def __init__(self, path: Path):
        self._file = zipfile.ZipFile(path)
        self._names = {_normal(name): name for name in self._file.namelist()}

    def read(self, name: str) -> bytes | None:
        return self._file.read(self._names[name]) if name in self._names else None


class _Tar:
    """A tar that is gone through forward, and from its beginning again for what lies before."""

    def __init__(self, path: Path):
        self._path = path
        self._rounds = 0
        self._rest: Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]] = iter(())

    def read(self, name: str) -> bytes | None:
        content = self._next(name)
        if content is None:
            self._rounds += 1
            if self._rounds > MOST_ROUNDS:
                raise ArchiveError(
                    f"{self._path}: its files are asked for in another order than they lie in, and"
                    f" it was gone through {MOST_ROUNDS} times; unpack it and prepare its folder"
                )
            packed = tarfile.open(self._path, "r|*", bufsize=BUFFER)  # noqa: SIM115
            self._rest = ((packed, member) for member in _files(packed))
            content = self._next(name)
        return content

    def _next(self, name: str) -> bytes | None:
        for packed, member in self._rest:
            if _normal(member.name) == name:
                return _content(packed, member)
        return None


@functools.lru_cache(2)
def _opened(archive: Path) -> _Zip | _Tar:
    return _Zip(archive) if archive.suffix.lower() == ".zip" else _Tar(archive)


def _files(packed: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := packed.next()) is not None:
        packed.members.clear()  # type: ignore[attr-defined]  # else it remembers all of a million files
        if member.isfile():
            yield member


def _content(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = packed.extractfile(member)
    assert file is not None
    return file.read()


def _normal(name: str) -> str:
    return str(PurePosixPath(name))


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        words = str(error).rstrip(".") or type(error).__name__
        raise ArchiveError(f"{archive}: not a whole archive that can be read ({words})") from error
