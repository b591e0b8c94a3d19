"""Mozilla Common Voice release folders, of every layout since the first."""

from collections.abc import Sequence
from pathlib import Path

from langid.corpora.clip_folder import ClipFolder, converted_note
from langid.corpora.folder_walk import is_hidden, root_folders
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import EmptyTableError, Manifest, Reader, read_rows, require_columns
from langid.errors import LangidError
from langid.typed import override

REQUIRED = ("client_id", "path")
SPLIT_OF_TSV = {"train": "train", "dev": "validation", "test": "test"}
SHOWN = 20  # as many locales as a note names
SPELLINGS = {"fourties": "forties", "male_masculine": "male", "female_feminine": "female"}


class CommonVoice(Reader):
    """Reads ``RELEASE/LOCALE/{clips/,validated.tsv,...}`` of one or several releases.

    ``locales`` defaults to all that are found; one may stand in some of the releases only. ``tsv``
    names the table or tables to read; rows of ``train``, ``dev`` and ``test`` keep the corpus's own
    split. The speaker is ``client_id``, which is only approximately one person. Clips that were
    converted are found although the tables still say ``.mp3``.
    """

    def __init__(
        self,
        root: str | Sequence[str],
        locales: str | Sequence[str] | None = None,
        tsv: str | Sequence[str] = "validated",
    ):
        self.roots = root_folders(root)
        locales = [locales] if isinstance(locales, str) else locales
        self.locales = list(locales) if locales is not None else None
        tables = [tsv] if isinstance(tsv, str) else tsv
        self.tables = [name.removesuffix(".tsv") for name in tables]
        if not self.tables or self.locales == []:
            raise LangidError("corpus.locales and corpus.tsv must not be empty lists")

    def read(self) -> Manifest:
        """Return the utterances; rows that cannot be used stand in ``skipped`` with the reason.

        So do tables that a locale does not have, or only as a header. Raises LangidError for a
        missing folder, locale or column, and where no row at all can be used.
        """
        found = {folder: self._locale_folders(folder) for folder in self.roots}
        wanted = self._wanted({locale for locales in found.values() for locale in locales})
        manifest = Manifest()
        seen: dict[str, str] = {}
        for root, locales in found.items():
            chosen = [locale for locale in wanted if locale in locales]
            manifest.notes += unknown_note(root, chosen)
            absent: dict[str, list[str]] = {}
            for locale in chosen:
                clips = ClipFolder(root / locale / "clips")
                for table in self.tables:
                    if not self._read_table(clips, table, manifest, seen):
                        absent.setdefault(table, []).append(locale)
            for table, without in absent.items():
                names = ", ".join(without[:SHOWN]) + (" and others" if len(without) > SHOWN else "")
                manifest.notes.append(
                    f"{root}: {table}.tsv is missing or has no rows in {len(without)} of"
                    f" {len(chosen)} locales ({names}); what is there is read"
                )
        return manifest.or_refused(
            f"{', '.join(map(str, self.roots))}: no usable row; all {len(manifest.skipped)} were"
            " left out"
        )

    def _wanted(self, present: set[str]) -> list[str]:
        wanted = sorted(present) if self.locales is None else self.locales
        if unknown := [locale for locale in wanted if locale not in present]:
            raise LangidError(
                f"corpus.locales: no folder for {', '.join(unknown)} in"
                f" {', '.join(map(str, self.roots))}; found {', '.join(sorted(present))}"
            )
        return wanted

    def _locale_folders(self, root: Path) -> list[str]:
        if not root.is_dir():
            raise LangidError(f"corpus.root={root}: no such folder")
        folders = [clips.parent for clips in root.glob("*/clips")]
        locales = [path.name for path in folders if _tables(path) and not is_hidden(path.name)]
        if locales:
            return locales
        remedy = "expected LOCALE/clips/ and LOCALE/validated.tsv below it"
        if _tables(root):
            parent = override("corpus.root", root.parent)
            remedy = f"this looks like one locale's folder; give its parent: {parent}"
        elif releases := sorted({clips.parents[1].name for clips in root.glob("*/*/clips")}):
            remedy += f"; it holds release folders, give those: {', '.join(releases)}"
        raise LangidError(f"corpus.root={root}: no folder of a locale; {remedy}")

    def _read_table(
        self, clips: ClipFolder, table: str, manifest: Manifest, seen: dict[str, str]
    ) -> bool:
        """Add the rows of a locale's table; return whether it has any."""
        source = clips.folder.with_name(f"{table}.tsv")
        locale = source.parent.name
        try:
            header, rows = _content(source)
        except EmptyTableError as error:
            manifest.skip(source, "", language_of(locale), str(error).removeprefix(f"{source}: "))
            return False
        converted = []
        for number, row in enumerate(rows, start=2):
            place, cells = f"{source}:{number}", dict(zip(header, row, strict=False))
            path = cells.get("path", "")
            files = clips.find(path)
            key = f"{locale}/{Path(files[0]).stem}" if files else ""
            if len(row) != len(header):
                reason = f"{len(row)} fields, the header has {len(header)}"
            elif not files:
                reason = f"the clip is not in {clips.folder}"
            elif (first := seen.setdefault(key, place)) != place:
                reason = f"the same clip as in {first}"
            else:
                manifest.add(place, **_columns(clips.folder / files[0], table, cells))
                if files[0] not in clips.names_of(path):
                    converted.append(files)
                continue
            manifest.skip(place, path, language_of(locale), reason)
        if converted:
            manifest.notes.append(f"{source}: {converted_note(converted)}")
        return True


def _tables(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.tsv") if not is_hidden(path.name))


def _content(source: Path) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table; raise EmptyTableError where it has none."""
    if not source.is_file():
        tables = ", ".join(_tables(source.parent))
        raise EmptyTableError(f"no such table; corpus.tsv can be {tables}")
    header, rows = read_rows(source)
    require_columns(source, header, REQUIRED)
    if not rows:
        raise EmptyTableError("the table has a header and no rows")
    return header, rows


def _columns(clip: Path, table: str, cells: dict[str, str]) -> dict[str, str]:
    """Return a row under the manifest's names and spellings."""
    root, locale = clip.parents[2].name, clip.parents[1].name
    age, gender = cells.get("age", ""), cells.get("gender", "")
    return {
        "utterance_id": f"{root}/{locale}/{clip.stem}",
        "path": str(clip),
        "language": language_of(locale),
        "speaker": cells["client_id"],
        "split": SPLIT_OF_TSV.get(table, ""),
        "age": SPELLINGS.get(age, age),
        "gender": SPELLINGS.get(gender, gender),
        "accent": cells.get("accents") or cells.get("accent") or "",
        "corpus": root,
    }
