"""One stream of speech: feed samples of any number, get a posterior every hop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from langid.errors import LangidError
from langid.streaming.onnx_model import OnnxModel

UNSUMMED = 100  # calls of feed whose posteriors may wait to be added to the decision
LOUDEST = 100.0  # 40 dB above full scale no recording is; beyond, the features would overflow


class Stepper(Protocol):
    """Streams that step together: OnnxStepper, TorchStepper."""

    state: list[np.ndarray]

    def step(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``samples (streams, frames * hop) -> posteriors, speech``."""


class StreamingModel(Protocol):
    """What StreamingIdentifier needs of a model: OnnxModel, or TorchModel over PyTorch."""

    metadata: dict[str, Any]

    def stepper(self, streams: int = 1) -> Stepper:
        """Return streams before their first sample."""


@dataclass(frozen=True)
class Decision:
    """The mean posterior over the speech heard so far; ``label`` is None before any speech."""

    label: str | None
    posteriors: dict[str, float]
    speech_s: float
    heard_s: float


class StreamingIdentifier:
    """Hears one stream and says after every hop which language it is.

    However the samples are cut into calls of ``feed``, the posteriors are the same. A hop that is
    not full waits for the next call; ``flush`` fills the last one with zeros.
    """

    def __init__(self, model: StreamingModel):
        self.model = model
        self.classes: list[str] = list(model.metadata["classes"])
        self.sample_rate = int(model.metadata["sample_rate"])
        self.hop_samples = int(model.metadata["hop_samples"])
        self.reset()

    @classmethod
    def load(cls, path: str | Path) -> "StreamingIdentifier":
        """Return an identifier over an exported ONNX file, on one thread."""
        return cls(OnnxModel(path))

    def reset(self) -> None:
        """Forget everything heard; the next sample begins a new stream."""
        self._stepper = self.model.stepper()
        self._pending = np.zeros(0, np.float32)
        self._unsummed: list[tuple[np.ndarray, np.ndarray]] = []
        self._total = np.zeros(len(self.classes))
        self._speech_frames = 0
        self._frames = 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Hear mono samples at ``sample_rate`` and return ``posteriors (frames, classes)``.

        ``samples (samples,)`` are floats of full scale 1, or 16-bit integers. Raises LangidError
        for any other kind, shape or scale and for NaN or infinity; the stream then stays as it was.
        """
        samples = self._checked(samples)
        if len(self._pending):
            samples = np.concatenate([self._pending, samples])
        left = len(samples) % self.hop_samples
        self._pending = samples[len(samples) - left :].copy()
        return self._hear(samples[: len(samples) - left] if left else samples)

    def flush(self) -> np.ndarray:
        """Hear what waits for a full hop, as if silence followed; return its posteriors."""
        missing = -len(self._pending) % self.hop_samples
        samples = np.pad(self._pending, (0, missing))
        self._pending = np.zeros(0, np.float32)
        return self._hear(samples)

    @property
    def decision(self) -> Decision:
        """The running decision: the official score, a mean over speech frames."""
        self._sum_up()
        mean = self._total / max(1, self._speech_frames)
        hop_s = self.hop_samples / self.sample_rate
        return Decision(
            label=self.classes[int(mean.argmax())] if self._speech_frames else None,
            posteriors=dict(zip(self.classes, mean.tolist(), strict=True)),
            speech_s=self._speech_frames * hop_s,
            heard_s=self._frames * hop_s,
        )

    def _hear(self, samples: np.ndarray) -> np.ndarray:
        if not len(samples):
            return np.zeros((0, len(self.classes)), np.float32)
        posteriors, speech = self._stepper.step(samples[None])
        self._unsummed.append((posteriors[0], speech[0]))
        if len(self._unsummed) >= UNSUMMED:
            self._sum_up()
        frames: np.ndarray = posteriors[0]
        return frames

    def _sum_up(self) -> None:
        """Add what waits to the decision, in one go: numpy is slow on single frames."""
        if self._unsummed:
            posteriors, speech = map(np.concatenate, zip(*self._unsummed, strict=True))
            self._total += posteriors[speech].sum(0, dtype=np.float64)
            self._speech_frames += int(np.count_nonzero(speech))
            self._frames += len(speech)
            self._unsummed.clear()

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        try:
            samples = np.asarray(samples)
        except ValueError as error:  # rows of different lengths
            raise LangidError(f"samples: expected one axis, (samples,), mono ({error})") from None
        if samples.ndim != 1:
            raise LangidError(
                f"samples of shape {samples.shape}: expected one axis, (samples,), mono"
            )
        if samples.dtype == np.int16:
            return samples * np.float32(1 / 32768)
        if samples.dtype.kind != "f":
            raise LangidError(
                f"samples of type {samples.dtype}: expected floats of full scale 1, or int16"
            )
        peak = np.abs(samples).max(initial=0.0)
        if not np.isfinite(peak):
            raise LangidError("samples hold NaN or infinity: expected finite numbers")
        if peak > LOUDEST:
            raise LangidError(
                f"samples reach {peak:.4g}: expected floats of full scale 1, or int16; divide"
                " floats that hold 16-bit values by 32768"
            )
        return samples.astype(np.float32, copy=False)
