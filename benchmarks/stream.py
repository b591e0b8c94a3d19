"""Real-time factor from PCM to posteriors of a streaming GRU 200, on one thread.

Time is that of StreamingIdentifier.feed, wrapper and running decision included, on 16-bit samples,
frame by frame (160 samples a call) and in chunks of 100 ms: the exported ONNX file under
onnxruntime, against eager PyTorch (TorchModel) frame by frame in the same run. The three take
turns; the best of their rounds counts, for other load can only add to it, and the median stands
beside it. Weights are random and the sound is synthetic: neither
changes the work.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from figures import Figure, machine, print_table, verdict
from omegaconf import OmegaConf

from langid.commands.configuration import compose
from langid.streaming.export import export_onnx
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.streaming_module import StreamingModule, TorchModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

RATE, HOP = 16000, 160
FRAME_LIMIT, CHUNK_LIMIT = 0.012, 0.006


def random_identifier() -> LanguageIdentifier:
    """Return the GRU 200 of ``experiment=gru`` for three languages, with random weights."""
    train = compose("train", ["experiment=gru", "store=-"])
    prepare = compose("prepare", ["corpus=folders"])
    return build_identifier(
        {
            "classes": ["English", "Hindi", "Mandarin"],
            "silence": "mask",
            "model": OmegaConf.to_container(train.model),
            "features": OmegaConf.to_container(prepare.features),
            "detector": OmegaConf.to_container(prepare.detector),
        }
    ).eval()


def synthetic_sound(seconds: float) -> np.ndarray:
    """Return noise in bursts of syllable length, float32 ``(samples,)`` of full scale 1."""
    random = np.random.default_rng(0)
    time_s = np.arange(int(seconds * RATE)) / RATE
    loudness = np.clip(np.sin(2 * np.pi * 3 * time_s) + np.sin(2 * np.pi * 0.4 * time_s), 0, None)
    sound: np.ndarray = (0.1 * loudness + 0.001) * random.standard_normal(len(time_s))
    return sound.clip(-1, 1).astype(np.float32)


def seconds_of_calls(stream: StreamingIdentifier, samples: np.ndarray, chunk: int) -> np.ndarray:
    """Return the seconds of every call of ``feed`` on chunks of ``samples``."""
    pieces = [samples[start : start + chunk] for start in range(0, len(samples), chunk)]
    stream.reset()
    taken = np.empty(len(pieces))
    for number, piece in enumerate(pieces):
        started = time.perf_counter()
        stream.feed(piece)
        taken[number] = time.perf_counter() - started
    return taken


def measure(seconds: float, rounds: int) -> dict[str, list[np.ndarray]]:
    """Return the seconds of all calls of each way, round by round, after one to warm up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    identifier = random_identifier()
    sound = synthetic_sound(seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gru.onnx"
        logging.disable(logging.WARNING)
        export_onnx(identifier, path, [sound[: 3 * RATE]])
        onnx = StreamingIdentifier(OnnxModel(path, threads=1))
    eager = StreamingIdentifier(TorchModel(StreamingModule(identifier)))
    ways = {
        "onnxruntime, frame by frame": (onnx, HOP),
        "onnxruntime, 100 ms chunks": (onnx, 10 * HOP),
        "eager PyTorch, frame by frame": (eager, HOP),
    }
    samples = (sound * 32767).astype(np.int16)
    taken: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, (stream, chunk) in ways.items():
            calls = seconds_of_calls(stream, samples, chunk)
            if number:
                taken[name].append(calls)
    return taken


def report(taken: dict[str, list[np.ndarray]], seconds: float) -> int:
    """Print the table and the verdict, and return the exit code."""
    rows = [["", "RTF", "median RTF", "us a frame", "us a call: median", "p99", "x real time"]]
    factors = []
    for name, rounds in taken.items():
        sums = [float(calls.sum()) / seconds for calls in rounds]
        factor = min(sums)
        calls = np.concatenate(rounds) * 1e6
        factors.append(factor)
        rows.append(
            [name, f"{factor:.5f}", f"{statistics.median(sums):.5f}", f"{factor * 1e4:.1f}",
             f"{np.median(calls):.1f}", f"{np.percentile(calls, 99):.1f}", f"{1 / factor:.0f}"]
        )  # fmt: skip
    print_table(f"{seconds:g} s of sound, {len(rounds)} rounds, one thread; {machine()}", rows)
    return verdict(figures(*factors))


def figures(frame: float, chunk: float, eager: float) -> list[Figure]:
    """Return the figures of three real-time factors; eager PyTorch is the one to stay below."""
    return [
        Figure("RTF frame by frame", frame, FRAME_LIMIT),
        Figure("in 100 ms chunks", chunk, CHUNK_LIMIT),
        Figure("frame by frame against eager PyTorch", frame / eager, 1.0, " x"),
    ]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="sound per round (30)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count (15)")
    options = parser.parse_args()
    return report(measure(options.seconds, options.rounds), options.seconds)


if __name__ == "__main__":
    sys.exit(main())
