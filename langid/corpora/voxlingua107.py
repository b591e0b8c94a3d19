"""VoxLingua107 (Valk and Alumäe, 2021; arXiv:2011.12998): a folder or a zip for each language."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from langid.audio.archives import contents
from langid.corpora.clip_folder import audio_suffixes, suffix_of
from langid.corpora.columns import names_of
from langid.corpora.folder_walk import is_hidden, root_folders, walk
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import Manifest, Reader
from langid.errors import LangidError

NAME = "voxlingua107"
DEV = "dev"  # the folder, or the zip, of the clips whose language was checked
EXPECTED = "expected ROOT/CODE/*.wav or ROOT/CODE.zip, such as ROOT/en.zip"
BEFORE_SPEAKER = "__U__"  # VIDEO__U__S1---0001.230-0008.910.wav; a video's name may have __ too


class VoxLingua107(Reader):
    """Reads ``ROOT/CODE/*.wav`` or ``ROOT/CODE.zip``, which is not unpacked, and ``dev`` likewise.

    ``locales`` are the codes of languages to read, by default all that are found. The source video,
    which the name of a file begins with, is the recording: speakers are unknown, and nobody is to
    be heard in two parts of a split. Clips of ``dev`` are the validation part, all others train.
    """

    def __init__(self, root: str, locales: str | Sequence[str] | None = None):
        (self.root,) = root_folders(root)
        locales = [locales] if isinstance(locales, str) else locales
        self.locales = list(locales) if locales is not None else None
        if self.locales == []:
            raise LangidError("corpus.locales must not be an empty list")

    def read(self) -> Manifest:
        """Return the utterances, by language; other files stand in ``skipped`` with the reason.

        Raises LangidError for a missing folder or language, a zip that is not whole, and where
        there is no clip at all.
        """
        if not self.root.is_dir():
            raise LangidError(f"corpus.root={self.root}: no such folder; {EXPECTED}")
        manifest, clips = Manifest(), Counter[str]()
        places = self._places(manifest)
        for name, place in places.items():
            if name == DEV or self.locales is None or name in self.locales:
                self._read_place(name, place, manifest, clips)
        codes = {*places, *clips} - {DEV}
        if absent := [code for code in self.locales or () if not clips[code]]:
            raise LangidError(
                f"corpus.locales: no clip of {', '.join(absent)} in {self.root}; found"
                f" {', '.join(sorted(codes.difference(absent))) or 'none'}"
                f"{_first_left_out(manifest, absent)}"
            )
        manifest.notes += unknown_note(self.root, places.keys() - {DEV})
        return manifest.or_refused(f"corpus.root={self.root}: no clip in {', '.join(places)}")

    def _places(self, manifest: Manifest) -> dict[str, Path]:
        """Return the folder or the zip of each language and of ``dev``, sorted by name.

        Raises LangidError where there is none.
        """
        found: dict[str, Path] = {}
        for path in sorted(self.root.iterdir(), key=lambda path: (path.is_file(), path.name)):
            if is_hidden(path.name) or not (path.is_dir() or suffix_of(path.name) == "zip"):
                continue
            name = path.name if path.is_dir() else path.stem
            if name in found:
                manifest.notes.append(f"{path}: not read, {found[name].name} is there too")
            else:
                found[name] = path
        if not found:
            names = sorted(path.name for path in self.root.iterdir() if not is_hidden(path.name))
            raise LangidError(
                f"corpus.root={self.root}: no folder and no zip of a language; {EXPECTED}; found"
                f" {names_of(names) or 'nothing'}"
            )
        return dict(sorted(found.items()))

    def _read_place(self, name: str, place: Path, manifest: Manifest, clips: Counter[str]) -> None:
        """Add the clips of a folder or a zip and count them by code; codes not asked for have 0."""
        for path in _files(place):
            folder = path.parent.name or name
            code = folder if name == DEV else name
            if code not in (DEV, *(self.locales or (code,))):
                clips[code] += 0
                continue
            language, reason = "" if code == DEV else language_of(code), ""
            if suffix_of(path.name) not in audio_suffixes():
                reason = f"not an audio format that libsndfile reads ({path.suffix or 'no suffix'})"
            elif code == DEV:
                reason = "lies in no folder of a language; expected dev/CODE/FILE"
            elif folder != code:
                reason = f"lies in the folder {folder}; expected {code}"
            if reason:
                manifest.skip(place, str(place / path), language, reason)
                continue
            clips[code] += 1
            video = path.stem.rpartition(BEFORE_SPEAKER)[0] or path.stem.partition("__")[0]
            manifest.add(
                place,
                utterance_id=f"{NAME}/{'dev/' * (name == DEV)}{code}/{path.stem}",
                path=str(place / path),
                language=language,
                split="validation" if name == DEV else "train",
                corpus=NAME,
                recording=f"{NAME}/{video}",
            )


def _first_left_out(manifest: Manifest, codes: Sequence[str]) -> str:
    """Return why the first file of codes without clips was left out, to be added to an error."""
    languages = {language_of(code) for code in codes}
    first = next((row for row in manifest.skipped if row["language"] in languages), None)
    return f"; left out was {first['path']}, which {first['reason']}" if first else ""


def _files(place: Path) -> Iterator[PurePosixPath]:
    """Yield the files of a folder, or of a zip, as paths in it."""
    if place.is_dir():
        files, _ = walk(place)
        yield from (PurePosixPath(path.relative_to(place).as_posix()) for path in files)
        return
    for name in contents(place):
        if not any(is_hidden(part) for part in PurePosixPath(name).parts):
            yield PurePosixPath(name)
