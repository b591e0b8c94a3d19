"""The contract of every network: frames of features in, frames of logits out."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Network(nn.Module):
    """``features (batch, time, bins), lengths (batch,) -> logits (batch, frames, classes)``.

    A frame network returns one frame of logits per frame of features, an utterance network one in
    all. Frames at and after an utterance's length are padding and change nothing before it. Where
    logits come from one linear layer, what this layer gets is the embedding of an utterance, of a
    frame network averaged over frames (langid.training.embedding). A ``cumulative`` network of
    frames says at each what all frames up to it are, so that the answer for an utterance is that at
    its last; of any other it is the mean over frames.
    """

    cumulative = False

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Return what learns, in groups, and by what the learning rate of each is multiplied."""
        return [(list(self.parameters()), 1.0)]


class UtteranceNetwork(Network):
    """A network that processes a whole utterance and returns one frame of logits for all of it.

    In training its one answer is held against the language at every frame that has a target.
    """


class SampleNetwork(UtteranceNetwork):
    """A network of hops of samples, ``(batch, time, hop_samples)``, in place of features.

    It holds itself what makes states of them. ``of_features`` names what it holds of a network on
    such features: the names here of names of an identifier there. ``longest_s`` is what it takes at
    once in an exported file.
    """

    longest_s: float
    sample_rate: int
    hop_samples: int
    of_features: Mapping[str, str]

    @classmethod
    def pinned(cls, arguments: dict[str, Any], features: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments with all that is needed to build it without the store's features."""
        raise TypeError(f"{cls.__name__} cannot be pinned")

    def begin(self, features: dict[str, Any]) -> None:
        """Take over the weights of what the store's features are made by."""
        raise TypeError(f"{type(self).__name__} has nothing to begin with")

    def begins_with(self, name: str) -> bool:
        """Return whether ``begin`` takes over the weights of this name."""
        raise TypeError(f"{type(self).__name__} has nothing to begin with")


class StreamingNetwork(Network):
    """A network without look-ahead whose whole memory goes in and out as ``state``.

    ``step`` on any chunks, one after the other, gives the logits of ``forward`` on all of them.
    """

    memories: Sequence[tuple[int, ...]]  # the shape of each tensor of the state, without the batch
    frames_at_once: int = 0  # that an exported graph takes at most in a call; 0 for any number

    def initial_state(self, batch_size: int) -> State:
        """Return the memory before the first frame, batch on the first axis of each tensor."""
        zeros = next(self.parameters()).new_zeros
        return tuple(zeros(batch_size, *shape) for shape in self.memories)

    def step(
        self, features: Tensor, state: State, advance: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """``features (batch, time, bins), state -> logits (batch, time, classes), state``.

        Where ``advance (batch, time) bool`` is false the frame is skipped: memory and logits stay
        those of the frame before, as if it had been cut out.
        """
        raise TypeError(f"{type(self).__name__} has no step")

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        return self.step(features, self.initial_state(features.shape[0]))[0]


class Normaliser(nn.Module):
    """Shifts and scales every bin by the mean and deviation of the training speakers' speech."""

    def __init__(self, bins: int):
        super().__init__()
        self.shift = nn.Buffer(torch.zeros(bins))
        self.scale = nn.Buffer(torch.ones(bins))

    def fit(self, mean: Tensor, deviation: Tensor) -> None:
        """Take over mean and standard deviation, ``(bins,)`` each."""
        self.scale.copy_(1 / deviation)
        self.shift.copy_(-mean / deviation)

    def forward(self, features: Tensor) -> Tensor:
        return torch.addcmul(self.shift, features, self.scale)
