"""Say which language each file is, with all posteriors.

A file that cannot be used is reported, the others are still heard, and the exit code is 1. Below
the posterior unknown_below, for which langid evaluate part=validation finds values, a file is
"unknown".

Examples:
  langid predict model=model.onnx audio=clip.mp3
  langid predict model=model.onnx 'audio=[a.wav,b.flac]' unknown_below=0.7 json=true
"""

import json
import sys

from omegaconf import DictConfig

from langid.audio.decode import AudioError, read_blocks
from langid.commands.paths import listed
from langid.commands.stream import open_stream
from langid.errors import LangidError
from langid.streaming.decision import SETTINGS
from langid.streaming.sources import recording


def run(config: DictConfig) -> int:
    """Print a line per file; return 1 where one could not be heard."""
    paths = listed(config.audio)
    if not paths:
        raise LangidError("audio=[]: expected a file, or a list of files")
    stream = open_stream(config, SETTINGS)
    failed = 0
    for path in paths:
        try:
            stream.reset()
            for block in read_blocks(recording(path), stream.sample_rate):
                stream.feed(block)
            stream.flush()
        except LangidError as error:
            where = "" if isinstance(error, AudioError) else f"{path}: "
            print(f"langid: {where}{error}", file=sys.stderr)
            failed = 1
            continue
        decision = stream.decision
        if config.json:
            values = {"audio": str(path), **vars(decision)}
            print(json.dumps(values, ensure_ascii=False), flush=True)
        else:
            shares = "  ".join(f"{name} {value:.3f}" for name, value in decision.posteriors.items())
            label = decision.label or ("undecided" if decision.speech_s else "no speech")
            print(f"{label}\t{shares}\t{path}", flush=True)
    return failed
