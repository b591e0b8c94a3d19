"""Real-time factor from PCM to posteriors of a GRU 200 and of the best stream, on one thread.

Time is that of StreamingIdentifier.feed, wrapper and running decision included, on 16-bit samples,
frame by frame (160 samples a call) and in chunks of 100 ms: the exported ONNX file under
onnxruntime, against eager PyTorch, TorchScript, plain numpy and a file with detector=learned in the
same run. The network of experiment=best_stream, which answers every fourth frame, is heard so too,
against eager PyTorch. They take turns, a new stream each round; the best of their rounds counts,
for other load can only add to it, and the median stands beside it. A length of call that is new to
a stream is prepared once, as long as a call takes. Before, all of a network must give the same
posteriors. Then come percentiles over many single frames, the floor that memory sets, where the
rest of the time goes, and with --soak whether memory grows. Weights are random and the sound is
synthetic: neither changes the work.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from plain_numpy import PlainGRU
from random_model import BEST_STREAM, export_random, random_experiment, random_identifier
from stream_costs import print_costs
from stream_soak import CHECK, WARM_UP, soak
from synthetic_sound import synthetic_sound

from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

HOP = 160
FRAME_LIMIT, CHUNK_LIMIT = 0.007, 0.0025
SAME = 1e-4  # posteriors of the ways may differ by so much
FRAME, CHUNK, LEARNED, EAGER, SCRIPT, PLAIN = (
    "onnxruntime, frame by frame",
    "onnxruntime, 100 ms chunks",
    "onnxruntime, detector=learned",
    "eager PyTorch, frame by frame",
    "TorchScript, frame by frame",
    "plain numpy, frame by frame",
)
BEST = f"{BEST_STREAM}: "
Ways = dict[str, tuple["Stream", int]]  # by name, with the samples of a call


class Stream(Protocol):
    """A way to posteriors: StreamingIdentifier, PlainGRU."""

    def reset(self) -> None: ...

    def feed(self, samples: np.ndarray) -> np.ndarray: ...


class Scripted:
    """A StreamingModule as TorchScript, traced on one frame."""

    def __init__(self, module: StreamingModule):
        module.requires_grad_(False)  # weights of a function are constants
        self.initial_state, self.metadata = module.initial_state, module.metadata
        example = (torch.zeros(1, HOP), *module.initial_state(1))
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and says so
            # A function, for TorchScript cannot look into a LightningModule without its Trainer.
            self._traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]
                lambda *inputs: module(*inputs), example, check_trace=False
            )

    def __call__(self, *inputs: torch.Tensor) -> Any:
        return self._traced(*inputs)


def ways(identifier: LanguageIdentifier, path: Path, learned: Path) -> Ways:
    """Return each way of the GRU 200; raise SystemExit where posteriors differ.

    Files are those of the identifier, and of one that differs in its detector.
    """
    found = plain_ways(identifier, path)
    scripted: Any = Scripted(StreamingModule(identifier))
    return same(
        found
        | {
            LEARNED: (StreamingIdentifier(OnnxModel(learned)), HOP),
            SCRIPT: (StreamingIdentifier(TorchModel(scripted)), HOP),
            PLAIN: (PlainGRU(identifier), HOP),
        }
    )


def plain_ways(identifier: LanguageIdentifier, path: Path) -> Ways:
    """Return the ways that every network has: those of its file, and eager PyTorch."""
    return {
        FRAME: (StreamingIdentifier(OnnxModel(path)), HOP),
        CHUNK: (StreamingIdentifier(OnnxModel(path)), 10 * HOP),
        EAGER: (StreamingIdentifier(TorchModel(StreamingModule(identifier))), HOP),
    }


def same(found: Ways) -> Ways:
    """Return ways of a network; raise SystemExit where their posteriors differ."""
    samples = (synthetic_sound(1) * 32767).astype(np.int16)
    expected = heard(*found[EAGER], samples)
    for name, way in found.items():
        difference = float(np.abs(heard(*way, samples) - expected).max())
        if not difference <= SAME:
            raise SystemExit(f"{name}: posteriors differ by {difference:.1e}")
    return found


def heard(stream: Stream, chunk: int, samples: np.ndarray) -> np.ndarray:
    """Return all posteriors ``(frames, classes)``."""
    stream.reset()
    return np.concatenate(
        [stream.feed(samples[start : start + chunk]) for start in range(0, len(samples), chunk)]
    )


def seconds_of_calls(stream: Stream, samples: np.ndarray, chunk: int) -> np.ndarray:
    """Return the seconds of every call of ``feed`` on chunks of ``samples``."""
    pieces = [samples[start : start + chunk] for start in range(0, len(samples), chunk)]
    stream.reset()
    taken = np.empty(len(pieces))
    for number, piece in enumerate(pieces):
        started = time.perf_counter()
        stream.feed(piece)
        taken[number] = time.perf_counter() - started
    return taken


def in_turns(found: Ways, samples: np.ndarray, rounds: int) -> dict[str, list[np.ndarray]]:
    """Return the seconds of all calls of each way, round by round, after one to warm up."""
    taken: dict[str, list[np.ndarray]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, (stream, chunk) in found.items():
            calls = seconds_of_calls(stream, samples, chunk)
            if number:
                taken[name].append(calls)
    return taken


def report(taken: dict[str, list[np.ndarray]], seconds: float) -> list[Figure]:
    """Print the table and return the figures."""
    rows = [["", "RTF", "median RTF", "us / 10 ms", "us a call: median", "p99", "x real time"]]
    factors = {}
    for name, rounds in taken.items():
        sums = [float(calls.sum()) / seconds for calls in rounds]
        factor = factors[name] = min(sums)
        calls = np.concatenate(rounds) * 1e6
        rows.append(
            [name, f"{factor:.5f}", f"{statistics.median(sums):.5f}", f"{factor * 1e4:.1f}",
             f"{np.median(calls):.1f}", f"{np.percentile(calls, 99):.1f}", f"{1 / factor:.0f}"]
        )  # fmt: skip
    print_table(f"{seconds:g} s of sound, {len(rounds)} rounds, one thread; {machine()}", rows)
    return [
        figure
        for network in ("", BEST)
        for figure in figures(*(factors[network + way] for way in (FRAME, CHUNK, EAGER)), network)
    ]


def figures(frame: float, chunk: float, eager: float, network: str = "") -> list[Figure]:
    """Return the figures of three real-time factors; eager PyTorch is the one to stay below."""
    return [
        Figure(f"{network}RTF frame by frame", frame, FRAME_LIMIT),
        Figure("in 100 ms chunks", chunk, CHUNK_LIMIT),
        Figure("frame by frame against eager PyTorch", frame / eager, 1.0, " x"),
    ]


def print_percentiles(name: str, stream: Stream, samples: np.ndarray, frames: int) -> None:
    """Print how long single frames take, over so many."""
    repeats = -(-frames * HOP // len(samples))
    calls = seconds_of_calls(stream, np.tile(samples, repeats)[: frames * HOP], HOP) * 1e6
    values = ", ".join(f"p{p:g} {np.percentile(calls, p):.1f}" for p in (50, 99, 99.9))
    print(f"{name}, {frames:,} frames in a row, us a frame: {values}, longest {calls.max():.0f}")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure all, print what was found, and return the figures."""
    samples = (synthetic_sound(options.seconds) * 32767).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        path, learned, best = (Path(folder) / f"{name}.onnx" for name in ("gru", "learned", "best"))
        export_random(learned, lambda: random_identifier(detector="learned"))
        found = ways(export_random(path), path, learned)
        of_best = same(plain_ways(export_random(best, random_experiment), best))
        found |= {BEST + name: way for name, way in of_best.items()}
        held = report(in_turns(found, samples, options.rounds), options.seconds)
        for network, file in (("", path), (BEST, best)):
            print_percentiles(network + FRAME, found[network + FRAME][0], samples, options.frames)
            print_costs(file, samples, options.quick)
        if options.soak:
            stream = StreamingIdentifier.load(path)
            warm_up = CHECK if options.quick else WARM_UP
            held += soak(stream, samples, options.soak, options.soak_seconds, warm_up)
    return held


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, seconds=0.5, rounds=1, frames=100, soak=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="sound per round (5)")
    parser.add_argument("--rounds", type=int, default=20, help="rounds that count (20)")
    parser.add_argument("--frames", type=int, default=100_000, help="of the percentiles (100000)")
    parser.add_argument(
        "--soak", type=int, nargs="?", const=10_000_000, default=0, metavar="N",
        help="then feed N frames (10 million) and print by how much memory grows",
    )  # fmt: skip
    parser.add_argument(
        "--soak-seconds", type=float, default=600.0, help="after which the soak ends (600)"
    )
    options = parser.options()
    return verdict(measure(options), options.quick)


if __name__ == "__main__":
    sys.exit(main())
