"""VoxLingua107 (Valk and Alumäe, 2021; arXiv:2011.12998): a folder or a zip for each language."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from langid.audio.archives import contents
from langid.corpora.clip_folder import audio_suffixes, suffix_of
from langid.corpora.folder_walk import is_hidden, root_folders, walk
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import Manifest, Reader
from langid.errors import LangidError

NAME = "voxlingua107"
DEV = "dev"  # the folder, or the zip, of the clips whose language was checked
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
            raise LangidError(f"corpus.root={self.root}: no such folder")
        manifest = Manifest()
        places = self._places(manifest)
        absent = [code for code in self.locales or () if not {code, DEV} & places.keys()]
        if absent or not places:
            raise LangidError(
                f"corpus.root={self.root}: no folder and no zip of"
                f" {', '.join(absent) or 'a language'}; found {', '.join(places) or 'none'}"
            )
        for name, place in places.items():
            if name == DEV or self.locales is None or name in self.locales:
                self._read_place(name, place, manifest)
        manifest.notes += unknown_note(self.root, {name for name in places if name != DEV})
        return manifest.or_refused(f"corpus.root={self.root}: no clip in {', '.join(places)}")

    def _places(self, manifest: Manifest) -> dict[str, Path]:
        """Return the folder or the zip of each language and of ``dev``, sorted by name."""
        found: dict[str, Path] = {}
        for path in sorted(self.root.iterdir(), key=lambda path: (path.is_file(), path.name)):
            if is_hidden(path.name) or not (path.is_dir() or path.suffix == ".zip"):
                continue
            name = path.name if path.is_dir() else path.stem
            if name in found:
                manifest.notes.append(f"{path}: not read, the folder {name} is there too")
            else:
                found[name] = path
        return dict(sorted(found.items()))

    def _read_place(self, name: str, place: Path, manifest: Manifest) -> None:
        for path in _files(place):
            folder = path.parent.name or name
            code = folder if name == DEV else name
            if name == DEV and self.locales is not None and code not in self.locales:
                continue
            reason = ""
            if suffix_of(path.name) not in audio_suffixes():
                reason = f"not an audio format that libsndfile reads ({path.suffix or 'no suffix'})"
            elif folder != code:
                reason = f"lies in the folder {folder}; expected {code}"
            if reason:
                manifest.skip(place, str(place / path), language_of(code), reason)
                continue
            video = path.stem.rpartition(BEFORE_SPEAKER)[0] or path.stem.partition("__")[0]
            manifest.add(
                place,
                utterance_id=f"{NAME}/{'dev/' * (name == DEV)}{code}/{path.stem}",
                path=str(place / path),
                language=language_of(code),
                split="validation" if name == DEV else "train",
                corpus=NAME,
                recording=f"{NAME}/{video}",
            )


def _files(place: Path) -> Iterator[PurePosixPath]:
    """Yield the files of a folder, or of a zip, as paths in it."""
    if place.is_dir():
        files, _ = walk(place)
        yield from (PurePosixPath(path.relative_to(place).as_posix()) for path in files)
        return
    for name in contents(place):
        if not any(is_hidden(part) for part in PurePosixPath(name).parts):
            yield PurePosixPath(name)
