"""An exported model under onnxruntime; nothing here needs torch."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from langid.errors import LangidError

SCHEMA = "langid-stream-1"
AT_ONCE = 640  # frames of all streams in one call: more leave the cache and take a tenth longer
KEYS = ("classes", "sample_rate", "hop_samples", "state", "initial_state")


class OnnxModel:
    """Runs a file of ``langid export``: PCM and state in, posteriors and state out.

    Raises LangidError for a file that is absent, damaged, or was not exported by langid.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        path = Path(path)
        if not path.is_file():
            raise LangidError(f"model={path}: no such file; langid export writes one")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:  # from bytes, so that the file cannot refer to others
            self.session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base class
            raise LangidError(
                f"model={path}: not a whole ONNX file ({error}); run langid export again"
            ) from error
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.metadata = self._read_metadata(path)

    def _read_metadata(self, path: Path) -> dict[str, Any]:
        text = self.session.get_modelmeta().custom_metadata_map.get("langid", "")
        try:
            metadata = dict(json.loads(text))
        except (ValueError, TypeError):
            metadata = {}
        found = metadata.get("schema")
        whole = all(key in metadata for key in KEYS)
        if found != SCHEMA or not whole or len(self.inputs) != 1 + len(metadata["state"]):
            raise LangidError(
                f"model={path}: not exported by this version of langid (schema {found}, accepted is"
                f" {SCHEMA}); use a file of langid export"
            )
        return metadata

    def initial_state(self, streams: int) -> list[np.ndarray]:
        """Return the state before the first sample, streams on the first axis of each array."""
        shapes, values = self.metadata["state"], self.metadata["initial_state"]
        return [
            np.full((streams, *shape), value, np.float32)
            for shape, value in zip(shapes, values, strict=True)
        ]

    def stepper(self, streams: int = 1) -> "OnnxStepper":
        """Return streams that step together, before their first sample."""
        return OnnxStepper(self, streams)


class OnnxStepper:
    """Some streams of an OnnxModel, and their state between calls.

    onnxruntime reads and writes these arrays in place: samples in, and of two sets of states one
    in and the other out, in turns. Handing arrays over at every call takes a quarter more time.
    Many streams are stepped some at a time, so that what is between two layers stays in the cache.
    """

    def __init__(self, model: OnnxModel, streams: int):
        self._session = model.session
        self._inputs = model.inputs
        self._outputs = [value.name for value in model.session.get_outputs()]
        self._hop = int(model.metadata["hop_samples"])
        self._classes = len(model.metadata["classes"])
        self._states = [model.initial_state(streams) for _ in ("before", "after")]
        self._bind((streams, self._hop))

    @property
    def state(self) -> list[np.ndarray]:
        """A copy of everything remembered, streams on the first axis of each array."""
        return [array.copy() for array in self._states[0]]

    @state.setter
    def state(self, state: list[np.ndarray]) -> None:
        for own, array in zip(self._states[0], state, strict=True):
            own[:] = array

    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * hop) -> posteriors, speech``: see StreamingModule."""
        if samples.shape != self._samples.shape:
            self._bind(samples.shape)
        self._samples[:] = samples
        for binding in self._bindings[0]:
            self._session.run_with_iobinding(binding)
        self._bindings.reverse()
        self._states.reverse()
        return self._posteriors.copy(), self._speech.copy()

    def _bind(self, shape: tuple[int, ...]) -> None:
        """Prepare both directions for calls of this shape."""
        frames = (shape[0], shape[1] // self._hop)
        self._samples = np.zeros(shape, np.float32)
        self._posteriors = np.zeros((*frames, self._classes), np.float32)
        self._speech = np.zeros(frames, np.bool_)
        runs = min(shape[0], -(-frames[0] * frames[1] // AT_ONCE))
        cuts = [shape[0] * run // runs for run in range(runs + 1)]
        parts = [slice(*cut) for cut in itertools.pairwise(cuts)]
        self._bindings = [
            [self._binding(before, after, part) for part in parts]
            for before, after in (self._states, self._states[::-1])
        ]

    def _binding(
        self, before: list[np.ndarray], after: list[np.ndarray], part: slice
    ) -> onnxruntime.IOBinding:
        """Prepare a call for a part of the streams."""
        binding = self._session.io_binding()
        for name, array in zip(self._inputs, (self._samples, *before), strict=True):
            binding.bind_ortvalue_input(name, _shared(array[part]))
        results = (self._posteriors, self._speech, *after)
        for name, array in zip(self._outputs, results, strict=True):
            binding.bind_ortvalue_output(name, _shared(array[part]))
        return binding


def _shared(array: np.ndarray) -> onnxruntime.OrtValue:
    """Return a value on the array's own memory."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
