"""Networks that need whole utterances as one ONNX file: PCM of any length in, posteriors out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langid.errors import LangidError
from langid.export.onnx import content_of
from langid.export.parity import feed_clip, largest_difference, posteriors_and_speech, write_checked
from langid.export.streaming_module import IdentifierModule, common_metadata
from langid.networks.network import SampleNetwork, StreamingNetwork
from langid.streaming.decision import MEAN, DecisionSettings, is_number
from langid.streaming.samples import whole_hops
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import SCHEMA, WindowedModel, ports
from langid.training.identifier import LanguageIdentifier
from langid.utterance import utterance_posterior

EXAMPLE_STREAMS, EXAMPLE_FRAMES = 2, 100
LONGEST_S = 60  # a window is in memory as a whole, with all that a network makes of it


class OfflineModule(IdentifierModule):
    """``samples (streams, frames * frame) -> posteriors (streams, classes), speech``.

    Posteriors are those of each utterance; of a network that answers frame by frame their mean
    over the speech frames, or over all where there is no speech. Speech is ``(streams, frames)
    bool``. Of streams ``window_s`` is heard at once, every ``hop_s``. Raises LangidError for an
    identifier that streams, that begins anew after pauses, or whose front end needs more than the
    samples, and for times that are no windows.
    """

    def __init__(self, identifier: LanguageIdentifier, window_s: float, hop_s: float):
        front_end = identifier.front_end
        reasons = front_end.window_obstacles
        if isinstance(identifier.network, StreamingNetwork):
            name, frames = type(identifier.network).__name__, identifier.network.frames_at_once
            if not front_end.obstacles:
                reasons.append(f"the network {name} streams frame by frame: leave mode out")
            if frames and identifier.silence.removes:
                reasons.append(
                    f"model.network.pause_frames={frames} is for streams, whose calls are cut for"
                    " it: train with model.network.pause_frames=0"
                )
        super().__init__(identifier, "mode=offline", reasons)
        self.held = nn.ModuleList(front_end.features.held)  # their weights go into the graph
        of_samples = isinstance(identifier.network, SampleNetwork)
        maker = identifier.network if of_samples else front_end.features  # of states, if any
        self.longest_s = min(LONGEST_S, maker.longest_s)
        self.window_samples = self._samples("window_s", window_s)
        self.hop_samples = self._samples("hop_s", hop_s)
        if self.hop_samples > self.window_samples:
            raise LangidError(
                f"hop_s={hop_s:g}: accepted are at most window_s={window_s:g}, or no window would"
                " hear what is between two"
            )

    def _samples(self, name: str, seconds: float) -> int:
        frame, rate = self.front_end.hop_samples, self.front_end.sample_rate
        frames = seconds * rate / frame if is_number(seconds) and seconds <= self.longest_s else 0.0
        if frames < 1 or abs(frames - round(frames)) > 1e-6:
            raise LangidError(
                f"{name}={seconds}: accepted are multiples of {frame / rate:g} s, up to"
                f" {self.longest_s:g} s"
            )
        return round(frames) * frame

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        posteriors, speech = self.clip_posteriors(samples)
        cumulative = self.network.cumulative
        return utterance_posterior(posteriors, speech, cumulative=cumulative), speech

    def metadata(self, decision: DecisionSettings = MEAN) -> dict[str, Any]:
        """Return what a runtime must know, as plain data, ``decision`` among it.

        ``latency_s`` is the longest time from a sample to the first answer that knows it; up to
        ``window_s + hop_s`` after a change of class an answer is of nothing but the new one.
        """
        rate = self.front_end.sample_rate
        return common_metadata(self.identifier, decision) | {
            "schema": SCHEMA,
            "hop_samples": self.hop_samples,
            "frame_samples": self.front_end.hop_samples,
            "window_samples": self.window_samples,
            "window_s": self.window_samples / rate,
            "hop_s": self.hop_samples / rate,
            "latency_s": self.hop_samples / rate,
        }


def export_offline(
    identifier: LanguageIdentifier,
    path: Path,
    clips: Sequence[np.ndarray],
    window_s: float,
    hop_s: float,
    decision: DecisionSettings = MEAN,
) -> dict[str, float]:
    """Write the identifier as a function of some samples, and return the largest differences.

    What it says of every window of the clips, full or not, must be what offline PyTorch says of the
    same samples. Raises LangidError as OfflineModule does, and where they disagree.
    """
    module = OfflineModule(identifier, window_s, hop_s)
    metadata = module.metadata(decision)
    frame = metadata["frame_samples"]
    streams, frames = torch.export.Dim("streams"), torch.export.Dim("frames")
    samples = torch.zeros(EXAMPLE_STREAMS, EXAMPLE_FRAMES * frame)
    lengths = ({0: streams, 1: frame * frames},)

    def content() -> bytes:
        return content_of(module, (samples,), lengths, ports(metadata), metadata)

    def differences(written: Path) -> dict[str, float]:
        stream, largest = StreamingIdentifier(WindowedModel(written)), 0.0
        hop, size = module.hop_samples, module.window_samples
        for clip in clips:
            padded = whole_hops(clip, hop)
            ends = range(hop, len(padded) + 1, hop)
            windows = [padded[max(0, end - size) : end] for end in ends]
            offline = np.stack([utterance_posteriors(identifier, window) for window in windows])
            largest = max(largest, largest_difference(feed_clip(stream, clip, hop), offline))
        return {"ONNX, window by window": largest}

    return write_checked(path, identifier, content, clips, differences)


def utterance_posteriors(identifier: LanguageIdentifier, samples: np.ndarray) -> np.ndarray:
    """``samples (samples,) -> posteriors (languages,)``: offline PyTorch's of all of them."""
    posteriors, speech = posteriors_and_speech(identifier, samples)
    return utterance_posterior(posteriors, speech, cumulative=identifier.network.cumulative)
