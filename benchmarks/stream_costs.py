"""Where the time of a streamed frame goes: memory's floor, the graph's operators, the wrapper."""

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier

MEMORY_BYTES = 256_000_000  # far more than any cache
FRAMES = 1000  # of a profile
ROUNDS = 500  # of what lies above the graph
SHOWN = 8  # operators
QUICK = 20  # times as little of each


def print_costs(path: Path, samples: np.ndarray, quick: bool = False) -> None:
    """Print for single frames the floor, the share of operators, and what is above the graph.

    A frame is one of the network, which may be several of 10 ms.
    """
    model = OnnxModel(path)
    hop_s = model.metadata["hop_samples"] / model.metadata["sample_rate"]
    size, less = weight_bytes(path), QUICK if quick else 1
    memory, cache = bandwidth(MEMORY_BYTES // less), bandwidth(size)
    print(
        f"floor: {size / 1e6:.2f} MB of weights a frame of {hop_s * 1e3:g} ms are"
        f" {size / memory * 1e6:.1f} us (RTF {size / memory / hop_s:.4f}) at the"
        f" {memory / 1e9:.1f} GB/s of memory, and {size / cache * 1e6:.1f} us at the"
        f" {cache / 1e9:.1f} GB/s of the caches that they fit in"
    )
    levels = layers(model, samples, ROUNDS // less)
    print("where the time of a frame goes, the best of many, in us: " + ", ".join(levels))
    operators, nodes = profile(path, samples, FRAMES // less)
    print(f"the graph's {nodes} operators by onnxruntime's profile: " + ", ".join(operators))


def weight_bytes(path: Path) -> int:
    """Return the bytes of all weights of more than one number, which every frame needs."""
    tensors = onnx.load(path).graph.initializer
    return sum(
        onnx.numpy_helper.to_array(tensor).nbytes
        for tensor in tensors
        if tensor.data_type == onnx.TensorProto.FLOAT
    )


def bandwidth(size: int) -> float:
    """Return the bytes a second that one thread reads again and again of so many."""
    numbers = np.ones(size // 4, np.float32)
    calls = max(1, 10_000_000 // size)
    return size / best([lambda: numbers.dot(numbers)], calls, 10)[0]


def best(functions: list[Callable[[], object]], calls: int, rounds: int) -> list[float]:
    """Return the least seconds a call of functions that take turns."""
    least = [float("inf")] * len(functions)
    for _ in range(rounds):
        for number, function in enumerate(functions):
            started = time.perf_counter()
            for _ in range(calls):
                function()
            least[number] = min(least[number], (time.perf_counter() - started) / calls)
    return least


def layers(model: OnnxModel, samples: np.ndarray, rounds: int) -> list[str]:
    """Return the time of the graph alone, and what each layer of Python above it adds."""
    stream, stepper = StreamingIdentifier(model), model.stepper()
    hop = samples[: model.metadata["hop_samples"]]
    frame = hop[None].astype(np.float32) / 32768
    stepper.step(frame)
    ((_, _, binding),) = stepper._calls[frame.shape].runs[0]
    graph, step, feed = best(
        [
            lambda: model.session.run_with_iobinding(binding),
            lambda: stepper.step(frame),
            lambda: stream.feed(hop),
        ],
        calls=5,
        rounds=rounds,
    )
    return [
        f"graph {graph * 1e6:.1f}",
        f"arrays in and out {(step - graph) * 1e6:.1f}",
        f"checks, what waits and the running decision {(feed - step) * 1e6:.1f}",
    ]


def profile(path: Path, samples: np.ndarray, frames: int) -> tuple[list[str], int]:
    """Return the costliest operators with their share of the time, and how many there are.

    A profile costs microseconds an operator itself; those of the cheapest are taken off each.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        model = OnnxModel(path)
        model.session = onnxruntime.InferenceSession(path.read_bytes(), options)
        stepper, hop = model.stepper(), model.metadata["hop_samples"]
        for frame in np.resize(samples, (frames, 1, hop)) / np.float32(32768):
            stepper.step(frame)
        events = json.loads(Path(model.session.end_profiling()).read_text())
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            taken[event["name"], event["args"]["op_name"]].append(event["dur"])
    own = min(float(np.mean(durations)) for durations in taken.values())
    sums: dict[str, float] = defaultdict(float)
    for (_, operator), durations in taken.items():
        sums[operator] += float(np.mean(durations)) - own
    total = sum(sums.values())
    ranked = sorted(sums.items(), key=lambda item: -item[1])[:SHOWN]
    return [f"{operator} {share / total:.0%}" for operator, share in ranked], len(taken)
