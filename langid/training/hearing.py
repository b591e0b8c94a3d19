"""Held-out utterances that come in pieces, heard as a stream hears them."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from langid.data.dataset import Batch
from langid.networks.network import State, StreamingNetwork

if TYPE_CHECKING:
    from langid.training.identifier import LanguageIdentifier


class Hearing:
    """Hears one batch of PieceSampler after the other.

    A streaming network goes on in a piece with the memory that the piece before it has left. Any
    other hears each piece by itself.
    """

    def __init__(self, identifier: "LanguageIdentifier"):
        self.identifier = identifier
        self.units: Tensor | None = None  # that the memory is of
        self.memory: State = ()

    def __call__(self, batch: Batch) -> Tensor:
        """Return the logits of a batch, ``(batch, frames, classes)``."""
        network = self.identifier.network
        if not isinstance(network, StreamingNetwork):
            logits: Tensor = self.identifier(batch.features, batch.lengths)
            return logits
        if self.units is None or not torch.equal(self.units[: len(batch)], batch.unit):
            self.memory = network.initial_state(len(batch))
        before = tuple(tensor[: len(batch)] for tensor in self.memory)
        features = self.identifier.prepared(batch.features, batch.lengths)
        # Padding is heard too: it lies behind an utterance's last piece, whose memory is not used.
        logits, self.memory = network.step(features, before)
        self.units = batch.unit
        return logits
