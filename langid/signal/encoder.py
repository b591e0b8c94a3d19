"""Pretrained encoders of ``transformers``, all by one contract: a stem, layers, a final norm."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langid.errors import LangidError
from langid.signal.encoder_inputs import HOP, RATE, WINDOW, KaldiMel, UnitVariance, WhisperMel
from langid.signal.encoder_windows import LONGEST_S
from langid.signal.full_precision import in_full, without_tf32

Attention = dict[str, Any]


class Encoder(nn.Module):
    """Samples to the hidden states of every layer, each clip in its own length.

    ``config`` and ``extractor`` are those of ``transformers``, ``model`` the encoder itself.
    Numbers of layers are those of ``hidden_states`` there: 0 is what the first layer processes.
    A clip of less than ``filled_s`` is followed by silence up to there. ``only_rate`` is the sample
    rate of an architecture whose inputs know no other.
    """

    model: Any
    only_rate: int | None = None
    filled_s = 0.0

    def __init__(self, config: Any, extractor: Any, model: nn.Module):
        super().__init__()
        self.model = model
        self.fused = config._attn_implementation  # how layers attend, as transformers chose
        self.width = int(config.hidden_size)
        self.sample_rate = int(extractor.sampling_rate)
        self.hop_samples = math.prod(getattr(config, "conv_stride", (2, HOP)))
        self.least_samples = WINDOW  # of a clip, so that there is a frame
        self.inputs: nn.Module = nn.Identity()

    def fill(self, filled_s: float | None) -> None:
        """Follow clips by silence up to so many seconds; None leaves it as the encoder likes it.

        Raises LangidError where it is not between 0 and 30.
        """
        if filled_s is None:
            return
        if not (isinstance(filled_s, int | float) and 0 <= filled_s <= LONGEST_S):
            raise LangidError(f"features.filled_s={filled_s}: accepted are 0 to {LONGEST_S:g} s")
        self.filled_s = float(filled_s)

    @property
    def layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self.model.encoder.layers
        return layers

    def stem(self, samples: Tensor) -> Tensor:
        """``samples (batch, samples)``, all real -> ``states (batch, time, width)`` of layer 0."""
        raise TypeError(f"{type(self).__name__} has no stem")

    def attention(self, states: Tensor, there: Tensor | None) -> Attention:
        """Return what every layer is told: which frames ``there (batch, time) bool`` are real."""
        mask = None
        if there is not None:
            mask = torch.zeros_like(there, dtype=states.dtype)
            mask = mask.masked_fill(~there, torch.finfo(states.dtype).min)[:, None, None]
        return {"attention_mask": mask}

    def layer(self, number: int, states: Tensor, attention: Attention) -> Tensor:
        """Return the states behind a layer, the first being number 1."""
        # A processor is faster back through plain products than through fused ones of bfloat16.
        learns_short = torch.is_grad_enabled() and torch.is_autocast_enabled(states.device.type)
        wanted = "eager" if learns_short and states.device.type == "cpu" else self.fused
        if self.model.config._attn_implementation != wanted:
            self.model.set_attn_implementation(wanted)
        found = self.layers[number - 1](states, **attention)
        return found[0] if isinstance(found, tuple) else found

    def finish(self, states: Tensor) -> Tensor:
        """Return what the encoder gives of the states behind its last layer."""
        return states

    def hidden_states(self, states: Sequence[Tensor]) -> list[Tensor]:
        """Return the states of layers, from 0 on, as ``transformers`` gives them."""
        return list(states)

    def states(
        self, samples: Tensor, lengths: Tensor | None = None, upto: int = 0
    ) -> tuple[list[Tensor], Tensor | None]:
        """Return ``states (batch, time, width)`` of layers 0 to ``upto``, as ``begin`` does."""
        with without_tf32(samples.device.type):
            states, there = self.begin(samples, lengths)
            attention, found = self.attention(states, there), [states]
            for number in range(1, upto + 1):
                found.append(self.layer(number, found[-1], attention))
        return found, there

    def begin(self, samples: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """``samples (batch, samples) -> states (batch, time, width)`` of layer 0, and which exist.

        With ``lengths (batch,)``, in samples, what is behind them is padding, and each clip is as
        if it were alone; else all are real, and None is returned in place of a mask. Silence that
        follows a short clip exists for the layers; ``count`` tells the frames of the clip itself.
        """
        device = samples.device.type
        with in_full(device), without_tf32(device):
            if lengths is None:
                return self.stem(self._filled(samples)), None
            clips = [
                self.stem(self._filled(row[None, :length]))[0]
                for row, length in zip(samples, lengths.tolist(), strict=True)
            ]
        states = nn.utils.rnn.pad_sequence(clips, batch_first=True)
        frames = torch.tensor([len(clip) for clip in clips], device=states.device)
        return states, torch.arange(states.shape[1], device=states.device) < frames[:, None]

    def count(self, samples: int) -> int:
        """Return how many frames a clip of so many samples has, at least one."""
        return _larger(-(-samples // self.hop_samples), 1)

    def _filled(self, samples: Tensor) -> Tensor:
        """Return samples with zeros at the end, so that there is a frame at least."""
        least = max(self.least_samples, round(self.filled_s * self.sample_rate))
        return nn.functional.pad(samples, (0, _larger(least - samples.shape[1], 0)))


class WhisperEncoder(Encoder):
    """Whisper's (Radford et al. 2022), which need not hear 30 s: its positions are cut.

    It learned from 30 s, filled up with silence, and tells less of a short clip without any: see
    experiments/pretrained.
    """

    only_rate = RATE

    filled_s = 5.0

    def __init__(self, config: Any, extractor: Any, model: nn.Module):
        super().__init__(config, extractor, model)
        self.inputs = WhisperMel(extractor)
        self.least_samples = self.hop_samples

    @property
    def layers(self) -> nn.ModuleList:
        layers: nn.ModuleList = self.model.layers
        return layers

    def stem(self, samples: Tensor) -> Tensor:
        gelu, model = nn.functional.gelu, self.model
        states = gelu(model.conv2(gelu(model.conv1(self.inputs(samples))))).transpose(1, 2)
        places = torch.arange(states.shape[1], device=states.device)
        return states + model.embed_positions(places)

    def _filled(self, samples: Tensor) -> Tensor:
        """Return whole frames, as every hop has one."""
        whole = nn.functional.pad(samples, (0, -samples.shape[1] % self.hop_samples))
        return super()._filled(whole)

    def finish(self, states: Tensor) -> Tensor:
        return self.model.layer_norm(states)

    def hidden_states(self, states: Sequence[Tensor]) -> list[Tensor]:
        whole = len(states) > len(self.layers)
        return [*states[:-1], self.finish(states[-1])] if whole else list(states)


class Wav2Vec2Encoder(Encoder):
    """wav2vec 2.0 (Baevski et al. 2020), as XLS-R and MMS are too, and HuBERT (Hsu et al. 2021)."""

    def __init__(self, config: Any, extractor: Any, model: nn.Module):
        super().__init__(config, extractor, model)
        self.inputs = UnitVariance() if extractor.do_normalize else nn.Identity()
        self.norm_first = not getattr(config, "do_stable_layer_norm", False)

    def stem(self, samples: Tensor) -> Tensor:
        model, inner = self.model, self.model.encoder
        states = model.feature_projection(
            model.feature_extractor(self.inputs(samples)).transpose(1, 2)
        )
        states = states[0] if isinstance(states, tuple) else states
        states = states + inner.pos_conv_embed(states)
        return inner.layer_norm(states) if self.norm_first else states

    def finish(self, states: Tensor) -> Tensor:
        return states if self.norm_first else self.model.encoder.layer_norm(states)


class WavLMEncoder(Wav2Vec2Encoder):
    """WavLM (Chen et al. 2021): layers share a bias of relative positions that the first holds."""

    def attention(self, states: Tensor, there: Tensor | None) -> Attention:
        batch, time = states.shape[:2]
        first: Any = self.layers[0]
        bias = first.attention.compute_bias(time, time)
        bias = bias.expand(batch, -1, -1, -1).reshape(-1, time, time)
        mask = None if there is None else there.long()
        return {"attention_mask": mask, "position_bias": bias}


class Wav2Vec2BertEncoder(Encoder):
    """w2v-BERT 2.0 (Seamless Communication 2023): a conformer on filter banks."""

    only_rate = RATE

    def __init__(self, config: Any, extractor: Any, model: nn.Module):
        super().__init__(config, extractor, model)
        self.inputs = KaldiMel(extractor)
        self.hop_samples = extractor.stride * HOP
        self.least_samples = WINDOW + 3 * HOP  # two frames: of one its attention is another graph

    def stem(self, samples: Tensor) -> Tensor:
        inputs = self.inputs(samples)
        # An export cannot see it.
        torch._check(inputs.shape[1] > 1)  # type: ignore[no-untyped-call]
        return self.model.feature_projection(inputs)[0]

    def attention(self, states: Tensor, there: Tensor | None) -> Attention:
        positions = self.model.encoder.embed_positions
        return {
            **super().attention(states, there),
            "relative_position_embeddings": positions(states) if positions else None,
            "conv_attention_mask": there,
        }


def _larger(one: int, other: int) -> int:
    """Return the larger of two sizes, also of those that an export does not know yet."""
    return torch.sym_max(one, other)  # type: ignore[no-any-return, no-untyped-call]


ENCODERS: dict[str, type[Encoder]] = {
    "whisper": WhisperEncoder,
    "wav2vec2": Wav2Vec2Encoder,
    "hubert": Wav2Vec2Encoder,
    "wavlm": WavLMEncoder,
    "wav2vec2-bert": Wav2Vec2BertEncoder,
}
