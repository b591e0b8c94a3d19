"""A small network that finds speech: bands of 20 ms of sound, a GRU, and a threshold."""

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from langid.errors import LangidError
from langid.signal.features import UNHEARD, begun
from langid.signal.speech_detector import Detector

WEIGHTS = Path(__file__).with_name("learned_detector.safetensors")
BANDS, TONES = 16, 2  # tones that are heard in each band
LOWEST_HZ, HIGHEST_HZ = 100.0, 7600.0
FLOOR = 1e-10  # power of a tone 94 dB below full scale
TICK_MS = (5.0, 10.0, 20.0)  # of a step of the network: shortest, trained on, longest


class Bands(nn.Module):
    """Logarithm of the power in bands, of two ticks of samples that end with each."""

    def __init__(self, tick_samples: int, sample_rate: int):
        super().__init__()
        self.tick_samples = tick_samples
        tones = _tones(tick_samples, sample_rate)
        # Products with the tick before and with this one, which are added up a tick later.
        both = torch.cat([tones[:tick_samples], tones[tick_samples:]], dim=1)
        self.tones = nn.Buffer(both.float(), persistent=False)
        constant = both[:, : tones.shape[1]].sum(0)  # of what was before the first sample
        self.constant = nn.Buffer(constant.float(), persistent=False)
        bands = torch.eye(BANDS).repeat_interleave(TONES, 0).repeat(2, 1) / TONES
        self.bands = nn.Buffer(bands, persistent=False)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the products of the tick before the first, ``(batch, tones)``, as unheard."""
        return self.constant.new_full((batch_size, len(self.constant)), UNHEARD)

    def forward(self, samples: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """``samples (batch, ticks * tick), before`` -> ``bands (batch, ticks, 16), before``."""
        ticks = samples.unfold(1, self.tick_samples, self.tick_samples) @ self.tones
        earlier, now = torch.split(ticks, len(self.constant), 2)
        before = begun(before, samples[:, :1] * self.constant)
        earlier = torch.cat([before[:, None], earlier], dim=1)
        return self.powers(earlier[:, :-1] + now), earlier[:, -1]

    def powers(self, parts: Tensor) -> Tensor:
        """Return the logarithm of the power in bands ``(..., 16)`` of products ``(..., tones)``."""
        return torch.log((parts * parts @ self.bands).clamp(min=FLOOR))


class LearnedDetector(Detector):
    """A frame is speech where a small causal GRU says so, with a probability of ``threshold`` on.

    It hears the logarithm of the power in 16 bands up to 7.6 kHz, over the 20 ms that end with a
    step of 10 ms. Bands are in hertz, whatever the sample rate; those above what a rate holds are
    empty. A hop is one step, or as many equal ones as come nearest to 10 ms, and is speech where
    any of them is. Raises ValueError for a hop that steps of 5 to 20 ms do not fit into, and
    LangidError where the weights are damaged. These are constants like a filter's, no part of a
    checkpoint, and learned by experiments/detectors/train.py from what Silero VAD marks.

    With ``by_runtime`` onnxruntime runs the GRU, many times as fast as torch and the same but for
    the last digits.
    """

    causal = True
    input: Tensor
    recurrent: Tensor
    input_bias: Tensor
    recurrent_bias: Tensor
    output: Tensor
    output_bias: Tensor

    def __init__(self, hop_samples: int, sample_rate: int = 16000, threshold: float = 0.5):
        super().__init__(hop_samples, sample_rate)
        if not 0 < threshold < 1:
            raise ValueError(f"detector.threshold={threshold:g}: accepted is between 0 and 1")
        self.logit = math.log(threshold / (1 - threshold))
        tick_samples = _tick(hop_samples, sample_rate)
        self.steps = hop_samples // tick_samples
        self.bands = Bands(tick_samples, sample_rate)
        for name, value in _weights(WEIGHTS).items():
            setattr(self, name, nn.Buffer(value, persistent=False))

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return the products of the tick before the first, and what the GRU remembers."""
        hidden = self.recurrent.new_zeros(batch_size, self.recurrent.shape[1])
        return self.bands.initial_state(batch_size), hidden

    def step(self, samples: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``samples (batch, frames * hop), state`` -> ``speech (batch, frames), state``."""
        logits, state = self.logits(samples, state)
        return logits >= self.logit, state

    def logits(
        self, samples: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """``samples (batch, frames * hop), state`` -> ``logits (batch, frames), state``."""
        bands, before = self.bands(samples, state[0])
        hidden, last = self.remembered(bands, state[1])
        logits = hidden @ self.output + self.output_bias
        if self.steps > 1:
            logits = logits.reshape(logits.shape[0], -1, self.steps).amax(2)
        return logits, (before, last)

    def remembered(self, bands: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the GRU makes of ``bands (batch, ticks, 16)``, and what it remembers."""
        if self.by_runtime:
            return _by_runtime(bands, hidden)
        weights = [self.input, self.recurrent, self.input_bias, self.recurrent_bias]
        state = hidden[None]
        hidden, state = torch.gru(bands, state, weights, True, 1, 0.0, False, False, True)
        return hidden, state.squeeze(0)


def _tick(hop_samples: int, sample_rate: int) -> int:
    """Return the samples of a step: a whole part of the hop, of nearly 10 ms."""
    shortest, wanted, longest = (ms * sample_rate / 1000 for ms in TICK_MS)
    parts = [hop_samples // n for n in range(1, hop_samples + 1) if hop_samples % n == 0]
    fitting = [part for part in parts if shortest <= part <= longest]
    if not fitting:
        raise ValueError(
            f"a hop of {hop_samples} samples at {sample_rate} Hz: accepted are hops of one or more"
            " equal steps of 5 to 20 ms, in whole samples; take another hop, or detector=energy,"
            " which takes any"
        )
    return min(fitting, key=lambda part: abs(math.log(part / wanted)))


def _tones(tick_samples: int, sample_rate: int) -> Tensor:
    """Return ``(2 ticks, 2 * BANDS * TONES)``: cosines, then sines, under a Hann window.

    Frequencies are equally far apart in mel (O'Shaughnessy 1987). A constant is none of them. A
    tone of amplitude 1 has a power of 1/4, at any rate.
    """
    low, high = (1127 * math.log1p(hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = torch.linspace(low, high, BANDS * TONES, dtype=torch.float64)
    hz = 700 * torch.expm1(mel / 1127)
    window = torch.hann_window(2 * tick_samples, dtype=torch.float64)
    window = (window / window.sum())[:, None]
    angle = 2 * math.pi / sample_rate * hz * torch.arange(2 * tick_samples)[:, None]
    tones = torch.cat([angle.cos(), angle.sin()], dim=1) * window
    tones = tones - window * tones.sum(0)
    return tones * (hz < 0.475 * sample_rate).repeat(2)


@functools.cache
def _weights(path: Path) -> dict[str, Tensor]:
    """Return the network of a file; nothing in it is executed."""
    import safetensors.torch

    try:
        found = safetensors.torch.load(path.read_bytes())
        units = len(found["output"])
        shapes = {
            "input": (3 * units, BANDS), "recurrent": (3 * units, units),
            "input_bias": (3 * units,), "recurrent_bias": (3 * units,),
            "output": (units,), "output_bias": (),
        }  # fmt: skip
        intact = {name: tuple(value.shape) for name, value in found.items()} == shapes
    except (OSError, KeyError, safetensors.SafetensorError):
        intact = False
    if not intact:
        raise LangidError(
            f"{path}: missing or damaged; install langid-speech again, or take detector=energy"
        )
    return {name: found[name] for name in shapes}  # safetensors' own order differs by process


def _by_runtime(bands: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    given = {"bands": bands.transpose(0, 1).numpy(), "before": hidden[None].numpy()}
    found, last = (torch.from_numpy(each) for each in _session().run(None, given))
    return found.squeeze(1).transpose(0, 1), last.squeeze(0)


@functools.cache
def _session() -> Any:
    """Return onnxruntime's session of the GRU, on one thread."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    found = {name: value.numpy() for name, value in _weights(WEIGHTS).items()}
    units = len(found["output"])
    order = np.arange(3 * units).reshape(3, units)[[1, 0, 2]].ravel()  # torch's gates in ONNX's
    biases = np.concatenate([found[name][order] for name in ("input_bias", "recurrent_bias")])
    held = {"w": found["input"][order], "r": found["recurrent"][order], "b": biases}
    weights = [numpy_helper.from_array(value[None], name) for name, value in held.items()]
    names = ["bands", *held, "", "before"], ["hidden", "after"]
    layer = helper.make_node("GRU", *names, hidden_size=units, linear_before_reset=1)
    sizes = {
        "bands": ["ticks", "batch", BANDS], "before": [1, "batch", units],
        "hidden": ["ticks", 1, "batch", units], "after": [1, "batch", units],
    }  # fmt: skip
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes[name]) for name in sizes]
    graph = helper.make_graph([layer], "speech", told[:2], told[2:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
