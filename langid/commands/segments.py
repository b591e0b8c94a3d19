"""Say which language is spoken when in a long recording: a timeline.

Changes of language are found by forgetting (half_life_s) and must last (min_duration_s); pauses cut
the timeline too (pause_s). Memory does not grow with the recording.

Examples:
  langid segments model=model.onnx audio=meeting.flac
  langid segments model=model.onnx audio=meeting.flac rttm=meeting.rttm plot=meeting.png json=true
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from langid.atomic_file import write_text
from langid.audio.decode import read_blocks
from langid.commands.paths import destination
from langid.commands.stream import open_stream
from langid.streaming.listening import Listening
from langid.streaming.segments import Segment, Segmenter
from langid.streaming.sources import recording
from langid.streaming.trace import Trace, draw

FEED_S = 1.0
SETTINGS = ("half_life_s", "min_duration_s", "pause_s", "languages")


def run(config: DictConfig) -> None:
    """Print each segment as soon as it is finished, then how long each language is spoken."""
    others = {"model": config.model, "audio": config.audio}
    plot = None if config.plot is None else destination("plot", config.plot, ".png", **others)
    others["plot"] = plot
    rttm = None if config.rttm is None else destination("rttm", config.rttm, ".rttm", **others)
    stream = open_stream(config)
    settings = {name: config[name] for name in SETTINGS}
    segmenter = Segmenter(stream.classes, stream.hop_s, **settings)
    listening = Listening(stream)
    trace = Trace(stream.classes, stream.hop_samples, stream.sample_rate)
    audio = recording(config.audio)
    found: list[Segment] = []
    for segment in _segments(segmenter, listening, audio, trace):
        if not (found or config.json):
            print(f"{'start':>9} {'end':>9} {'speech':>8}  {'label':16} confidence")
        found.append(segment)
        _print(segment, config.json)
    if not config.json:
        _print_totals(found, listening.heard_s)
    if rttm is not None:
        _write_rttm(found, rttm, audio.stem)
    if plot is not None:
        draw(trace, found, plot, audio.name)


def _segments(
    segmenter: Segmenter, listening: Listening, audio: Path, trace: Trace
) -> Iterator[Segment]:
    hop, rate = listening.stream.hop_samples, listening.stream.sample_rate
    sizes = itertools.repeat(max(1, round(FEED_S * rate / hop)) * hop)
    for chunk in listening.chunks(read_blocks(audio, rate), sizes):
        trace.update(*chunk)
        yield from segmenter.process(*chunk[1:])
    yield from segmenter.finish(listening.heard_s)


def _print(segment: Segment, as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(segment), ensure_ascii=False), flush=True)
        return
    times = f"{segment.start_s:9.2f} {segment.end_s:9.2f} {segment.speech_s:8.2f}"
    print(f"{times}  {segment.label:16} {segment.confidence:.3f}", flush=True)


def _print_totals(found: list[Segment], heard_s: float) -> None:
    if not found:
        print(f"no speech in {heard_s:.2f} s")
    for label in dict.fromkeys(segment.label for segment in found):
        own = [segment.speech_s for segment in found if segment.label == label]
        many = "" if len(own) == 1 else "s"
        print(f"{label}: {sum(own):.2f} s of speech in {len(own)} segment{many}")


def _write_rttm(found: list[Segment], path: Path, name: str) -> None:
    """Write the segments in the columns of NIST's Rich Transcription Time Marked format.

    The type is SPEAKER, the only one that programs for diarization read, with the language in the
    place of the speaker's name; blanks, which part the columns, become underscores.
    """
    lines = [
        f"SPEAKER {'_'.join(name.split())} 1 {segment.start_s:.3f}"
        f" {segment.end_s - segment.start_s:.3f} <NA> <NA> {'_'.join(segment.label.split())}"
        f" {segment.confidence:.3f} <NA>\n"
        for segment in found
    ]
    write_text(path, "".join(lines), "rttm")
