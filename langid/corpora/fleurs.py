"""FLEURS (Conneau et al., 2022; arXiv:2205.12446) as it lies on the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from langid.audio.archives import contents
from langid.corpora.clip_folder import ClipFolder, converted_note
from langid.corpora.folder_walk import is_hidden, root_folders
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import EmptyTableError, Manifest, Reader, read_rows
from langid.errors import LangidError

COLUMNS = (
    "id", "file_name", "raw_transcription", "transcription", "characters", "num_samples", "gender",
)  # fmt: skip
PARTS = {"train": "train", "dev": "validation", "test": "test"}
SAMPLE_RATE = 16000
NAME = "fleurs"


class Fleurs(Reader):
    """Reads ``ROOT/data/LOCALE/{train,dev,test}.tsv`` with ``audio/PART.tar.gz``, unpacked or not.

    Where ``audio/PART/`` is there it is read; an archive is not unpacked (see
    ``langid.audio.archives``). ``locales`` (``en_us``, ``hi_in``, ``cmn_hans_cn``) defaults to all
    that are found, ``parts`` to the three, which are the corpus's own. Speakers are unknown; those
    of the training part are said to be no others' speakers.
    """

    def __init__(
        self,
        root: str,
        locales: str | Sequence[str] | None = None,
        parts: str | Sequence[str] = tuple(PARTS),
    ):
        (self.root,) = root_folders(root)
        locales = [locales] if isinstance(locales, str) else locales
        self.locales = list(locales) if locales is not None else None
        self.parts = [parts] if isinstance(parts, str) else list(parts)
        if wrong := [part for part in self.parts if part not in PARTS]:
            raise LangidError(
                f"corpus.parts: no {', '.join(wrong)}; accepted are {', '.join(PARTS)}"
            )
        if not self.parts or self.locales == []:
            raise LangidError("corpus.locales and corpus.parts must not be empty lists")

    def read(self) -> Manifest:
        """Return the utterances; rows that cannot be used stand in ``skipped`` with the reason.

        So do tables and sound that are not there. Raises LangidError for a missing folder or
        locale, an archive that is not whole, and where no row at all can be used.
        """
        if not self.root.is_dir():
            raise LangidError(f"corpus.root={self.root}: no such folder")
        data = self.root / "data" if (self.root / "data").is_dir() else self.root
        tables = [path for part in PARTS for path in data.glob(f"*/{part}.tsv")]
        found = sorted({path.parent.name for path in tables if not is_hidden(path.parent.name)})
        if not found:
            of_locale = any((data / f"{part}.tsv").is_file() for part in PARTS)
            hint = f"; this is one: corpus.root={data.parent} 'corpus.locales=[{data.name}]'"
            raise LangidError(
                f"corpus.root={self.root}: no {' or '.join(f'{part}.tsv' for part in PARTS)} in a"
                " folder of a locale; expected data/en_us/train.tsv and data/en_us/audio/"
                f"{hint if of_locale else ''}"
            )
        wanted = found if self.locales is None else self.locales
        if absent := [locale for locale in wanted if locale not in found]:
            raise LangidError(
                f"corpus.locales: no tables of {', '.join(absent)} in {data}; found"
                f" {', '.join(found)}"
            )
        manifest = Manifest(notes=unknown_note(data, wanted))
        for locale in wanted:
            for part in self.parts:
                _read_part(data / locale, part, manifest)
        return manifest.or_refused(
            f"corpus.root={self.root}: no usable row; all {len(manifest.skipped)} were left out"
        )


def _read_part(folder: Path, part: str, manifest: Manifest) -> None:
    source, language = folder / f"{part}.tsv", language_of(folder.name)
    clips = _clips(folder / "audio", part)
    lacking = [] if source.is_file() else ["no such table"]
    if clips is None:
        lacking.append(f"no sound: expected audio/{part}.tar.gz or a folder")
    if clips is None or lacking:
        manifest.skip(source, "", language, " and ".join(lacking))
        return
    try:
        header, rows = read_rows(source)
    except EmptyTableError:
        manifest.skip(source, "", language, "the table is empty")
        return
    usable: list[tuple[str, str, dict[str, str]]] = []
    seen: dict[str, str] = {}
    converted = []
    for number, row in enumerate([header, *rows], 1):
        place, cells = f"{source}:{number}", dict(zip(COLUMNS, row, strict=False))
        name = cells.get("file_name", "")
        files = clips.find(name)
        if len(row) != len(COLUMNS) or not cells["num_samples"].isdecimal():
            reason = f"{len(row)} fields; expected {', '.join(COLUMNS)} without a header"
        elif not files:
            reason = f"the clip is not in {clips.folder}"
        elif (first := seen.setdefault(files[0], place)) != place:
            reason = f"the same clip as in {first}"
        else:
            usable.append((place, files[0], cells))
            if files[0] != name:
                converted.append(files)
            continue
        manifest.skip(place, name, language, reason)
    for place, file, cells in sorted(usable, key=lambda each: clips.place(each[1])):
        manifest.add(place, **_columns(folder.name, part, clips.folder / file, cells))
    if converted:
        manifest.notes.append(f"{source}: {converted_note(converted)}")


def _columns(locale: str, part: str, clip: Path, cells: dict[str, str]) -> dict[str, str]:
    """Return a row under the manifest's names and spellings."""
    return {
        "utterance_id": f"{NAME}/{locale}/{part}/{clip.stem}",
        "path": str(clip),
        "language": language_of(locale),
        "split": PARTS[part],
        "gender": cells["gender"].lower().replace("other", ""),
        "duration_s": f"{int(cells['num_samples']) / SAMPLE_RATE:.3f}",
        "corpus": NAME,
    }


def _clips(audio: Path, part: str) -> ClipFolder | None:
    """Return the clips of a part, unpacked if they are that; None where there are none."""
    archive = audio / f"{part}.tar.gz"
    if (audio / part).is_dir() or not archive.is_file():
        return ClipFolder(audio / part) if (audio / part).is_dir() else None
    paths = [PurePosixPath(name) for name in contents(archive)]
    inside = next((path.parent for path in paths if not is_hidden(path.name)), PurePosixPath())
    return ClipFolder(archive / inside, [path.name for path in paths if path.parent == inside])
