"""Hear a file, standard input or a microphone as a stream: the decision as it comes.

On a terminal a bar per language and the timeline of decisions, elsewhere a line per interval; then
the verdict. audio=- reads WAV from standard input, with raw=true 16-bit little-endian mono PCM at
rate=; Ctrl-C ends it, and audio=mic, with the verdict. Runs on onnxruntime and numpy alone, on one
thread.

Examples:
  langid stream model=model.onnx audio=clip.mp3 plot=clip.png
  langid stream model=model.onnx audio=- half_life_s=3 json=true < clip.wav
"""

import contextlib
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from langid.audio.decode import read_blocks
from langid.commands.paths import destination
from langid.errors import LangidError
from langid.streaming.decision import SETTINGS, Decision
from langid.streaming.listening import Listening
from langid.streaming.segments import Stretch
from langid.streaming.sources import ENDLESS, microphone, recording, standard_input
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.trace import Trace, draw
from langid.streaming.windowed_model import window_line
from langid.terminal import console

FEED_S = 0.1
READ_S = 10.0
SHOWN = 8  # entries of the timeline


def run(config: DictConfig) -> None:
    """Stream the audio and show the running decision."""
    if not 0 < config.interval_s < math.inf:
        raise LangidError(f"interval_s={config.interval_s}: accepted are numbers above 0")
    read = {"model": config.model, "audio": config.audio}
    plot = None if config.plot is None else destination("plot", config.plot, ".png", **read)
    stream = open_stream(config, SETTINGS)
    listening = Listening(stream)
    trace = Trace(stream.classes, stream.hop_samples, stream.sample_rate)
    interrupted = False
    try:
        _show(listening, trace, config)
    except KeyboardInterrupt:
        interrupted = True
    _print(stream.decision, config.json, "verdict")
    if not config.json and stream.decision.heard_s:
        factor = listening.busy_s / stream.decision.heard_s
        print(f"real-time factor {factor:.4f} on one thread")
    if plot is not None:
        audio = str(config.audio)
        draw(trace, listening.timeline, plot, ENDLESS.get(audio, Path(audio).name))
    if interrupted and str(config.audio) not in ENDLESS:  # which has no other end
        raise KeyboardInterrupt


def open_stream(config: DictConfig, settings: Iterable[str] = ()) -> StreamingIdentifier:
    """Return the stream of ``model=`` with settings of the same keys, and say if it is a window."""
    stream = StreamingIdentifier.load(str(config.model), **{key: config[key] for key in settings})
    if line := window_line(stream.model.metadata):
        print(line, file=sys.stderr)
    return stream


def _show(listening: Listening, trace: Trace, config: DictConfig) -> None:
    """Hear all the audio, and show the decision as it changes."""
    hop = listening.stream.hop_samples
    interval, feed = (
        max(1, round(s / listening.stream.hop_s)) * hop for s in (config.interval_s, FEED_S)
    )
    left = interval  # samples until the next line
    whole, rest = divmod(interval, feed)
    sizes = itertools.cycle([feed] * whole + [rest] * (rest > 0))  # cut where an interval ends
    audio = _source(config, listening.stream.sample_rate)
    terminal = console()
    live = terminal.is_terminal and not config.json
    screen = Live(console=terminal, refresh_per_second=10) if live else contextlib.nullcontext()
    with screen as view:
        for chunk in listening.chunks(audio, sizes):
            trace.update(*chunk)
            decision = listening.decide()
            left -= len(chunk[0])
            if view is not None:
                view.update(_live_view(decision, listening.timeline))
            elif left == 0:
                _print(decision, config.json, "interval")
            left = left or interval


def _source(config: DictConfig, sample_rate: int) -> Iterator[np.ndarray]:
    audio, rate = str(config.audio), config.rate
    if (config.raw or rate is not None) and audio != "-":
        given = "raw=true" if rate is None else f"rate={rate}"
        raise LangidError(f"{given}: is for raw PCM on standard input, audio=-; leave it out")
    if config.raw and rate is None:
        rate = sample_rate
    if audio == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise LangidError("audio=-: nothing is piped into standard input; send WAV or raw PCM")
        return standard_input(sys.stdin.buffer, sample_rate, rate)
    if audio == "mic":
        return microphone(sample_rate)
    return read_blocks(recording(config.audio), sample_rate, READ_S)


def _print(decision: Decision, as_json: bool, kind: str) -> None:
    if as_json:
        values = {"kind": kind, **vars(decision)}
        print(json.dumps(values, ensure_ascii=False), flush=True)
        return
    shares = "  ".join(f"{name} {value:.3f}" for name, value in decision.posteriors.items())
    label = decision.label or ("(undecided)" if decision.speech_s else "(no speech)")
    if kind == "verdict":
        print(f"verdict: {label}   {shares}   ({decision.speech_s:.2f} s of speech)", flush=True)
    else:
        print(f"{decision.heard_s:7.2f} s  {label:12}  {shares}", flush=True)


def _live_view(decision: Decision, timeline: list[Stretch]) -> Group:
    """Return what a terminal shows: a bar per class, the decision, and those before it."""
    bars = Table.grid(padding=(0, 1))
    for name, value in decision.posteriors.items():
        chosen = name == decision.label
        style = "bold green" if chosen else ""
        bar = ProgressBar(1.0, value, width=40, complete_style="green" if chosen else "cyan")
        bars.add_row(Text(name, style), bar, Text(f"{value:.3f}", style))
    heard = f"{decision.heard_s:.1f} s heard, {decision.speech_s:.1f} s of speech"
    status = f"{decision.label or decision.status}   {heard}"
    entries = [f"{entry.start_s:.1f} s {entry.label}" for entry in timeline[-SHOWN:]]
    before = "  ▸  ".join(["…"] * (len(timeline) > SHOWN) + entries)
    return Group(bars, Text(status, "bold" if decision.label else "dim"), Text(before, "dim"))
