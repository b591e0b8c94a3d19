"""An exported model under onnxruntime; nothing here needs torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from langid.errors import LangidError

SCHEMA = "langid-stream-1"
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

    def run(
        self, samples: np.ndarray, state: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """``samples (streams, frames * hop), state -> posteriors, speech, state``."""
        feed = dict(zip(self.inputs, (samples, *state), strict=True))
        posteriors, speech, *after = self.session.run(None, feed)
        return posteriors, speech, after
