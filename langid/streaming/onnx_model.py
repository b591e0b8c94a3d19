"""An exported model under onnxruntime; nothing here needs torch."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from langid.errors import LangidError
from langid.streaming.decision import is_number
from langid.streaming.onnx_file import Expected, read_file
from langid.streaming.samples import write_floats

_shared = onnxruntime.OrtValue.ortvalue_from_numpy  # a value on an array's own memory

SCHEMA = "langid-stream-2"
AT_ONCE = 192  # frames of all streams in one call: fewer or more take up to a tenth longer
SHAPES = 2  # of calls that stay prepared: 100 ms are two hops of 40 ms and three, in turns
Ports = dict[str, tuple[str, list[Any]]]  # inputs and outputs of a graph: type, size of each axis


def is_count(value: Any, least: int = 1) -> bool:
    """Whether it is a whole number, not below the least."""
    return type(value) is int and value >= least


def _is_positive(value: Any) -> bool:
    return is_number(value) and 0 < value < math.inf


def _list_of(right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(right, value))


_are_names = _list_of(lambda value: isinstance(value, str) and value != "")
TEXT = (lambda value: isinstance(value, str), "a text")
COUNT = (is_count, "a whole number above 0")
SECONDS = (_is_positive, "seconds above 0")
EXPECTED: Expected = {
    "classes": (
        lambda value: _are_names(value) and 0 < len(value) == len(set(value)),
        "a list of different names",
    ),
    "sample_rate": (is_count, "a whole number of Hz"),
    "hop_samples": COUNT,
    "frames_at_once": (
        lambda value: value is None or is_count(value),
        "a whole number above 0, or null for any number",
    ),
    "state": (_list_of(_list_of(lambda size: is_count(size, 0))), "a list of lists of sizes"),
    "initial_state": (
        _list_of(lambda value: is_number(value) and math.isfinite(value)),
        "a list of finite numbers",
    ),
    "temperature": (_is_positive, "a number above 0"),
    "decision": (lambda value: isinstance(value, dict), "settings by their names"),
    **dict.fromkeys(("licence", "weights_sha256", "sha256"), TEXT),
}


def opened(
    path: str | Path, schema: str, expected: Expected, ports: Callable[[dict[str, Any]], Ports]
) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """Return a session over a file of ``langid export``, on one thread, and the file's metadata.

    ``ports`` are what the graph takes and gives as the metadata have it. Raises LangidError for a
    file that is absent, damaged, changed after its export, or was not exported by langid. The file
    is data: nothing in it is executed but operators of onnxruntime.
    """
    path = Path(path)
    content, metadata = read_file(path, schema, expected)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # the C library's memory makes single frames 3 % faster
    options.log_severity_level = 3
    try:  # from the bytes that were checked, whatever stands in the file by now
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        reason = " ".join(str(error).split())
        raise LangidError(
            f"model={path}: onnxruntime does not accept its graph ({reason}); run langid export"
            " again"
        ) from error
    described = ports(metadata)
    values = (*session.get_inputs(), *session.get_outputs())
    found = {value.name: (value.type, list(value.shape)) for value in values}
    for name in sorted(found.keys() | described.keys()):
        if found.get(name) != described.get(name):
            raise LangidError(
                f"model={path}: its graph and its metadata do not fit: {name} is"
                f" {found.get(name)}, described as {described.get(name)}; run langid export again"
            )
    return session, metadata


def ports(metadata: dict[str, Any]) -> Ports:
    """Return what the graph of a stream takes, and behind it what it gives."""
    frames, number = ["streams", "frames"], "tensor(float)"
    shapes = enumerate(metadata["state"])
    states: Ports = {f"state_{place}": (number, ["streams", *shape]) for place, shape in shapes}
    return {
        "samples": (number, ["streams", f"{metadata['hop_samples']}*frames"]),
        **states,
        "posteriors": (number, [*frames, len(metadata["classes"])]),
        "speech": ("tensor(bool)", frames),
        **{f"next_{name}": state for name, state in states.items()},
    }


class OnnxModel:
    """Runs a file of ``langid export``, PCM and state in and out; errors are as of ``opened``."""

    def __init__(self, path: str | Path):
        self.session, self.metadata = opened(path, SCHEMA, EXPECTED, ports)
        shapes, values = len(self.metadata["state"]), len(self.metadata["initial_state"])
        if shapes != values:
            raise LangidError(
                f"model={path}: its metadata describe {shapes} states by shape and {values} by"
                " value; run langid export again"
            )

    def initial_state(self, streams: int) -> list[np.ndarray]:
        """Return the state before the first sample, streams on the first axis of each array."""
        pairs = zip(self.metadata["state"], self.metadata["initial_state"], strict=True)
        return [np.full((streams, *shape), value, np.float32) for shape, value in pairs]

    def stepper(self, streams: int = 1) -> "OnnxStepper":
        """Return streams that step together, before their first sample."""
        return OnnxStepper(self, streams)


_Run = tuple[slice, np.ndarray, onnxruntime.IOBinding]


class _Call(NamedTuple):
    """Calls of one shape: where results are written, and the runs from either set of states."""

    posteriors: np.ndarray
    speech: np.ndarray
    runs: list[list[_Run]]


class OnnxStepper:
    """Some streams of an OnnxModel, and their state between calls.

    onnxruntime reads and writes these arrays in place: samples in, and of two sets of states one
    in and the other out, in turns. Handing arrays over at every call takes a quarter more time.
    Many streams or frames are stepped some at a time, to stay in the cache between two layers.
    """

    def __init__(self, model: OnnxModel, streams: int):
        self._session = model.session
        self._inputs = [value.name for value in model.session.get_inputs()]
        self._outputs = [value.name for value in model.session.get_outputs()]
        self._hop = int(model.metadata["hop_samples"])
        self._at_once = min(AT_ONCE, model.metadata.get("frames_at_once") or AT_ONCE)
        self._classes = len(model.metadata["classes"])
        self._states = [model.initial_state(streams) for _ in ("before", "after")]
        self._turn = 0  # which of the states is the one before
        self._calls = {(streams, self._hop): self._bind((streams, self._hop))}

    @property
    def state(self) -> list[np.ndarray]:
        """A copy of everything remembered, streams on the first axis of each array."""
        return [array.copy() for array in self._states[self._turn]]

    @state.setter
    def state(self, state: list[np.ndarray]) -> None:
        for own, array in zip(self._states[self._turn], state, strict=True):
            own[:] = array

    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * hop) -> posteriors, speech``: see Stepper."""
        if samples.shape[1] <= self._at_once * self._hop:
            return self._step(samples)
        # What lies between two layers grows with the frames, of attention with their square; and
        # a graph may take no more than so many.
        frames = (len(samples), samples.shape[1] // self._hop)
        posteriors = np.zeros((*frames, self._classes), np.float32)
        speech = np.zeros(frames, np.bool_)
        for start in range(0, frames[1], self._at_once):
            part = slice(start, start + self._at_once)
            block = samples[:, start * self._hop : part.stop * self._hop]
            posteriors[:, part], speech[:, part] = self._step(block)
        return posteriors, speech

    def _step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if samples.shape not in self._calls:
            if len(self._calls) == SHAPES:
                del self._calls[next(iter(self._calls))]
            self._calls[samples.shape] = self._bind(samples.shape)
        call = self._calls[samples.shape]
        flat = samples.reshape(-1)  # numpy is faster on one axis
        for cut, room, binding in call.runs[self._turn]:
            write_floats(flat[cut], room)
            self._session.run_with_iobinding(binding)
        self._turn = 1 - self._turn
        return call.posteriors, call.speech

    def _bind(self, shape: tuple[int, ...]) -> _Call:
        """Prepare both directions for calls of this shape."""
        frames = (shape[0], shape[1] // self._hop)
        posteriors = np.zeros((*frames, self._classes), np.float32)
        speech = np.zeros(frames, np.bool_)
        runs = min(shape[0], -(-frames[0] * frames[1] // AT_ONCE))
        cuts = [shape[0] * run // runs for run in range(runs + 1)]
        parts = [slice(*cut) for cut in itertools.pairwise(cuts)]
        room = np.zeros((-(-shape[0] // runs), shape[1]), np.float32)  # of a part's samples
        both = [
            [
                self._binding(
                    before, [posteriors, speech, *after], part, room[: part.stop - part.start]
                )
                for part in parts
            ]
            for before, after in (self._states, self._states[::-1])
        ]
        return _Call(posteriors, speech, both)

    def _binding(
        self, before: list[np.ndarray], results: list[np.ndarray], part: slice, room: np.ndarray
    ) -> _Run:
        """Prepare a run for a part of the streams: its samples, the room for them, the binding."""
        binding = self._session.io_binding()
        for name, array in zip(self._inputs, (room, *(a[part] for a in before)), strict=True):
            binding.bind_ortvalue_input(name, _shared(array))
        for name, array in zip(self._outputs, results, strict=True):
            binding.bind_ortvalue_output(name, _shared(array[part]))
        length = room.shape[1]
        return slice(part.start * length, part.stop * length), room.reshape(-1), binding
