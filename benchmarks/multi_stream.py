"""Live streams that one thread keeps up with: MultiStream against the same streams one by one.

Time is that of MultiStream.step, wrapper and running decisions included, on 16-bit samples of the
streaming GRU 200 and of the network of experiment=best_stream, which answers every fourth frame:
all streams hear at once, 100 ms or one frame (160 samples) a step, each from another place of the
same sound; one by one each is a StreamingIdentifier. The streams a core are those that a step
hears, over its processor time as a share of the sound's, on average over steps: time in which other
programs run does not count, only what they take from the caches. The best of the rounds counts, and
the median stands beside it. Weights are random and the sound is synthetic: neither changes the
work.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from random_model import BEST_STREAM, random_experiment, random_identifier, random_model
from stream import HOP
from synthetic_sound import RATE, synthetic_sound

from langid.streaming.multi_stream import MultiStream
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier

LIMIT = 1000
ALONE = 10  # streams that are heard one by one
CHUNKS = {"100 ms chunks": 10 * HOP, "frame by frame": HOP}
Way = tuple[str, int]
Taken = dict[Way, list[np.ndarray]]  # times of all steps, round by round
NETWORKS = {"GRU 200": random_identifier, BEST_STREAM: random_experiment}


def stepped(model: OnnxModel, samples: np.ndarray, chunk: int) -> np.ndarray:
    """Return the times of all steps through ``samples (streams, samples)`` in one batch."""
    streams = MultiStream(model)
    numbers = [streams.join() for _ in samples]

    def step(block: np.ndarray) -> None:
        streams.step(dict(zip(numbers, block, strict=True)))

    step(samples[:, : max(chunk, streams.hop_samples)])  # the first one prepares the batch
    return _times(step, samples, chunk)


def one_by_one(model: OnnxModel, samples: np.ndarray, chunk: int) -> np.ndarray:
    """Return the times of all steps through ``samples (streams, samples)``, stream by stream."""
    streams = [StreamingIdentifier(model) for _ in samples]

    def step(block: np.ndarray) -> None:
        for stream, own in zip(streams, block, strict=True):
            stream.feed(own)

    step(samples[:, :chunk])
    return _times(step, samples, chunk)


def _times(step: Callable[[np.ndarray], None], samples: np.ndarray, chunk: int) -> np.ndarray:
    """Return processor and real time of all steps, as shares of the sound's: ``(2, steps)``."""
    taken = []
    for start in range(0, samples.shape[1], chunk):
        began = time.thread_time(), time.perf_counter()
        step(samples[:, start : start + chunk])
        taken.append((time.thread_time() - began[0], time.perf_counter() - began[1]))
    return np.array(taken).T / (chunk / RATE)


def measure(model: OnnxModel, counts: Sequence[int], seconds: float, rounds: int) -> Taken:
    """Return the times of all steps of each way, round by round, after one to warm up."""
    sound = (synthetic_sound(60.0) * 32767).astype(np.int16)
    length = int(seconds * 10) * 10 * HOP
    starts = np.random.default_rng(0).integers(0, len(sound) - length, max(*counts, ALONE))
    samples = np.stack([sound[start : start + length] for start in starts])
    taken: Taken = {}
    for number in range(rounds + 1):
        for name, chunk in CHUNKS.items():
            ways = [(f"one by one, {name}", ALONE, one_by_one)]
            ways += [(name, count, stepped) for count in sorted(counts)]
            for way, count, run in ways:
                steps = run(model, samples[:count], chunk)
                if number:
                    taken.setdefault((way, count), []).append(steps)
    return taken


def report(of: Mapping[str, Taken], quick: bool = False) -> int:
    """Print a table of each network and the verdict, and return the exit code."""
    held: list[Figure] = []
    for network, taken in of.items():
        rows = [["", "streams", "share of a core", "median", "p99 in real time", "streams a core"]]
        live: dict[str, float] = {}
        for (name, count), rounds in taken.items():
            shares = [float(steps[0].mean()) for steps in rounds]
            best, slow = min(shares), np.percentile(np.concatenate(rounds, 1)[1], 99)
            live[name] = count / best  # of the most streams at once, which come last
            rows.append(
                [name, str(count), f"{best:.3f}", f"{statistics.median(shares):.3f}",
                 f"{slow:.3f}", f"{live[name]:.0f}"]
            )  # fmt: skip
        print_table(f"{network}: {len(rounds)} rounds, one thread; {machine()}", rows)
        held += figures(*(live[name] for name in CHUNKS), network)
    return verdict(held, quick)


def figures(chunks: float, frames: float, network: str) -> list[Figure]:
    """Return the figures of the numbers of streams a core."""
    return [
        Figure(f"{network}: live streams a core in 100 ms chunks", chunks, LIMIT, at_least=True),
        Figure("frame by frame", frames, LIMIT, at_least=True),
    ]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, streams=[20], seconds=0.2, rounds=1)
    parser.add_argument(
        "--streams", type=int, nargs="+", default=[100, 1000], help="at once (100 1000)"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="sound per round (2)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count (7)")
    options = parser.options()
    sizes = options.streams, options.seconds, options.rounds
    of = {name: measure(random_model(make), *sizes) for name, make in NETWORKS.items()}
    return report(of, options.quick)


if __name__ == "__main__":
    sys.exit(main())
