"""Everything between samples and the network's normaliser: features and speech mask."""

from typing import Any

import torch
from torch import Tensor, nn

from langid.build import build
from langid.signal.features import Features, whole_hops
from langid.signal.speech_detector import Detector

State = tuple[Tensor, ...]


class FrontEnd(nn.Module):
    """``samples (batch, samples) -> features (batch, time, bins), speech (batch, time) bool``.

    ``stride`` frames of the features, one behind the other, are one frame here, with so many times
    their bins and hop; it is speech where most of them are. The last one is filled with the clip's
    last sample, or of features that look ahead with their last frame.
    """

    def __init__(self, features: Features, detector: Detector, stride: int = 1):
        super().__init__()
        self.features = features
        self.detector = detector
        self.stride = stride
        self.sample_rate = features.sample_rate
        self.hop_samples = stride * features.hop_samples
        self.bins = stride * features.bins
        self.marks = features.hop_samples // detector.hop_samples  # of the detector in a frame

    @property
    def obstacles(self) -> list[str]:
        """Return the reasons why this front end cannot be streamed; none if it can."""
        return self._obstacles(self.features.causal)

    @property
    def window_obstacles(self) -> list[str]:
        """Return the reasons why it cannot take windows, each as a clip of its own."""
        return self._obstacles(self.features.of_sequences)

    def _obstacles(self, features_will_do: bool) -> list[str]:
        reasons = []
        if not features_will_do:
            offline = "take an overlapping window by langid export mode=offline, or "
            window = offline if self.features.of_sequences else ""
            reasons.append(
                f"features {type(self.features).__name__} are not causal (they look ahead or need"
                f" the whole clip): {window}prepare with features=mfcc or log_mel"
            )
        if not self.detector.causal:
            reasons.append(
                f"speech frames of {type(self.detector).__name__} {self.detector.obstacle}:"
                " prepare with detector=learned or energy"
            )
        return reasons

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        if self.features.causal:
            samples = whole_hops(samples, self.hop_samples)
        clip = self.features.clip(samples)
        features, speech = self.features.frames(clip), self.speech(clip)
        time = min(features.shape[1], speech.shape[1])  # centred frames may be one more
        return stacked(features[:, :time], speech[:, :time], self.stride)

    def speech(self, clip: Tensor) -> Tensor:
        """``clip (batch, samples) -> speech (batch, time) bool``.

        The clip is what ``features.clip`` returns. A frame is speech where any mark in it is.
        """
        return self._of_frames(whole_hops(self.detector(clip), self.marks))

    def initial_state(self, batch_size: int) -> State:
        return self.features.initial_state(batch_size), *self.detector.initial_state(batch_size)

    def step(self, samples: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """``samples (batch, frames * hop), state`` -> ``features, speech, state``."""
        features, overlap = self.features.step(samples, state[0])
        speech, detector_state = self.speech_step(samples, state[1:])
        return *stacked(features, speech, self.stride), (overlap, *detector_state)

    def speech_step(self, samples: Tensor, state: State) -> tuple[Tensor, State]:
        """``samples (batch, frames * hop), state`` of the detector -> ``speech, state``."""
        speech, state = self.detector.step(samples, state)
        return self._of_frames(speech), state

    def _of_frames(self, speech: Tensor) -> Tensor:
        if self.marks == 1:
            return speech
        return speech.reshape(speech.shape[0], -1, self.marks).any(2)  # len() would fix the graph


def stacked(features: Tensor, speech: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return frames of ``stride`` frames each; where the last is in part there, its end repeats.

    ``features (batch, time, bins), speech (batch, time) bool`` -> the same.
    """
    if stride == 1:
        return features, speech
    if missing := -features.shape[1] % stride:
        features, speech = (
            torch.cat([frames, frames[:, -1:].repeat_interleave(missing, 1)], dim=1)
            for frames in (features, speech)
        )
    frames = features.reshape(features.shape[0], -1, stride * features.shape[2])
    return frames, mostly_speech(speech, stride)


def mostly_speech(speech: Any, stride: int) -> Any:
    """Return in which frames of ``stride`` each more than half are speech, as array or tensor.

    ``speech (..., time * stride) bool -> (..., time) bool``.
    """
    return speech.reshape(*speech.shape[:-1], -1, stride).sum(-1) > stride // 2


def build_front_end(
    features: dict[str, Any], detector: dict[str, Any], stride: int = 1
) -> FrontEnd:
    """Return the front end of the configuration of its features and its detector."""
    built = build(features, "features")
    told = {"hop_samples": built.detector_hop_samples, "sample_rate": built.sample_rate}
    marks = build(detector, "detector", **told)
    return FrontEnd(built, marks, stride)
