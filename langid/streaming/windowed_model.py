"""Models that need whole utterances, over a stream: an overlapping window of samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from langid.errors import LangidError
from langid.streaming.onnx_file import Expected, schema_of
from langid.streaming.onnx_model import COUNT, EXPECTED, SECONDS, OnnxModel, Ports, opened
from langid.streaming.samples import as_floats

FAMILY = "langid-window-"  # with the number behind it that every change of the graph counts up
SCHEMA = f"{FAMILY}2"
SHARED = ("classes", "sample_rate", "hop_samples", "decision", "weights_sha256", "sha256")
WINDOW_EXPECTED: Expected = {
    **{key: EXPECTED[key] for key in SHARED},
    **dict.fromkeys(("frame_samples", "window_samples"), COUNT),
    **dict.fromkeys(("window_s", "hop_s", "latency_s"), SECONDS),
}


def ports(metadata: dict[str, Any]) -> Ports:
    """Return what the graph of a window takes, and behind it what it gives."""
    return {
        "samples": ("tensor(float)", ["streams", f"{metadata['frame_samples']}*frames"]),
        "posteriors": ("tensor(float)", ["streams", len(metadata["classes"])]),
        "speech": ("tensor(bool)", ["streams", "frames"]),
    }


class WindowedModel:
    """Runs a file of ``langid export mode=offline``: PCM of any length in, posteriors out.

    Its streams are an overlapping window of the last ``window_s`` seconds, and a frame of them is
    the ``hop_s`` between two answers. Errors are those of OnnxModel.
    """

    def __init__(self, path: str | Path):
        self.session, self.metadata = opened(path, SCHEMA, WINDOW_EXPECTED, ports)
        hop, frame, window = (
            self.metadata[f"{name}_samples"] for name in ("hop", "frame", "window")
        )
        if hop % frame or window % frame or hop > window:
            raise LangidError(
                f"model={path}: its metadata describe a hop of {hop} samples, expected are whole"
                f" frames of {frame} and at most a window, {window}; run langid export again"
            )

    def process(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * frame) -> posteriors (streams, classes), speech``.

        Speech is ``(streams, frames) bool``; a frame has ``frame_samples`` samples.
        """
        posteriors, speech = self.session.run(["posteriors", "speech"], {"samples": samples})
        return posteriors, speech

    def stepper(self, streams: int = 1) -> "WindowStepper":
        """Return streams that step together, before their first sample."""
        return WindowStepper(self, streams)


class WindowStepper:
    """Some streams, each with its last ``window_s`` of samples, and answers about these.

    With every ``hop_s`` of samples the model processes the window again, and what it says of it
    stands for the hop: a frame of these streams is that long. Before the window is full it holds
    what came so far, and no more is processed. A hop counts as speech where any 10 ms of it are.
    """

    def __init__(self, model: WindowedModel, streams: int):
        self._model = model
        self._classes = len(model.metadata["classes"])
        self._hop = int(model.metadata["hop_samples"])
        self._last = self._hop // int(model.metadata["frame_samples"])  # frames of a hop
        self._samples = np.zeros((streams, int(model.metadata["window_samples"])), np.float32)
        self._filled = np.zeros((streams, 1), np.int64)  # samples in the window

    @property
    def state(self) -> list[np.ndarray]:
        """A copy of everything remembered, streams on the first axis of each array."""
        return [self._samples.copy(), self._filled.copy()]

    @state.setter
    def state(self, state: list[np.ndarray]) -> None:
        self._samples[:], self._filled[:] = state

    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, hops * hop) -> posteriors (streams, hops, classes), speech``."""
        hops = as_floats(samples).reshape(len(samples), -1, self._hop)
        answers = [self._process(hops[:, number]) for number in range(hops.shape[1])]
        posteriors, speech = zip(*answers, strict=True)
        return np.stack(posteriors, axis=1), np.stack(speech, axis=1)

    def _process(self, hop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``hop (streams, hop) -> posteriors (streams, classes), speech (streams,)``."""
        for window, filled, new in zip(self._samples, self._filled, hop, strict=True):
            heard = np.concatenate([window[: filled[0]], new])[-len(window) :]
            window[: len(heard)] = heard
            filled[0] = len(heard)
        posteriors = np.zeros((len(hop), self._classes), np.float32)
        spoken = np.zeros(len(hop), np.bool_)
        for filled in np.unique(self._filled):  # those that are as full are processed together
            rows = self._filled[:, 0] == filled
            posteriors[rows], speech = self._model.process(self._samples[rows, :filled])
            spoken[rows] = speech[:, -self._last :].any(1)
        return posteriors, spoken


def load_model(path: str | Path) -> OnnxModel | WindowedModel:
    """Return a file of ``langid export`` on one thread; errors are those of OnnxModel."""
    windowed = str(schema_of(Path(path))).startswith(FAMILY)
    return WindowedModel(path) if windowed else OnnxModel(path)


def window_line(metadata: Mapping[str, Any]) -> str | None:
    """Return what is to be known of a stream over a window, None of a model that streams."""
    if metadata["schema"] != SCHEMA:
        return None
    window_s, hop_s, latency_s = (metadata[name] for name in ("window_s", "hop_s", "latency_s"))
    return (
        f"this network needs whole utterances and hears an overlapping window: window {window_s:g}"
        f" s, hop {hop_s:g} s, latency {latency_s:g} s (all of it is a new language after"
        f" {window_s + hop_s:g} s at most)"
    )
