"""A recurrent identifier as one module that takes a hop of PCM at a time; needs no Lightning."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from langid.audio.full_scale import LOUDEST
from langid.build import build
from langid.data.silence_policy import silence_policy
from langid.errors import LangidError
from langid.networks.network import Normaliser, State
from langid.networks.recurrent import StreamingRecurrent
from langid.signal.front_end import build_front_end
from langid.streaming.decision import MEAN, DecisionSettings
from langid.streaming.samples import whole_hops
from langid.training.inference import Inference
from langid.training.logit_scaling import LogitScaling
from langid.training.weights_digest import digest

if TYPE_CHECKING:
    from langid.training.identifier import LanguageIdentifier

SCHEMA = "langid-module-3"


class StreamingRecurrentModule(Inference, nn.Module):
    """Takes ``frame (batch, hop)`` after frame and returns ``posteriors (batch, classes)``.

    ``description`` is plain data with the classes, the silence policy, and the configuration of
    features, detector and network (GRU, LSTM or RNN). Samples are floats of full scale 1 at
    ``sample_rate``, ``hop_samples`` a frame. ``speech (batch,) bool`` marks the streams whose last
    frame held speech. What is remembered is no part of the state_dict. Raises LangidError for a
    network that is not recurrent and for parts that look ahead.
    """

    def __init__(self, description: dict[str, Any]):
        super().__init__()
        self.description = description
        self.classes: list[str] = list(description["classes"])
        parts = (description["features"], description["detector"])
        self.front_end = build_front_end(*parts, description.get("stride", 1))
        self.silence = silence_policy(description["silence"])
        outputs = len(self.classes) + self.silence.extra_outputs
        self.network = build(
            description["network"], "network", bins=self.front_end.bins, num_classes=outputs
        )
        reasons = self.front_end.obstacles
        if not isinstance(self.network, StreamingRecurrent):
            reasons.append(
                "StreamingRecurrentModule is for the recurrent networks that stream (gru, lstm,"
                f" rnn), not for {type(self.network).__name__}: use format=onnx or format=pt2"
            )
        if reasons:
            raise LangidError(f"format=module: {'; '.join(reasons)}")
        self.normaliser = Normaliser(self.front_end.bins)
        if (plain := description.get("calibration")) is not None:
            self.calibration = LogitScaling.from_plain(plain, len(self.classes))
        self.sample_rate = self.front_end.sample_rate
        self.hop_samples = self.front_end.hop_samples
        self.eval()
        self.reset_states()

    @classmethod
    def load(cls, path: str | Path) -> "StreamingRecurrentModule":
        """Return the module of a file of ``langid export format=module``.

        The file is read as plain data, and only langid's own classes are built from it. Raises
        LangidError for a file that is absent, damaged, changed after its export, or another kind.
        """
        content = _read(Path(path))
        try:
            description = content["description"]
            intact = digest(description, content["state_dict"]) == description["sha256"]
        except (AttributeError, KeyError, TypeError, ValueError):  # they may be anything
            intact = False
        if not intact:
            raise LangidError(
                f"{path}: changed or damaged after its export (its SHA-256 is not the one it was"
                " written with); run langid export again, or fetch the file again"
            )
        try:
            module = cls(description)
            module.load_state_dict(content["state_dict"])
        except Exception as error:  # a description that was changed by hand can be wrong anywhere
            raise LangidError(
                f"{path}: its weights and its description do not fit ({error}); run langid export"
                " again"
            ) from error
        return module

    def content(self) -> memoryview:
        """Return a file of plain data: weights and description, with a SHA-256 over both."""
        weights = self.state_dict()
        description = self.description | {"sha256": digest(self.description, weights)}
        content = io.BytesIO()  # torch's own errors of a full disk are no OSError
        torch.save({"schema": SCHEMA, "description": description, "state_dict": weights}, content)
        return content.getbuffer()

    def reset_states(self) -> None:
        """Forget all frames; the next frame begins new streams, of any number."""
        self._states: list[State] = []  # of front end and network, once there are streams
        self.speech = torch.zeros(0, dtype=torch.bool)

    @torch.inference_mode()
    def step(self, frame: Tensor) -> Tensor:
        """``frame (batch, hop) -> posteriors (batch, classes)``, and remember.

        Raises LangidError for another shape or kind, for NaN and infinity, and for another batch
        than that of the frames before; what is remembered then stays as it was.
        """
        frame = self._checked(frame)
        parts = (self.front_end, self.network)
        states = self._states or [part.initial_state(len(frame)) for part in parts]
        posteriors, speech, *self._states = self.stream_posteriors(frame, *states)
        self.speech = speech[:, 0]
        return posteriors[:, 0]

    forward = step

    def _checked(self, frame: Any) -> Tensor:
        if not isinstance(frame, Tensor) or not frame.is_floating_point():
            found = frame.dtype if isinstance(frame, Tensor) else type(frame).__name__
            raise LangidError(
                f"frame of {found}: expected a tensor of floats of full scale 1; numpy's become one"
                " by torch.from_numpy, 16-bit integers by division by 32768"
            )
        if frame.ndim != 2 or frame.shape[1] != self.hop_samples or not len(frame):
            raise LangidError(
                f"frame of shape {tuple(frame.shape)}: expected (batch, {self.hop_samples}), one"
                f" hop at {self.sample_rate} Hz"
            )
        if self._states and len(self.speech) != len(frame):
            raise LangidError(
                f"frame of {len(frame)} streams after frames of {len(self.speech)}: expected as"
                " many; reset_states() begins new streams"
            )
        peak = float(frame.abs().max())
        if not peak <= LOUDEST:  # nothing of NaN is true
            raise LangidError(
                f"frame that reaches {peak:.4g}: expected finite floats of full scale 1; divide"
                " floats that hold 16-bit values by 32768"
            )
        return frame.float()


def export_module(
    identifier: "LanguageIdentifier",
    path: Path,
    clips: Sequence[np.ndarray],
    decision: DecisionSettings = MEAN,
) -> dict[str, float]:
    """Write a StreamingRecurrentModule, and return the largest difference, frame by frame.

    Raises LangidError as ``export_onnx`` does, and for a network that is not recurrent.
    """
    # What follows is not needed to load a module.
    from langid.export.parity import largest_difference, posteriors_and_speech, write_checked
    from langid.export.streaming_module import StreamingModule, streaming_metadata

    hop, described = StreamingModule(identifier).front_end.hop_samples, identifier.described
    module = StreamingRecurrentModule(
        {
            **streaming_metadata(identifier, decision),
            "hop_samples": hop,
            "silence": identifier.silence.name,
            "features": described.features,
            "detector": described.detector,
            "stride": described.stride,
            "network": described.model["network"],
        }
    )
    weights = identifier.state_dict()
    module.load_state_dict({name: weights[name] for name in module.state_dict()})

    def differences(written: Path) -> dict[str, float]:
        loaded, largest = StreamingRecurrentModule.load(written), 0.0
        for clip in clips:
            frames = torch.from_numpy(whole_hops(clip, hop)).reshape(-1, 1, hop)
            loaded.reset_states()
            streamed = torch.cat([loaded.step(frame) for frame in frames]).numpy()
            offline, _ = posteriors_and_speech(identifier, clip)
            largest = max(largest, largest_difference(streamed, offline))
        return {"StreamingRecurrentModule, one frame": largest}

    return write_checked(path, identifier, module.content, clips, differences)


def _read(path: Path) -> dict[str, Any]:
    """Return the plain content of a file; nothing in it is executed."""
    if not path.is_file():
        found = "is a folder, expected a" if path.is_dir() else "no such"
        raise LangidError(f"{path}: {found} file; langid export format=module writes one")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise about anything
        raise LangidError(
            f"{path}: damaged, or it holds more than plain data ({type(error).__name__}); use a"
            " file of langid export format=module"
        ) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise LangidError(
            f"{path}: not a module of this version of langid (schema {schema}, accepted is"
            f" {SCHEMA}); run langid train and langid export format=module again"
        )
    return dict(content)
