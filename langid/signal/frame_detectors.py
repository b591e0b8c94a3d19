"""Speech detectors of other libraries, whose frames and sample rates are mapped onto hops."""

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from langid.audio.full_scale import FULL_SCALE, in_16_bits
from langid.errors import LangidError
from langid.signal.speech_detector import Detector


class FrameDetector(Detector):
    """Marks hops by ``frames``, which are of a library's own length and sample rate.

    A hop is speech where at least half of it lies in frames of speech, reckoned in whole numbers
    from the two rates and lengths, whatever they are; of a last hop that is not full the part that
    is there counts. The last frame is filled with silence. Every clip begins anew.
    """

    causal = False
    obstacle = "are found by a library that no exported file holds"
    rate: int  # at which frames are heard
    frame_samples: int  # at that rate

    def forward(self, samples: Tensor) -> Tensor:
        marks = [self._marks(clip) for clip in samples.cpu().numpy()]
        return torch.from_numpy(np.stack(marks)).to(samples.device)

    def frames(self, framed: np.ndarray) -> np.ndarray:
        """``framed (frames, frame_samples)`` float32 of full scale 1 -> ``speech (frames,)``."""
        raise TypeError(f"{type(self).__name__} does not say which frames are speech")

    def framed(self, clip: np.ndarray) -> np.ndarray:
        """``clip (samples,) -> (frames, frame_samples)`` at the library's rate, the last filled."""
        if self.rate != self.sample_rate:
            clip = soxr.resample(clip, self.sample_rate, self.rate)
        return np.pad(clip, (0, -len(clip) % self.frame_samples)).reshape(-1, self.frame_samples)

    def of_hops(self, values: np.ndarray, count: int) -> np.ndarray:
        """Return the mean of what frames have over each hop of ``count`` samples, ``(hops,)``."""
        # A sample lasts ``rate`` units of time and a frame's sample ``sample_rate``: none is split.
        frame = self.frame_samples * self.sample_rate
        hops = -(-count // self.hop_samples)
        ends = np.minimum(np.arange(hops + 1) * self.hop_samples, count) * self.rate
        whole = np.minimum(ends // frame, len(values))
        sums = np.concatenate([[0], np.cumsum(values)])[whole] * frame
        sums = sums + np.append(values, 0)[whole] * (ends - whole * frame)
        return np.asarray(np.diff(sums) / np.diff(ends))

    def _marks(self, clip: np.ndarray) -> np.ndarray:
        speech = self.frames(self.framed(clip))
        return np.asarray(self.of_hops(speech, len(clip)) >= 0.5)


class SileroDetector(FrameDetector):
    """Silero VAD: frames of 32 ms at 16 kHz, speech from a probability of ``threshold`` on.

    The network is the ONNX file of the package ``silero-vad``; nothing is fetched. What it says of
    a frame depends on those before.
    """

    rate = 16000
    frame_samples = 512

    def __init__(self, hop_samples: int, sample_rate: int, threshold: float = 0.5):
        super().__init__(hop_samples, sample_rate)
        if not 0 < threshold < 1:
            raise ValueError(f"detector.threshold={threshold:g}: accepted is between 0 and 1")
        self.threshold = threshold

    def frames(self, framed: np.ndarray) -> np.ndarray:
        return self.probabilities(framed) >= self.threshold

    def probabilities(self, framed: np.ndarray) -> np.ndarray:
        """``framed (frames, 512) -> (frames,)``; LangidError where silero-vad is not installed."""
        network = _silero()
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        before = np.roll(framed[:, -CONTEXT:], 1, axis=0)
        before[:1] = 0
        heard = np.concatenate([before, framed], axis=1)
        found = [np.zeros(0, np.float32)]
        for first in range(0, len(heard), BLOCK):
            given = {"input": heard[first : first + BLOCK], "h": hidden, "c": cell}
            values, hidden, cell = network.run(["speech_probs", "hn", "cn"], given)
            found.append(values)
        return np.concatenate(found)


CONTEXT = 64  # samples before a frame, which Silero's network takes with it
BLOCK = 512  # frames of a call, 16 s


@functools.cache
def _silero() -> Any:
    """Return the session of Silero's network for a whole sequence of frames."""
    found = importlib.util.find_spec("silero_vad")  # whose import would set torch's threads
    files = Path(found.origin).parent / "data" if found and found.origin else None
    model = files / "silero_vad_16k_sequence.onnx" if files else None
    if model is None or not model.is_file():
        lacking = "is not installed" if model is None else f"has no {model.name}"
        raise LangidError(
            f"detector=silero: silero-vad {lacking}; run pip install 'langid-speech[silero]'"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # the file holds numbers that nothing uses
    return onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])


WEBRTC_RATES = (8000, 16000, 32000, 48000)


class WebRTCDetector(FrameDetector):
    """WebRTC's detector of speech: frames of ``frame_ms`` of 10, 20 or 30, in 16 bits.

    ``aggressiveness`` from 0 to 3 says how readily a frame is no speech. The rate is the highest
    of 8, 16, 32 and 48 kHz that is not above the samples' own, so that nothing is made up.
    """

    def __init__(
        self, hop_samples: int, sample_rate: int, aggressiveness: int = 3, frame_ms: int = 10
    ):
        super().__init__(hop_samples, sample_rate)
        for name, value, accepted in (
            ("aggressiveness", aggressiveness, (0, 1, 2, 3)),
            ("frame_ms", frame_ms, (10, 20, 30)),
        ):
            if type(value) is not int or value not in accepted:
                told = ", ".join(map(str, accepted))
                raise ValueError(f"detector.{name}={value}: accepted are {told}")
        self.aggressiveness = aggressiveness
        self.rate = max([rate for rate in WEBRTC_RATES if rate <= sample_rate], default=8000)
        self.frame_samples = self.rate * frame_ms // 1000

    def frames(self, framed: np.ndarray) -> np.ndarray:
        """Say which frames are speech; raises LangidError where webrtcvad is not installed."""
        if importlib.util.find_spec("webrtcvad") is None:
            raise LangidError(
                "detector=webrtc: webrtcvad is not installed; run pip install"
                " 'langid-speech[webrtc]'"
            )
        from webrtcvad import Vad

        steps = (in_16_bits(framed) * FULL_SCALE).astype(np.int16)
        detector = Vad(self.aggressiveness)
        marks = [detector.is_speech(frame.tobytes(), self.rate) for frame in steps]
        return np.array(marks, bool)
