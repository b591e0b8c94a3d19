"""A folder per language: ``ROOT/LANGUAGE/**/*.wav``, any format that libsndfile reads."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import soundfile

from langid.corpora.languages import language_of
from langid.corpora.manifest import Manifest
from langid.errors import LangidError


class Folders:
    """Reads speech that is sorted into one folder per language, named by locale or by name.

    Speakers are unknown unless ``speaker_pattern`` is given: a regular expression whose first
    group, searched in the path below the language's folder, is the speaker.
    """

    def __init__(self, root: str | Sequence[str], speaker_pattern: str | None = None):
        roots = [root] if isinstance(root, str | Path) else list(root)
        self.roots = [Path(os.path.abspath(Path(folder).expanduser())) for folder in roots]
        try:
            self.speaker = re.compile(speaker_pattern) if speaker_pattern else None
        except re.error as error:
            raise LangidError(
                f"corpus.speaker_pattern={speaker_pattern}: not a regular expression ({error})"
            ) from error
        if self.speaker and not self.speaker.groups:
            raise LangidError(
                f"corpus.speaker_pattern={speaker_pattern}: needs a group, such as ^([^/]+)/"
            )
        names = [folder.name for folder in self.roots]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise LangidError(
                f"corpus.root: more than one folder is named {', '.join(doubled)}; the name"
                " identifies the corpus of a row, so give each folder once, with its own name"
            )
        if not names:
            raise LangidError("corpus.root must not be an empty list")

    def read(self) -> Manifest:
        """Return the utterances in the order of their paths; other files stand in ``skipped``.

        Raises LangidError for a missing folder and for one without any audio.
        """
        manifest = Manifest()
        for root in self.roots:
            if not root.is_dir():
                raise LangidError(f"corpus.root={root}: no such folder")
            languages = sorted(path for path in root.iterdir() if path.is_dir())
            if not languages:
                raise LangidError(f"corpus.root={root}: no folders; expected one per language")
            for folder in languages:
                self._read_language(root, folder, manifest)
        if not manifest.utterances:
            raise LangidError(
                f"corpus.root={', '.join(map(str, self.roots))}: no audio file below a language's"
                f" folder; libsndfile reads {', '.join(sorted(_suffixes()))}"
            )
        return manifest

    def _read_language(self, root: Path, folder: Path, manifest: Manifest) -> None:
        suffixes = _suffixes()
        language = language_of(folder.name)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            below = path.relative_to(folder).as_posix()
            reason = ""
            if path.suffix.lower().lstrip(".") not in suffixes:
                reason = f"not an audio format that libsndfile reads ({path.suffix or 'no suffix'})"
            elif not _is_text(str(path)):
                reason = "the name of the file is not UTF-8; rename it"
            if reason:
                manifest.skip(folder, os.fsencode(path).decode(errors="replace"), language, reason)
                continue
            match = self.speaker.search(below) if self.speaker else None
            manifest.add(
                utterance_id=f"{root.name}/{folder.name}/{below}",
                path=str(path),
                language=language,
                speaker=match.group(1) if match else "",
                corpus=root.name,
            )


def _suffixes() -> set[str]:
    """Return the suffixes of files that libsndfile reads; raw samples do not say what they are."""
    formats = {name.lower() for name in soundfile.available_formats()} - {"raw"}
    return formats | {"aif", "aifc", "oga", "opus", "sph", "snd", "wave"}


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
