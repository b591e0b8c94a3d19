"""Say which language each file is, with all posteriors.

A file that cannot be used is reported, the others are still heard, and the exit code is 1. Of a
folder all audio files below it are heard. Below the posterior unknown_below, for which langid
evaluate part=validation finds values, a file is "unknown". Many files are shared by processes.

Examples:
  langid predict model=model.onnx audio=clip.mp3
  langid predict model=model.onnx 'audio=[a.wav,clips]' unknown_below=0.7 json=true
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from langid.audio.decode import AudioError
from langid.commands.paths import listed
from langid.errors import LangidError
from langid.progress import progress
from langid.streaming.clips import decide_all
from langid.streaming.decision import SETTINGS, Decision
from langid.streaming.streamer import StreamingIdentifier
from langid.workers import worker_count

FILES_A_PROCESS = 25  # one starts in half a second, in which it would hear 5 to 50


def run(config: DictConfig) -> int:
    """Print a line per file; return 1 where one could not be heard."""
    paths = [path for given in listed(config.audio) for path in _files(given)]
    if not paths:
        raise LangidError("audio=[]: expected a file, or a list of files")
    workers = worker_count(config.workers, most=len(paths) // FILES_A_PROCESS)
    settings = {key: config[key] for key in SETTINGS}
    stream = StreamingIdentifier.load(str(config.model), **settings)
    failed = 0
    with progress("hearing", "files") as bar:
        decided = decide_all(stream, str(config.model), paths, min(workers, len(paths)))
        for path, decision in zip(paths, bar.track(decided, total=len(paths)), strict=True):
            if isinstance(decision, LangidError):
                where = "" if isinstance(decision, AudioError) else f"{path}: "
                print(f"langid: {where}{decision}", file=sys.stderr)
                failed = 1
            else:
                print(_line(path, decision, config.json), flush=True)
    return failed


def _files(given: Any) -> Sequence[Any]:
    """Return a file as it was given, of a folder the audio files below it."""
    folder = Path(str(given))
    if str(given) == "" or not folder.is_dir():
        return [given]
    from langid.corpora.clip_folder import audio_suffixes, suffix_of
    from langid.corpora.folder_walk import walk

    found = [path for path in walk(folder)[0] if suffix_of(path.name) in audio_suffixes()]
    if not found:
        raise LangidError(
            f"audio={given}: no audio file below this folder; libsndfile reads"
            f" {', '.join(sorted(audio_suffixes()))}"
        )
    return found


def _line(path: Any, decision: Decision, as_json: bool) -> str:
    if as_json:
        return json.dumps({"audio": str(path), **vars(decision)}, ensure_ascii=False)
    shares = "  ".join(f"{name} {value:.3f}" for name, value in decision.posteriors.items())
    label = decision.label or ("undecided" if decision.speech_s else "no speech")
    return f"{label}\t{shares}\t{path}"
