"""Samples to posteriors: front end, normaliser, silence policy, network and softmax, written once.

What trains, evaluates, streams and exports goes through here; the exported graphs, which are
rewritten for speed, are held to it by parity.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from langid.data.silence_policy import SilencePolicy
from langid.networks.network import State, StreamingNetwork, UtteranceNetwork
from langid.networks.skipped_frames import compact, hold
from langid.signal.front_end import FrontEnd
from langid.training.logit_scaling import LogitScaling

if TYPE_CHECKING:  # StreamingRecurrentModule does without pandas and Lightning
    from langid.data.dataset import Batch
    from langid.training.identifier import LanguageIdentifier


class Inference:
    """Posteriors of any module that has these parts."""

    front_end: FrontEnd
    normaliser: Any  # modules, which FusedModule replaces by others
    network: Any
    silence: SilencePolicy
    classes: list[str]
    calibration: LogitScaling | None = None

    def class_posteriors(self, logits: Tensor) -> Tensor:
        """Return posteriors over the classes alone; further outputs are left out of the sum."""
        logits = logits[..., : len(self.classes)]
        return (self.calibration(logits) if self.calibration else logits).softmax(-1)

    def clip_posteriors(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """``samples (batch, samples) -> posteriors (batch, time, classes), speech (batch, time)``.

        An utterance network says the same at all times. Where silence is removed, silent frames
        repeat those before them.
        """
        features, speech = self.front_end(samples)
        batch, time = features.shape[:2]
        lengths = torch.full((batch,), time, device=features.device)  # len() would fix an export's
        network, features = self.network, self.normaliser(features)
        if not self.silence.removes:
            logits = network(features, lengths)
        elif isinstance(network, StreamingNetwork):
            logits = network.step(features, network.initial_state(len(samples)), speech)[0]
        else:
            kept = self.silence.kept(speech)
            spoken, count = compact(features, kept)
            logits = network(spoken, kept.sum(1))
            if not isinstance(network, UtteranceNetwork):
                logits = hold(logits[:, 0], logits, count)
        if isinstance(network, UtteranceNetwork):
            logits = logits.expand(-1, time, -1)
        return self.class_posteriors(logits), speech

    def stream_posteriors(
        self, samples: Tensor, front_end_state: State, network_state: State
    ) -> tuple[Tensor, Tensor, State, State]:
        """``samples (streams, frames * hop), states -> posteriors, speech, states``.

        Posteriors are ``(streams, frames, classes)``, speech is ``(streams, frames) bool``.
        """
        features, speech, front_end_state = self.front_end.step(samples, front_end_state)
        advance = speech if self.silence.removes else None
        logits, network_state = self.network.step(self.normaliser(features), network_state, advance)
        return self.class_posteriors(logits), speech, front_end_state, network_state


class CarriedState:
    """The memory of a streaming network, carried from each batch to the next.

    Gradients are not carried: truncated back-propagation through time (Williams and Peng 1990).
    With ``half`` every second place of a batch begins afresh instead.
    """

    def __init__(self, network: StreamingNetwork, half: bool = False):
        self.network, self.half = network, half
        self.state: State | None = None

    def process(self, features: Tensor, advance: Tensor | None = None) -> Tensor:
        """``features (batch, time, bins) -> logits``; ``advance (batch, time)`` as in ``step``.

        A batch may be smaller than the one before: the places at its end are then left out.
        """
        if self.state is None:
            self.state = self.network.initial_state(len(features))
        before = tuple(tensor[: len(features)] for tensor in self.state)
        logits, after = self.network.step(features, before, advance)
        self.state = tuple(tensor.detach() for tensor in after)
        if self.half:
            fresh = self.network.initial_state(len(features))
            self.state = tuple(map(_every_second, self.state, fresh))
        return logits


def _every_second(there: Tensor, other: Tensor) -> Tensor:
    """Return ``there (batch, ...)``, in whose first, third and so on place stands ``other``."""
    place = torch.arange(len(there), device=there.device)
    return torch.where((place % 2 == 1).view(-1, *[1] * (there.ndim - 1)), there, other)


class PieceInference:
    """Logits of held-out utterances that come in pieces, one of ``piece_batches`` after the other.

    A streaming network goes on with the memory that the piece before has left; any other does not.
    """

    def __init__(self, identifier: "LanguageIdentifier"):
        self.identifier = identifier
        self.units: Tensor | None = None  # that the memory is of

    def process(self, batch: "Batch") -> Tensor:
        """Return the logits of a batch, ``(batch, frames, classes)``."""
        batch = self.identifier.with_features(batch)
        network = self.identifier.network
        if not isinstance(network, StreamingNetwork):
            logits: Tensor = self.identifier(batch.features, batch.lengths)
            return logits
        if self.units is None or not torch.equal(self.units[: len(batch)], batch.unit):
            self.carried = CarriedState(network)
        self.units = batch.unit
        # With padding: it lies behind an utterance's last piece, whose memory is not used.
        return self.carried.process(self.identifier.prepared(batch.features, batch.lengths))
