"""Everything between samples and the network's normaliser: features and speech mask."""

from typing import Any

from torch import Tensor, nn

from langid.build import build
from langid.signal.features import Features, whole_hops
from langid.signal.speech_detector import Detector

State = tuple[Tensor, ...]


class FrontEnd(nn.Module):
    """``samples (batch, samples) -> features (batch, time, bins), speech (batch, time) bool``."""

    def __init__(self, features: Features, detector: Detector):
        super().__init__()
        self.features = features
        self.detector = detector
        self.sample_rate = features.sample_rate
        self.hop_samples = features.hop_samples
        self.bins = features.bins
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
                f"speech frames of {type(self.detector).__name__} are relative to the whole clip:"
                " prepare with detector=energy"
            )
        return reasons

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        clip = self.features.clip(samples)
        features, speech = self.features.frames(clip), self.speech(clip)
        time = min(features.shape[1], speech.shape[1])  # centred frames may be one more
        return features[:, :time], speech[:, :time]

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
        return features, speech, (overlap, *detector_state)

    def speech_step(self, samples: Tensor, state: State) -> tuple[Tensor, State]:
        """``samples (batch, frames * hop), state`` of the detector -> ``speech, state``."""
        speech, state = self.detector.step(samples, state)
        return self._of_frames(speech), state

    def _of_frames(self, speech: Tensor) -> Tensor:
        if self.marks == 1:
            return speech
        return speech.reshape(speech.shape[0], -1, self.marks).any(2)  # len() would fix the graph


def build_front_end(features: dict[str, Any], detector: dict[str, Any]) -> FrontEnd:
    """Return the front end of the configuration of its features and its detector."""
    built = build(features, "features")
    return FrontEnd(built, build(detector, "detector", hop_samples=built.detector_hop_samples))
