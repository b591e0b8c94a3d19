"""Hidden states of a frozen pretrained encoder of speech as features."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from langid.errors import LangidError
from langid.signal.encoder import Encoder
from langid.signal.encoder_files import found_files
from langid.signal.encoder_loading import load_encoder
from langid.signal.encoder_windows import LONGEST_S, EncoderWindows
from langid.signal.features import Features

# On a GPU windows of like length are processed together, so many seconds of them; a processor takes
# twice as long for a clip of a batch as for one alone, whose states stay in its cache.
TOGETHER_S = 320.0


class Pretrained(Features):
    """Frames of an encoder of ``transformers``, as many a second as it makes (50, mostly).

    ``encoder`` is a folder as ``transformers`` saves one, or a name on the Hugging Face hub whose
    files are in its cache; ``layer`` is ``last`` (what the encoder returns), ``mean`` (of the
    hidden states of all layers), or a number: 0 is what the first layer hears. ``revision`` and
    ``sha256`` tell the weights; others of the same name are refused. Each clip is heard in its own
    length, where Whisper is made to hear 30 s, filled up with silence: here it is filled up to
    ``filled_s`` (5 s, if None is given), and its positions are cut. A longer clip is heard in
    windows of 30 s that overlap by 2 s, of which each gives the frames up to the middle of the
    overlap. Where an encoder makes no frame of the last hop, the one before is repeated. The
    weights are no part of a checkpoint. Raises LangidError where they are not there, not whole, or
    not those of an encoder of speech.
    """

    causal = False
    together = True
    context_frames = 0
    longest_s = LONGEST_S
    held: tuple[Encoder]  # not a module of this one: its weights are no part of a checkpoint

    def __init__(
        self,
        encoder: str,
        layer: str | int = "last",
        filled_s: float | None = None,
        revision: str | None = None,
        sha256: str | None = None,
    ):
        super().__init__()
        loaded = load_encoder(found_files(encoder, revision, sha256))
        count = len(loaded.layers)
        if layer not in ("last", "mean") and not (type(layer) is int and 0 <= layer <= count):
            raise LangidError(
                f"features.layer={layer}: {encoder} has {count} layers; accepted are last, mean and"
                f" 0 to {count}"
            )
        loaded.fill(filled_s)
        self.layer = layer
        self.bins, self.sample_rate = loaded.width, loaded.sample_rate
        self.hop_samples = loaded.hop_samples
        self.windows = EncoderWindows(self.sample_rate, self.hop_samples)
        self.held = (loaded,)

    @property
    def detector_hop_samples(self) -> int:
        """Return 10 ms, for which the settings of detectors are made."""
        return self.sample_rate // 100

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """``samples (batch, samples) -> features (batch, time, bins)``.

        With ``lengths (batch,)``, in samples, each clip is heard alone, and padding gives zeros.
        """
        if not torch.compiler.is_exporting():
            self.held[0].to(samples.device)
        longest = self.windows.frames * self.hop_samples
        if lengths is None and samples.shape[1] <= longest:
            return _of_time(self._states(samples)[0], self._frames(samples.shape[1]))
        known = [samples.shape[1]] * len(samples) if lengths is None else lengths.tolist()
        clips = [row[:length] for row, length in zip(samples, known, strict=True)]
        windows = [self.windows.of(clip) for clip in clips]
        states = iter(self._each([one for of_clip in windows for one in of_clip]))
        features = []
        for clip, of_clip in zip(clips, windows, strict=True):
            joined = self.windows.joined([next(states) for _ in of_clip])
            features.append(_of_time(joined[None], self._frames(len(clip)))[0])
        return nn.utils.rnn.pad_sequence(features, batch_first=True)

    @property
    def of_sequences(self) -> bool:
        """Return that they can be made of a part of a clip, as of a clip of its own."""
        return True

    def in_context(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Return the features of sequences, each heard as a clip of its own."""
        features = self(samples, lengths * self.hop_samples)
        missing = samples.shape[1] // self.hop_samples - features.shape[1]
        return nn.functional.pad(features, (0, 0, 0, missing))

    def _frames(self, samples: int) -> int:
        return math.ceil(samples / self.hop_samples)

    def _each(self, windows: Sequence[Tensor]) -> list[Tensor]:
        """Return the states of every window, ``(time, bins)``; those of like length together."""
        states: list[Tensor] = [torch.empty(0)] * len(windows)
        order = sorted(range(len(windows)), key=lambda number: len(windows[number]))
        while order:
            longest = max(len(windows[order[-1]]), 1)
            on_gpu = windows[0].device.type != "cpu"
            count = max(1, int(TOGETHER_S * self.sample_rate / longest)) if on_gpu else 1
            group, order = order[-count:], order[:-count]
            lengths = torch.tensor([len(windows[number]) for number in group])
            padded = nn.utils.rnn.pad_sequence([windows[number] for number in group], True)
            made, there = self._states(padded, lengths if len(group) > 1 else None)
            for place, number in enumerate(group):
                states[number] = made[place] if there is None else made[place, there[place]]
        return states

    @torch.no_grad()
    def _states(
        self, samples: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the states that are asked for, ``(batch, time, bins)``, and which are real."""
        encoder, layer = self.held[0], self.layer
        upto = int(layer) if layer not in ("last", "mean") else len(encoder.layers)
        states, there = encoder.states(samples, lengths, upto)
        if layer == "last":
            return encoder.finish(states[-1]), there
        states = encoder.hidden_states(states)
        return (torch.stack(states).mean(0) if layer == "mean" else states[-1]), there


class StoredStates(Features):
    """States of a store, which are read and never made: their encoder need not be there."""

    causal = False

    def __init__(self, bins: int, sample_rate: int, hop_samples: int):
        super().__init__()
        self.bins, self.sample_rate, self.hop_samples = bins, sample_rate, hop_samples

    @property
    def detector_hop_samples(self) -> int:
        """Return 10 ms, as of those that are made."""
        return self.sample_rate // 100


def _of_time(states: Tensor, frames: int) -> Tensor:
    """Return states of so many frames: cut off, or the last repeated, ``(batch, time, bins)``."""
    missing = max(0, frames - states.shape[1])
    return torch.cat([states[:, :frames], states[:, -1:].expand(-1, missing, -1)], dim=1)
