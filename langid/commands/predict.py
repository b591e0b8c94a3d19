"""Say which language each file is, with all posteriors.

A file that cannot be used is reported, the others are still heard, and the exit code is 1.

Examples:
  langid predict model=model.onnx audio=clip.mp3
  langid predict model=model.onnx 'audio=[a.wav,b.flac]' json=true
"""

import json
import sys
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from langid.errors import LangidError
from langid.signal.audio import AudioError, read_blocks
from langid.streaming.decision import Decision
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windows import window_line


def run(config: DictConfig) -> int:
    """Print a line per file; return 1 where one could not be heard."""
    paths = list(config.audio) if isinstance(config.audio, ListConfig) else [config.audio]
    if not paths:
        raise LangidError("audio=[]: expected a file, or a list of files")
    stream = StreamingIdentifier.load(str(config.model))
    if line := window_line(stream.model.metadata):
        print(line, file=sys.stderr)
    failed = 0
    for path in paths:
        try:
            decision = _hear(stream, Path(str(path)))
        except LangidError as error:
            where = "" if isinstance(error, AudioError) else f"{path}: "
            print(f"langid: {where}{error}", file=sys.stderr)
            failed = 1
            continue
        if config.json:
            print(
                json.dumps({"audio": str(path), **vars(decision)}, ensure_ascii=False), flush=True
            )
        else:
            shares = "  ".join(f"{name} {value:.3f}" for name, value in decision.posteriors.items())
            print(f"{decision.label or 'no speech'}\t{shares}\t{path}", flush=True)
    return failed


def _hear(stream: StreamingIdentifier, path: Path) -> Decision:
    stream.reset()
    for block in read_blocks(path, stream.sample_rate):
        stream.feed(block)
    stream.flush()
    return stream.decision
