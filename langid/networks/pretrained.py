"""A pretrained encoder of speech whose upper layers learn with a probe on top."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from langid.errors import LangidError
from langid.networks.low_rank import add_low_rank, is_low_rank, load_original
from langid.networks.network import Normaliser, SampleNetwork
from langid.networks.padding import any_padding
from langid.networks.probes import AttentiveProbe, LinearProbe
from langid.signal.encoder import Attention
from langid.signal.encoder_files import found_files, pinned
from langid.signal.encoder_loading import architecture_of, empty_encoder, load_encoder
from langid.signal.encoder_windows import LONGEST_S, EncoderWindows

HEADS = {"linear": LinearProbe, "attentive": AttentiveProbe}
FEW = 4  # clips of like length that a processor is fastest with
CHOSEN = 10.0  # the logit of the layer to begin with: it has nearly all the weight


class PretrainedNetwork(SampleNetwork):
    """Hops of samples to logits, by an encoder of ``transformers`` and a probe on its states.

    ``architecture`` describes the encoder and ``layer`` what its probe begins with, as
    ``features.layer`` does: ``last``, ``mean`` or a number, above which no layer is processed;
    ``filled_s`` is what clips have at least, with silence behind them.
    The ``tuned_layers`` below learn, the k-th from the top at ``encoder_lr * layer_decay**k`` times
    the learning rate of the probe; what lies under them stays as it is. The probe (``head``:
    ``linear`` or ``attentive``) gets a sum of the states of all layers with learnt weights (SUPERB,
    Yang et al. 2021), which begin with the chosen layer alone, for the probe to say what it said,
    and stay near it in a short training; with ``mean`` all begin alike. With
    ``checkpoint_gradients`` tuned layers are processed again for their gradients, which saves
    memory. With ``lora_rank`` they learn low-rank changes of two projections alone (LoRA, Hu et al.
    2022). Clips of more than 30 s are heard in overlapping windows. Raises LangidError for values
    that it does not take.
    """

    longest_s = LONGEST_S
    of_features: Mapping[str, str] = {
        "network.": "network.head.",
        "normaliser.": "network.normaliser.",
    }

    def __init__(
        self,
        num_classes: int,
        architecture: dict[str, Any] | None = None,
        layer: str | int | None = None,
        filled_s: float | None = None,
        tuned_layers: int = 2,
        head: str = "linear",
        encoder_lr: float = 0.05,
        layer_decay: float = 0.7,
        checkpoint_gradients: bool = False,
        lora_rank: int = 0,
    ):
        super().__init__()
        if head not in HEADS:
            raise LangidError(f"network.head={head}: accepted are {', '.join(HEADS)}")
        for name, value in (("encoder_lr", encoder_lr), ("layer_decay", layer_decay)):
            if not 0 < value <= 1:
                raise LangidError(f"network.{name}={value}: accepted are more than 0, up to 1")
        self.encoder = empty_encoder(architecture or {}).requires_grad_(False)
        self.encoder.fill(filled_s)
        self.top = len(self.encoder.layers) if layer in ("last", "mean", None) else int(layer)
        if not 0 <= tuned_layers <= self.top:
            raise LangidError(
                f"network.tuned_layers={tuned_layers}: {self.top} layers are processed; accepted"
                f" are 0 to {self.top}"
            )
        self.layer, self.frozen_layers = layer, self.top - tuned_layers
        self.encoder_lr, self.layer_decay = encoder_lr, layer_decay
        self.checkpoint_gradients = checkpoint_gradients
        self.sample_rate, self.hop_samples = self.encoder.sample_rate, self.encoder.hop_samples
        self.windows = EncoderWindows(self.sample_rate, self.hop_samples)
        weights = torch.zeros(self.top + 1)
        if layer != "mean":
            weights[-1] = CHOSEN
        self.layer_weights = nn.Parameter(weights)
        self.normaliser = Normaliser(self.encoder.width)
        self.head = HEADS[head](self.encoder.width, num_classes)
        if lora_rank:
            add_low_rank(self.tuned, lora_rank)
        else:
            for each in self.tuned:
                each.requires_grad_(True)
        self.train()

    @classmethod
    def pinned(cls, arguments: dict[str, Any], features: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with the encoder of a store, fetched from the hub if need be."""
        if "sha256" not in features:
            raise LangidError(
                "model=pretrained: its store must name an encoder; prepare one with"
                " features=pretrained features.encoder=... content=samples"
            )
        architecture = architecture_of(_files(pinned(features)))
        held = {"layer": features["layer"], "filled_s": features.get("filled_s")}
        return arguments | {"architecture": architecture} | held

    def begin(self, features: dict[str, Any]) -> None:
        """Take over the encoder's weights, those of the store's hash."""
        load_original(self.encoder, load_encoder(_files(features)).state_dict())

    def begins_with(self, name: str) -> bool:
        """Return whether weights are the encoder's own, and no change of them."""
        return name.startswith("encoder.") and not is_low_rank(name)

    @property
    def tuned(self) -> list[nn.Module]:
        """The layers that learn, the lowest first."""
        return list(self.encoder.layers)[self.frozen_layers : self.top]

    def train(self, mode: bool = True) -> "PretrainedNetwork":
        """Put what learns into training mode; the rest is always in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        for each in self.tuned:
            each.train(mode)
        return self

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Return the probe's parameters, then those of every tuned layer from the top."""
        groups = [([self.layer_weights, *self.head.parameters()], 1.0)]
        for depth, each in enumerate(reversed(self.tuned)):
            groups.append((list(each.parameters()), self.encoder_lr * self.layer_decay**depth))
        learnt = [([one for one in some if one.requires_grad], factor) for some, factor in groups]
        return [(some, factor) for some, factor in learnt if some]

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = features.shape[1]  # of none the encoder makes one
        if frames > self.windows.frames:
            states, lengths = self._windowed(features.flatten(1), lengths)
        else:
            padded = not torch.compiler.is_exporting() and any_padding(lengths, frames)
            states, lengths = self._states(
                features.flatten(1), lengths * self.hop_samples if padded else None
            )
        return self.head(self.normaliser(states), lengths)

    def _windowed(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of clips that are longer than a window, and how many they have."""
        clips = [
            row[: length * self.hop_samples]
            for row, length in zip(samples, lengths.tolist(), strict=True)
        ]
        windows = [self.windows.of(clip) for clip in clips]
        each = [window for of_clip in windows for window in of_clip]
        sizes = torch.tensor([len(window) for window in each], device=samples.device)
        states, counts = self._states(nn.utils.rnn.pad_sequence(each, batch_first=True), sizes)
        real = iter([row[:count] for row, count in zip(states, counts.tolist(), strict=True)])
        joined = [self.windows.joined([next(real) for _ in of_clip]) for of_clip in windows]
        there = torch.tensor([len(clip) for clip in joined], device=samples.device)
        return nn.utils.rnn.pad_sequence(joined, batch_first=True), there

    def _states(self, samples: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """``samples, lengths`` in samples -> ``states (batch, time, width)``, and how many."""
        at_once = torch.compiler.is_exporting() or samples.device.type != "cpu"
        if at_once or len(samples) == 1:  # asked last: it would fix an export's streams
            return self.together(samples, lengths)
        # A processor loses more by padding than it gains by many at once.
        known = [samples.shape[1]] * len(samples) if lengths is None else lengths.tolist()
        each: list[Tensor] = [torch.empty(0)] * len(samples)
        order = sorted(range(len(samples)), key=lambda row: known[row])
        for rows in (order[start : start + FEW] for start in range(0, len(order), FEW)):
            sizes = torch.tensor([known[row] for row in rows])
            alike = sizes[0] == sizes[-1]
            few = samples[rows, : known[rows[-1]]]
            states, counts = self.together(few, None if alike else sizes)
            for row, of_row, count in zip(rows, states, counts.tolist(), strict=True):
                each[row] = of_row[:count]
        counts = torch.tensor([len(states) for states in each])
        return nn.utils.rnn.pad_sequence(each, batch_first=True), counts

    def together(self, samples: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what ``_states`` does, of one padded batch, as a GPU likes it."""
        encoder = self.encoder
        with torch.no_grad():
            states, there = encoder.begin(samples, lengths)
            attention, found = encoder.attention(states, there), [states]
            for number in range(1, self.frozen_layers + 1):
                found.append(encoder.layer(number, found[-1], attention))
        for number in range(self.frozen_layers + 1, self.top + 1):
            found.append(self._tuned(number, found[-1], attention))
        summed = self._summed(found)
        if there is None or lengths is None:
            summed = summed[:, : encoder.count(samples.shape[1])]
            return summed, torch.full(summed.shape[:1], summed.shape[1], device=states.device)
        of_clips = (lengths.to(states.device) + encoder.hop_samples - 1) // encoder.hop_samples
        return summed, of_clips.clamp(min=1).minimum(there.sum(1))

    def _tuned(self, number: int, states: Tensor, attention: Attention) -> Tensor:
        if self.checkpoint_gradients and torch.is_grad_enabled():
            return checkpoint(self.encoder.layer, number, states, attention, use_reentrant=False)  # type: ignore[no-any-return]
        return self.encoder.layer(number, states, attention)

    def _summed(self, found: list[Tensor]) -> Tensor:
        """Return the sum of the states of all layers with their learnt weights."""
        states = self.encoder.hidden_states(found)
        if self.layer != "mean" and self.top == len(self.encoder.layers):
            states[-1] = self.encoder.finish(found[-1])
        weights = self.layer_weights.softmax(0)
        return sum(
            (weight * state for weight, state in zip(weights, states, strict=True)),
            start=torch.zeros_like(states[0]),
        )


def _files(features: dict[str, Any]) -> Any:
    return found_files(features["encoder"], features["revision"], features["sha256"])
