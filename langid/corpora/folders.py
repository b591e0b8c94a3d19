"""A folder per language: ``ROOT/LANGUAGE/**/*.wav``, any format that libsndfile reads."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from langid.corpora.clip_folder import audio_suffixes, suffix_of
from langid.corpora.folder_walk import is_hidden, root_folders, walk
from langid.corpora.languages import language_of, unknown_note
from langid.corpora.manifest import Manifest, Reader
from langid.errors import LangidError
from langid.typed import override

# Folders that hold the folders of languages, and are none.
PARTS = ("audio", "clips", "data", "dev", "test", "train", "val", "valid", "validation", "wav")


class Folders(Reader):
    """Reads speech that is sorted into one folder per language, named by locale or by name.

    Folders behind links are read too, each once; hidden files and folders are not. Speakers are
    unknown unless ``speaker_pattern`` is given: a regular expression whose first group, searched
    in the path below the language's folder, is the speaker.
    """

    def __init__(self, root: str | Sequence[str], speaker_pattern: str | None = None):
        self.roots = root_folders(root)
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

    def read(self) -> Manifest:
        """Return the utterances in the order of their paths; other files stand in ``skipped``.

        Raises LangidError for a missing folder and for one without any audio.
        """
        manifest = Manifest()
        for root in self.roots:
            if not root.is_dir():
                raise LangidError(f"corpus.root={root}: no such folder")
            folders = [p for p in sorted(root.iterdir()) if p.is_dir() and not is_hidden(p.name)]
            if not folders:
                raise LangidError(
                    f"corpus.root={root}: no folders; expected one per language. Of speech without"
                    " labels make one: mkdir NEW; ln -s"
                    f" {shlex.quote(os.path.abspath(root))} NEW/unlabelled; then corpus.root=NEW"
                    " and, to train, 'split.unlabelled=[unlabelled]'"
                )
            if all(_holds_folders(path) for path in folders):
                inside = str(folders[0]) if len(folders) == 1 else [str(path) for path in folders]
                raise LangidError(
                    f"corpus.root={root}: {', '.join(path.name for path in folders)} are no"
                    " languages; expected one folder per language. For the folders in them say"
                    f" {override('corpus.root', inside)}"
                )
            self._read_root(root, manifest)
        return manifest.or_refused(
            f"corpus.root={', '.join(map(str, self.roots))}: no audio file below a language's"
            f" folder; libsndfile reads {', '.join(sorted(audio_suffixes()))}"
        )

    def _read_root(self, root: Path, manifest: Manifest) -> None:
        files, left_out = walk(root)
        files = [path for path in files if path.parent != root]  # which would have no language
        left_out = {
            p: why for p, why in left_out.items() if p.parent != root or not is_hidden(p.name)
        }
        for path in files:
            if suffix_of(path.name) not in audio_suffixes():
                suffix = path.suffix or "no suffix"
                left_out[path] = f"not an audio format that libsndfile reads ({suffix})"
        manifest.notes += unknown_note(root, {path.relative_to(root).parts[0] for path in files})
        for path in sorted({*files, *left_out}):
            folder, *inside = path.relative_to(root).parts
            if path in left_out:
                manifest.skip(root / folder, str(path), language_of(folder), left_out[path])
                continue
            below = "/".join(inside)
            match = self.speaker.search(below) if self.speaker else None
            manifest.add(
                root / folder,
                utterance_id=f"{root.name}/{folder}/{below}",
                path=str(path),
                language=language_of(folder),
                speaker=(match.group(1) or "") if match else "",
                corpus=root.name,
            )


def _holds_folders(folder: Path) -> bool:
    """Return whether a folder is named as a part of a corpus, and has folders in it."""
    inside = next(os.walk(folder), ("", [], []))[1]
    return folder.name.lower() in PARTS and not all(map(is_hidden, inside))
