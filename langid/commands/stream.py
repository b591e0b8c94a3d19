"""Hear a file as a stream: one line per interval, then the verdict.

Runs on onnxruntime and numpy alone, on one thread.

Examples:
  langid stream model=model.onnx audio=clip.mp3
  langid stream model=model.onnx audio=clip.mp3 interval_s=0.5 json=true
"""

import json
import time

import numpy as np
from omegaconf import DictConfig

from langid.errors import LangidError
from langid.signal.audio import read_blocks
from langid.streaming.streamer import Decision, StreamingIdentifier

FEED_S = 0.1
READ_S = 10.0


def run(config: DictConfig) -> int:
    """Stream the file and print the running decision."""
    if not config.interval_s > 0:
        raise LangidError(f"interval_s={config.interval_s}: accepted are numbers above 0")
    stream = StreamingIdentifier.load(str(config.model))
    hop, rate = stream.hop_samples, stream.sample_rate
    interval = max(1, round(config.interval_s * rate / hop)) * hop
    left, busy_s = interval, 0.0  # samples until the next line, time spent in the model
    for block in read_blocks(str(config.audio), rate, READ_S):
        while len(block):
            chunk, block = np.split(block, [min(left, round(FEED_S * rate))])
            began = time.perf_counter()
            stream.feed(chunk)
            busy_s += time.perf_counter() - began
            left -= len(chunk)
            if left == 0:
                _print(stream.decision, config.json, "interval")
                left = interval
    stream.flush()
    _print(stream.decision, config.json, "verdict")
    if not config.json and stream.decision.heard_s:
        print(f"real-time factor {busy_s / stream.decision.heard_s:.4f} on one thread")
    return 0


def _print(decision: Decision, as_json: bool, kind: str) -> None:
    if as_json:
        values = {"kind": kind, **vars(decision)}
        print(json.dumps(values, ensure_ascii=False), flush=True)
        return
    shares = "  ".join(f"{name} {value:.3f}" for name, value in decision.posteriors.items())
    label = decision.label or "(no speech yet)"
    if kind == "verdict":
        print(f"verdict: {label}   {shares}   ({decision.speech_s:.2f} s of speech)", flush=True)
    else:
        print(f"{decision.heard_s:7.2f} s  {label:12}  {shares}", flush=True)
