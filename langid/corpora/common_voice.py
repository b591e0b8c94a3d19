"""Mozilla Common Voice releases, of every layout since the first, unpacked or not."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from langid.corpora.clip_folder import converted_note
from langid.corpora.columns import require_columns
from langid.corpora.folder_walk import root_folders
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import EmptyTableError, Manifest, Reader, rows_of
from langid.corpora.release import Locale, locales_of
from langid.errors import LangidError

REQUIRED = ("client_id", "path")
DURATIONS = "clip_durations"
DURATION_COLUMNS = ("clip", "duration[ms]")
OFFICIAL = ("train", "dev", "test")
SPLIT_OF_TSV = {"train": "train", "dev": "validation", "test": "test"}
SHOWN = 20  # as many locales as a note names
SPELLINGS = {"fourties": "forties", "male_masculine": "male", "female_feminine": "female"}


class Seen:
    """Which clips were read, by locale: in which table each, and where in it."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)

    def before(self, code: str, stem: str, table: str, line: int) -> str:
        """Return where a clip was read before, nothing if never; from now on it is."""
        tables = self._lines[code]
        for name, lines in tables.items():
            if stem in lines:
                return f"{name}:{lines[stem]}"
        tables.setdefault(table, {})[stem] = line
        return ""


class CommonVoice(Reader):
    """Reads ``RELEASE/LOCALE/{clips/,validated.tsv,...}`` of one or several releases.

    A release may also be the archive that it came in (``RELEASE-LOCALE.tar.gz``), which is never
    unpacked: its names and tables are read here in one pass, and its clips in the order in which
    they lie (see ``langid.audio.archives``). ``locales`` defaults to all that are found; one may
    stand in some of the releases only. ``tsv`` names the table or tables to read, ``other`` and
    ``invalidated`` say; rows of ``train``, ``dev`` and ``test`` keep the corpus's own split, and
    ``official`` stands for these three. The speaker is ``client_id``, which is only approximately
    one person. Clips that were converted are found although the tables still say ``.mp3``.
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
        given = [tsv] if isinstance(tsv, str) else tsv
        named = [OFFICIAL if name == "official" else (name.removesuffix(".tsv"),) for name in given]
        self.tables = list(dict.fromkeys(name for names in named for name in names))
        if not self.tables or self.locales == []:
            raise LangidError("corpus.locales and corpus.tsv must not be empty lists")

    def read(self) -> Manifest:
        """Return the utterances; rows that cannot be used stand in ``skipped`` with the reason.

        So do tables that a locale does not have, or only as a header. ``duration_s`` is that of
        ``clip_durations.tsv``, where there is one. Raises LangidError for a missing folder, locale
        or column, an archive that is not whole, and where no row at all can be used.
        """
        found = {root: locales_of(root, [*self.tables, DURATIONS]) for root in self.roots}
        wanted = self._wanted({locale.code for here in found.values() for locale in here})
        manifest = Manifest()
        seen = Seen()
        for root, here in found.items():
            chosen = sorted(
                (locale for locale in here if locale.code in wanted),
                key=lambda locale: wanted.index(locale.code),
            )
            manifest.notes += unknown_note(root, [locale.code for locale in chosen])
            absent: dict[str, list[str]] = {}
            for locale in chosen:
                for table in self._read_locale(locale, manifest, seen):
                    absent.setdefault(table, []).append(locale.code)
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

    def _read_locale(self, locale: Locale, manifest: Manifest, seen: Seen) -> list[str]:
        """Add the rows of a locale, and return the tables that it does not have."""
        before, durations = len(manifest.utterances), _durations(locale)
        absent = [
            table
            for table in self.tables
            if not _read_table(locale, table, durations, manifest, seen)
        ]
        if locale.clips.ordered:
            places = map(locale.clips.place, manifest.utterances.columns["path"][before:])
            order = sorted(enumerate(places, before), key=lambda each: each[1])
            manifest.utterances.reorder(before, (index for index, _ in order))
        return absent


def _read_table(
    locale: Locale,
    table: str,
    durations: Mapping[str, str],
    manifest: Manifest,
    seen: Seen,
) -> bool:
    """Add the rows of a locale's table; return whether it has any."""
    source, language = locale.folder / f"{table}.tsv", language_of(locale.code)
    try:
        header, rows = _content(locale, table)
    except EmptyTableError as error:
        manifest.skip(source, "", language, str(error).removeprefix(f"{source}: "))
        return False
    converted, clips, name = [], locale.clips, str(source)
    same = {"language": language, "split": SPLIT_OF_TSV.get(table, ""), "corpus": locale.release}
    folder, names = os.path.join(clips.folder, ""), f"{locale.release}/{locale.code}"
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(header, row, strict=False))
        path = cells.get("path", "")
        files = clips.find(path)
        stem = os.path.splitext(files[0])[0] if files else ""
        if len(row) != len(header):
            reason = f"{len(row)} fields, the header has {len(header)}"
        elif not files:
            reason = f"the clip is not in {clips.folder}"
        elif first := seen.before(locale.code, stem, name, number):
            reason = f"the same clip as in {first}"
        else:
            cells["duration_s"] = durations.get(path, "")
            place = {"utterance_id": f"{names}/{stem}", "path": folder + files[0]}
            manifest.add(f"{name}:{number}", **same, **place, **_columns(cells))
            if files[0] != path and files[0] not in clips.names_of(path):
                converted.append(files)
            continue
        manifest.skip(f"{name}:{number}", path, language, reason)
    if converted:
        manifest.notes.append(f"{source}: {converted_note(converted)}")
    return True


def _content(locale: Locale, table: str) -> tuple[list[str], Iterator[list[str]]]:
    """Return header and rows of a table, as they come; raise EmptyTableError where it has none."""
    if table not in locale.tables:
        there = ", ".join(name for name in locale.tables if name != DURATIONS)
        raise EmptyTableError(f"no such table; corpus.tsv can be {there}")
    source = locale.folder / f"{table}.tsv"
    header, rows = rows_of(locale.table(table), source)
    require_columns(source, header, REQUIRED)
    first = next(rows, None)
    if first is None:
        raise EmptyTableError("the table has a header and no rows")
    return header, chain([first], rows)


def _durations(locale: Locale) -> dict[str, str]:
    """Return the seconds of clips, by their names in the tables, where the release tells them."""
    if DURATIONS not in locale.tables:
        return {}
    source = locale.folder / f"{DURATIONS}.tsv"
    header, rows = rows_of(locale.table(DURATIONS), source)
    require_columns(source, header, DURATION_COLUMNS)
    of_clip, of_duration = map(header.index, DURATION_COLUMNS)
    cells = ((row[of_clip], row[of_duration]) for row in rows if len(row) == len(header))
    return {clip: f"{int(ms) / 1000:.3f}" for clip, ms in cells if ms.isdecimal()}


def _columns(cells: dict[str, str]) -> dict[str, str]:
    """Return what a row tells of its clip, under the manifest's names and spellings."""
    age, gender = cells.get("age", ""), cells.get("gender", "")
    return {
        "speaker": cells["client_id"],
        "age": SPELLINGS.get(age, age),
        "gender": SPELLINGS.get(gender, gender),
        "accent": cells.get("accents") or cells.get("accent") or "",
        "duration_s": cells["duration_s"],
    }
