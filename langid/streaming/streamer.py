"""One stream of speech: feed samples of any number, get a posterior every hop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from langid.errors import LangidError
from langid.streaming.decision import Decision, DecisionSettings
from langid.streaming.decision_rule import DecisionRule
from langid.streaming.samples import (
    Resampler,
    as_floats,
    checked_rate,
    checked_samples,
    whole_hops,
    write_floats,
)
from langid.streaming.saved_state import check_state
from langid.streaming.windowed_model import load_model

NO_SPEECH = np.zeros(0, np.bool_)


class Stepper(Protocol):
    """Streams that step together: OnnxStepper, TorchStepper."""

    state: list[np.ndarray]

    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * hop) -> posteriors, speech``.

        Samples are int16, or float32 of full scale 1. Posteriors are ``(streams, frames, classes)``
        float32 and speech is ``(streams, frames) bool``; the next step may overwrite both.
        """


class StreamingModel(Protocol):
    """What StreamingIdentifier needs of a model: OnnxModel, or TorchModel over PyTorch."""

    metadata: dict[str, Any]

    def stepper(self, streams: int = 1) -> Stepper:
        """Return streams before their first sample."""


class ModelStreams:
    """What all streams of a model share: its classes and rates, and how they decide."""

    def __init__(self, model: StreamingModel, **settings: Any):
        self.model = model
        self.classes: list[str] = list(model.metadata["classes"])
        self.sample_rate = int(model.metadata["sample_rate"])
        self.hop_samples = int(model.metadata["hop_samples"])
        self.hop_s = self.hop_samples / self.sample_rate
        self.settings = DecisionSettings.of(model.metadata, **settings)

    @classmethod
    def load(cls, path: str | Path, **settings: Any) -> Self:
        """Return streams over an exported ONNX file, on one thread."""
        return cls(load_model(path), **settings)


class StreamingIdentifier(ModelStreams):
    """Takes one stream and says after every hop of which class it is, of which language say.

    However the samples are cut into calls of ``feed``, the posteriors are the same. A hop that is
    not full waits for the next call; ``flush`` fills the last one with its last sample.
    ``settings`` are those of DecisionSettings; where none is given, that of the model's metadata
    holds. Raises LangidError for settings that cannot be.
    """

    def __init__(self, model: StreamingModel, **settings: Any):
        super().__init__(model, **settings)
        self._rule = DecisionRule(self.classes, self.hop_s, self.settings)
        self._hop = np.zeros(self.hop_samples, np.float32)  # the one that is being filled
        self._nothing = np.zeros((0, len(self.classes)), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all samples; the next sample begins a new stream, at any rate."""
        self._stepper = self.model.stepper()
        self._filled = 0
        self._rate: int | None = None  # of the samples; known with the first call of feed
        self._resampler = Resampler(self.sample_rate, self.sample_rate)
        self._speech = NO_SPEECH
        self._rule.reset()

    def feed(self, samples: np.ndarray, sample_rate: int | None = None) -> np.ndarray:
        """Take mono samples and return ``posteriors (frames, classes)`` of the hops now full.

        ``samples (samples,)`` are floats of full scale 1, or 16-bit integers, at ``sample_rate``
        in Hz, by default the model's; those at another rate are resampled, for which some wait.
        Raises LangidError for any other kind, shape or scale, for NaN or infinity, and for a rate
        other than that of the stream's first samples; the stream then stays as it was.
        """
        samples = checked_samples(samples)
        rate = self.sample_rate if sample_rate is None else sample_rate
        if rate != self._rate:
            self._set_rate(checked_rate(rate))
        return self._process(self._resampler.feed(samples))

    def flush(self) -> np.ndarray:
        """Process what waits for a full hop, filled with its last sample; return its posteriors."""
        waiting = np.concatenate([self._pending, self._resampler.flush()])
        self._filled = 0
        return self._process(whole_hops(waiting, self.hop_samples))

    @property
    def _pending(self) -> np.ndarray:
        """Samples that wait for a full hop."""
        return self._hop[: self._filled]

    @property
    def speech(self) -> np.ndarray:
        """Which frames of the last call are speech, ``(frames,) bool``."""
        return self._speech.reshape(-1).copy()

    @property
    def decision(self) -> Decision:
        """The running decision under the settings; without any, a mean over speech frames."""
        return self._rule.decision

    @property
    def state(self) -> dict[str, Any]:
        """A copy of everything remembered: arrays and numbers, to be saved by ``numpy.savez``.

        Set in another identifier of the same model, also in another process, it goes on with the
        same posteriors and decisions. Raises LangidError in the middle of samples at another rate
        than the model's (the resampler's own state cannot be read; ``flush`` ends them), and where
        it is set, for a state of another model or other settings; all then stays as it was.
        """
        if self._resampler.waiting:
            raise LangidError(
                f"the state of a stream at {self._rate} Hz cannot be saved while it is resampled to"
                f" {self.sample_rate} Hz: call flush() first, or feed {self.sample_rate} Hz"
            )
        return {
            "model": self.model.metadata["weights_sha256"],
            "settings": json.dumps(self.settings.plain()),
            **{f"state_{number}": array for number, array in enumerate(self._stepper.state)},
            "sample_rate": self._rate or 0,
            "pending": self._pending.copy(),
            **self._rule.state,
        }

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        fresh = StreamingIdentifier(self.model, **vars(self.settings)).state
        considered = self.settings.languages or self.classes
        check_state(state, fresh, self.hop_samples, len(set(considered)))
        rate = int(state["sample_rate"])
        if rate:
            checked_rate(rate, "state: sample_rate")
        self.reset()
        count = len(self._stepper.state)
        self._stepper.state = [np.asarray(state[f"state_{number}"]) for number in range(count)]
        self._wait(np.asarray(state["pending"], np.float32))
        if rate:
            self._set_rate(rate)
        self._rule.state = state

    def _set_rate(self, rate: int) -> None:
        if self._rate is not None and rate != self._rate:
            raise LangidError(
                f"sample_rate={rate}: this stream has {self._rate} Hz; call reset() before samples"
                " at another rate, which begins a new stream"
            )
        self._rate = rate
        self._resampler = Resampler(rate, self.sample_rate)

    def _process(self, samples: np.ndarray) -> np.ndarray:
        """Step through the full hops of what waits and of samples at the model's rate."""
        if self._filled + len(samples) < self.hop_samples:
            self._wait(samples)
            self._speech = NO_SPEECH
            return self._nothing
        if self._filled:
            samples = np.concatenate([self._pending, as_floats(samples)])
            self._filled = 0
        if left := len(samples) % self.hop_samples:
            self._wait(samples[-left:])
            samples = samples[:-left]
        posteriors, speech = self._stepper.step(samples[None])
        self._speech = speech
        self._rule.update(posteriors, speech)
        return np.array(posteriors[0])  # the next step overwrites these

    def _wait(self, samples: np.ndarray) -> None:
        """Let samples, which do not fill the hop, wait for more."""
        start, self._filled = self._filled, self._filled + len(samples)
        write_floats(samples, self._hop[start : self._filled])
