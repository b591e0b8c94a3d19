"""The streaming module in fewer and cheaper operations: what the exported graph computes.

On single frames a node of a graph costs half a microsecond or more whatever it does, and all
weights come from beyond the inner caches again for each. So linear maps in a row are one, the
transform is in two stages, and features and detector share what they remember of the samples.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from langid.export.graph.spectrum import ROW, FastMel, reshape
from langid.export.streaming_module import StreamingModule
from langid.networks.head import Head
from langid.networks.network import State
from langid.networks.recurrent import StreamingRecurrent
from langid.signal.features import MFCC, LogMel, last
from langid.signal.front_end import FrontEnd, stacked
from langid.signal.learned_detector import LearnedDetector
from langid.signal.speech_detector import NO_FLOOR, EnergyDetector
from langid.training.identifier import LanguageIdentifier


class FusedModule(StreamingModule):
    """A StreamingModule that computes the same up to rounding, with states of other shapes."""

    def __init__(self, identifier: LanguageIdentifier):
        super().__init__(identifier)
        weight, bias = torch.diag(self.normaliser.scale), self.normaliser.shift
        features = self.front_end.features
        kind = next((kind for kind in FAST if kind.fits(self.front_end)), None)
        if kind is not None:
            self.front_end = kind(self.front_end)  # type: ignore[assignment]
            self.front_end_states = len(self.front_end.initial_state(1))
            if type(features) is MFCC:
                several = [features.dct.double()] * identifier.front_end.stride
                weight = torch.block_diag(*several) * self.normaliser.scale  # type: ignore[no-untyped-call]
                self.normaliser = linear(weight.T, bias)  # type: ignore[assignment]
        self.network = copy.deepcopy(identifier.network)
        if isinstance(self.network, StreamingRecurrent) and not self.network.front:
            _absorb(self.network.layers[0], weight.T.double(), bias.double())
            self.normaliser = nn.Identity()  # type: ignore[assignment]
        for part in self.network.modules():
            if type(part) is Head:
                _absorb_output_bias(part)


class FastFrontEnd(nn.Module):
    """The FrontEnd of a LogMel or MFCC, with the detector as it is; of an MFCC without the DCT."""

    detects: type[nn.Module] = LearnedDetector

    def __init__(self, front_end: FrontEnd):
        super().__init__()
        self.sample_rate = front_end.sample_rate
        self.hop_samples, self.stride = front_end.hop_samples, front_end.stride
        self.features = front_end.features
        kind = type(self.features)
        self.compress: Any = LogMel._compress if kind is MFCC else kind._compress  # type: ignore[attr-defined]
        self.mel = FastMel(front_end.features)  # type: ignore[arg-type]
        self.detector: Any = front_end.detector

    @classmethod
    def fits(cls, front_end: FrontEnd) -> bool:
        """Whether it computes what this front end does."""
        return FastMel.fits(front_end.features) and type(front_end.detector) is cls.detects

    def initial_state(self, batch_size: int) -> State:
        """Return whether none was heard, hops ``(batch, hops, rows, 16)``, and the detector's."""
        of_detector = self.detector.initial_state(batch_size)
        shape = (batch_size, self.mel.reach, self.mel.hop_rows, ROW)
        unheard = of_detector[0].new_ones(batch_size, 1, 1, 1)
        return unheard, of_detector[0].new_zeros(shape), *of_detector

    def step(self, samples: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """``samples (batch, frames * hop), state`` -> ``features, speech, state``."""
        unheard, hops, *before = state
        rows = self.mel.rows(samples)
        first = reshape(samples[:, :1], [0, 1, 1, 1]) * unheard  # stands before itself
        hops = torch.cat([hops + first, rows], dim=1)
        windows = self.mel.windows(hops, rows)
        features = self.compress(self.features, self.mel(windows))
        speech, after = self.speech_step(samples, rows, windows, tuple(before))
        hops = hops[:, -self.mel.reach :] if self.mel.reach else hops[:, :0]
        return *stacked(features, speech, self.stride), (unheard * 0, hops, *after)

    def speech_step(
        self, samples: Tensor, rows: Tensor, windows: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """``samples (batch, frames * hop), state`` -> ``speech, state``.

        ``rows`` are the samples of each frame, ``windows`` those of the hops before, too.
        """
        return self.detector.step(samples, state)


class LearnedFrontEnd(FastFrontEnd):
    """The FrontEnd of a LogMel or MFCC and a LearnedDetector, whose ticks are its hops."""

    def __init__(self, front_end: FrontEnd):
        super().__init__(front_end)
        tones = self.detector.bands.tones
        tones = torch.cat(tones.split(tones.shape[1] // 2, dim=1))  # of the tick before, of this
        heard = (self.mel.reach + 1) * self.mel.hop_rows * ROW
        tones = nn.functional.pad(tones, (0, 0, heard - len(tones), 0))
        self.tones = nn.Buffer(tones, persistent=False)
        self.least = self.detector.logit - float(self.detector.output_bias)

    @classmethod
    def fits(cls, front_end: FrontEnd) -> bool:
        """Whether it computes what this front end does; windows hold two ticks then."""
        parts: Any = front_end
        return super().fits(front_end) and parts.detector.steps == 1 and parts.features.hops >= 2

    def initial_state(self, batch_size: int) -> State:
        """Return whether none was heard, hops ``(batch, hops, rows, 16)``, and the GRU's memory."""
        unheard, hops, _, hidden = super().initial_state(batch_size)
        return unheard, hops, hidden

    def speech_step(
        self, samples: Tensor, rows: Tensor, windows: Tensor, state: State
    ) -> tuple[Tensor, State]:
        parts = reshape(windows, [0, 0, -1]) @ self.tones
        hidden, last = self.detector.remembered(self.detector.bands.powers(parts), state[0])
        return hidden @ self.detector.output >= self.least, (last,)


class EnergyFrontEnd(FastFrontEnd):
    """The FrontEnd of a LogMel or MFCC and an EnergyDetector."""

    detects = EnergyDetector

    def __init__(self, front_end: FrontEnd):
        super().__init__(front_end)
        detector = self.detector
        self.quiet, self.loud = (10 ** (d / 10) for d in (detector.quiet_db, detector.loud_db))
        samples = torch.eye(ROW)
        differences = samples[:, ::2] - samples[:, 1::2]
        self.parts = nn.Buffer(torch.cat([samples, differences], dim=1), persistent=False)
        ratio = 10 ** (detector.threshold_db / 10)
        shares = torch.zeros(self.parts.shape[1], 3)
        hop_samples = front_end.features.hop_samples
        shares[:ROW] = torch.tensor([1, 0, ratio]) / -hop_samples
        shares[ROW:, 1] = -1 / hop_samples / (1 - detector.loud_correlation)
        self.shares = nn.Buffer(shares, persistent=False)
        limits = torch.tensor([0, 0, -ratio * 10 ** (detector.signal_db / 10)])
        self.limits = nn.Buffer(limits[:, None], persistent=False)

    def initial_state(self, batch_size: int) -> State:
        """Return whether none was heard, hops ``(batch, hops, rows, 16)``, powers and margin.

        Powers and margin are ``(batch, ..., frames)``. Of a hop there are its own power, that of
        its differences and what would stand out of it, were it the floor; then the last of these
        smoothed. They are negative, as in EnergyDetector, and so is the margin without speech.
        """
        unheard, hops, powers, floors, active = super().initial_state(batch_size)
        powers = powers.new_zeros(batch_size, 3, powers.shape[2])
        return unheard, hops, powers, floors, active - 1

    def speech_step(
        self, samples: Tensor, rows: Tensor, windows: Tensor, state: State
    ) -> tuple[Tensor, State]:
        powers, floors, margin = state
        powers = torch.cat([powers, self._powers(rows)], dim=2)
        now, own, floor = self._smoothed(powers)
        floors = torch.cat([floors, floor], dim=2)
        threshold = nn.functional.max_pool1d(floors, self.detector.floor_frames, 1)
        threshold = torch.maximum(threshold, own.clamp(max=-self.loud)).clamp(max=-self.quiet)
        margin = torch.cat([margin, threshold - now], dim=2)
        highest = nn.functional.max_pool1d(margin, self.detector.hangover_frames, 1)
        return highest.squeeze(1) >= 0, (
            last(powers, self.detector.smooth_frames - 1),
            last(floors, self.detector.floor_frames - 1),
            last(margin, self.detector.hangover_frames - 1),
        )

    def _powers(self, rows: Tensor) -> Tensor:
        """``rows (batch, frames, rows, 16) -> powers (batch, 3, frames)``, negative."""
        parts = (rows - rows.mean((2, 3), keepdim=True)) @ self.parts
        return ((parts * parts).sum(2) @ self.shares).transpose(1, 2)

    def _smoothed(self, powers: Tensor) -> tuple[Tensor, ...]:
        """Return the power of each frame, what a loud one must reach, and what one above noise."""
        powers = torch.where(powers <= self.limits, powers, NO_FLOOR)
        return torch.split(nn.functional.avg_pool1d(powers, self.detector.smooth_frames, 1), 1, 1)


FAST: tuple[type[FastFrontEnd], ...] = (EnergyFrontEnd, LearnedFrontEnd, FastFrontEnd)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return the layer of a weight ``(out, in)`` and a bias ``(out,)``."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return layer


@torch.no_grad()
def _absorb(layer: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Put ``features @ weight.T + bias`` into the input weights of a recurrent layer."""
    own: Tensor = layer.weight_ih_l0.double()  # type: ignore[union-attr, operator, assignment]
    layer.bias_ih_l0 = nn.Parameter((layer.bias_ih_l0 + own @ bias).float())  # type: ignore[operator]
    layer.weight_ih_l0 = nn.Parameter((own @ weight).float())
    layer.input_size = weight.shape[1]  # type: ignore[assignment]


@torch.no_grad()
def _absorb_output_bias(head: Head) -> None:
    """Give the last dense layer one more unit, always 1, whose weights are the output's bias."""
    if not len(head.dense) or head.activation is not torch.relu:
        return
    dense, output = head.dense[-1], head.output
    weight = nn.functional.pad(dense.weight, (0, 0, 0, 1))  # type: ignore[arg-type]
    head.dense[-1] = linear(weight, nn.functional.pad(dense.bias, (0, 1), value=1.0))  # type: ignore[arg-type]
    head.output = nn.Linear(weight.shape[0], output.out_features, bias=False)
    head.output.weight = nn.Parameter(torch.cat([output.weight, output.bias[:, None]], dim=1))
