"""Mozilla Common Voice release folders, of every layout since the first."""

import os
from collections.abc import Sequence
from pathlib import Path

from langid.corpora.languages import language_of
from langid.corpora.manifest import Manifest, read_rows, require_columns
from langid.errors import LangidError

REQUIRED = ("client_id", "path")
SPLIT_OF_TSV = {"train": "train", "dev": "validation", "test": "test"}
SPELLINGS = {"fourties": "forties", "male_masculine": "male", "female_feminine": "female"}


class CommonVoice:
    """Reads ``RELEASE/LOCALE/{clips/,validated.tsv,...}`` of one or several releases.

    ``locales`` defaults to all that are found; one may stand in some of the releases only. ``tsv``
    names the table or tables to read; rows of ``train``, ``dev`` and ``test`` keep the corpus's own
    split. The speaker is ``client_id``, which is only approximately one person.
    """

    def __init__(
        self,
        root: str | Sequence[str],
        locales: str | Sequence[str] | None = None,
        tsv: str | Sequence[str] = "validated",
    ):
        roots = [root] if isinstance(root, str | Path) else list(root)
        self.roots = [Path(os.path.abspath(Path(folder).expanduser())) for folder in roots]
        locales = [locales] if isinstance(locales, str) else locales
        self.locales = list(locales) if locales is not None else None
        self.tables = [
            name.removesuffix(".tsv") for name in ([tsv] if isinstance(tsv, str) else list(tsv))
        ]
        if not self.roots or not self.tables or self.locales == []:
            raise LangidError("corpus.root, corpus.locales and corpus.tsv must not be empty lists")
        names = [folder.name for folder in self.roots]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise LangidError(
                f"corpus.root: more than one release folder is named {', '.join(doubled)}; the name"
                " identifies the corpus of a row, so give each folder once, with its own name"
            )

    def read(self) -> Manifest:
        """Return the utterances; rows that cannot be used stand in ``skipped`` with the reason.

        Raises LangidError for a missing folder, locale, table or column, and for an empty table.
        """
        found = {folder: self._locale_folders(folder) for folder in self.roots}
        present = {locale for locales in found.values() for locale in locales}
        wanted = sorted(present) if self.locales is None else self.locales
        unknown = [locale for locale in wanted if locale not in present]
        if unknown:
            raise LangidError(
                f"corpus.locales: no folder for {', '.join(unknown)} in"
                f" {', '.join(map(str, self.roots))}; found {', '.join(sorted(present))}"
            )
        manifest = Manifest()
        seen: dict[str, str] = {}
        for root, locales in found.items():
            for locale in (locale for locale in wanted if locale in locales):
                for table in self.tables:
                    self._read_table(root, locale, table, manifest, seen)
        if not manifest.utterances:
            raise LangidError(
                f"{', '.join(map(str, self.roots))}: no usable row; all {len(manifest.skipped)}"
                f" were left out, the first because: {manifest.skipped[0]['reason']}"
            )
        return manifest

    def _locale_folders(self, root: Path) -> list[str]:
        if not root.is_dir():
            raise LangidError(f"corpus.root={root}: no such folder")
        locales = [clips.parent.name for clips in root.glob("*/clips") if _tables(clips.parent)]
        if locales:
            return locales
        if _tables(root):
            remedy = (
                f"this looks like one locale's folder; give its parent: corpus.root={root.parent}"
            )
        else:
            releases = sorted({clips.parents[1].name for clips in root.glob("*/*/clips")})
            remedy = "expected LOCALE/clips/ and LOCALE/validated.tsv below it"
            if releases:
                remedy += f"; it holds release folders, give those: {', '.join(releases)}"
        raise LangidError(f"corpus.root={root}: no folder of a locale; {remedy}")

    def _read_table(
        self, root: Path, locale: str, table: str, manifest: Manifest, seen: dict[str, str]
    ) -> None:
        folder = root / locale
        source = folder / f"{table}.tsv"
        if not source.is_file():
            tables = ", ".join(_tables(folder))
            raise LangidError(f"{source}: no such table; corpus.tsv can be {tables}")
        header, rows = read_rows(source)
        require_columns(source, header, REQUIRED)
        if not rows:
            raise LangidError(f"{source}: the table has a header and no rows")
        clips = folder / "clips"
        present = set(os.listdir(clips)) if clips.is_dir() else set()
        for number, row in enumerate(rows, start=2):
            cells = dict(zip(header, row, strict=False))
            clip = _clip_name(cells.get("path", ""), present)
            if len(row) != len(header):
                reason = f"{len(row)} fields, the header has {len(header)}"
            elif clip is None:
                reason = f"the clip is not in {clips}"
            elif (key := f"{locale}/{Path(clip).stem}") in seen:
                reason = f"the same clip as in {seen[key]}"
            else:
                seen[key] = f"{source}:{number}"
                manifest.add(
                    utterance_id=f"{root.name}/{locale}/{Path(clip).stem}",
                    path=str(clips / clip),
                    language=language_of(locale),
                    split=SPLIT_OF_TSV.get(table, ""),
                    corpus=root.name,
                    **_speaker_columns(cells),
                )
                continue
            manifest.skip(f"{source}:{number}", cells.get("path", ""), language_of(locale), reason)


def _tables(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.tsv"))


def _clip_name(path: str, present: set[str]) -> str | None:
    """Return the clip's file name as it stands in the folder; early tables leave out ``.mp3``."""
    return next((name for name in (path, f"{path}.mp3") if name in present), None)


def _speaker_columns(cells: dict[str, str]) -> dict[str, str]:
    """Return speaker, age, gender and accent under the manifest's names and spellings."""
    age, gender = cells.get("age", ""), cells.get("gender", "")
    return {
        "speaker": cells["client_id"],
        "age": SPELLINGS.get(age, age),
        "gender": SPELLINGS.get(gender, gender),
        "accent": cells.get("accents") or cells.get("accent") or "",
    }
