"""What frames without speech mean to a network: the policies that a training chooses from."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from langid.errors import LangidError
from langid.utterance import counted_frames

IGNORED = -100  # the target of frames without loss, torch's own default


class SilencePolicy:
    """What a network hears, is asked and answers of silence; scored are speech frames, always.

    ``removes``: silence is cut out before the network hears a sequence. ``extra_outputs`` are those
    beside the classes.
    """

    name: ClassVar[str]
    removes: ClassVar[bool] = False
    extra_outputs: ClassVar[int] = 0

    def ends(self, speech: np.ndarray, offsets: np.ndarray, frames: int) -> np.ndarray:
        """Return where the sequences of utterances end, in order.

        ``speech (time,) bool`` are their frames, one behind the other, and ``offsets (utterances +
        1,)`` where they begin and the last one ends. Of each, all sequences but the last have so
        many ``frames`` that the network hears.
        """
        counts = -(-np.diff(offsets) // frames)
        number = np.arange(1, counts.sum() + 1) - np.repeat(counts.cumsum() - counts, counts)
        begin, end = (np.repeat(of, counts) for of in (offsets[:-1], offsets[1:]))
        ends: np.ndarray = np.minimum(begin + number * frames, end)
        return ends

    def kept(self, speech: Any) -> Any:
        """Return which frames the network hears, of ``speech (..., time) bool``; one at least.

        Arrays and tensors come back as what they were.
        """
        return speech | ~speech

    def targets(self, target: Tensor, speech: Tensor, there: Tensor, classes: int) -> Tensor:
        """Return the target of each frame, ``(batch, time)``; IGNORED where no loss is due.

        ``target (batch,)``, ``speech (batch, time) bool``; ``there (batch, time) bool`` are frames
        of sequences in which there is speech.
        """
        return torch.where(speech, target[:, None], IGNORED)

    def class_frames(
        self, target: np.ndarray, frames: np.ndarray, speech: np.ndarray, classes: int
    ) -> list[int]:
        """Return the frames with a loss of each output.

        All are ``(sequences,)``: the class, how many frames there are, how many of them speech.
        """
        return [int(count) for count in np.bincount(target, speech, classes)]


class Keep(SilencePolicy):
    """Silence carries the label of its utterance."""

    name = "keep"

    def targets(self, target: Tensor, speech: Tensor, there: Tensor, classes: int) -> Tensor:
        return torch.where(there, target[:, None], IGNORED)

    def class_frames(
        self, target: np.ndarray, frames: np.ndarray, speech: np.ndarray, classes: int
    ) -> list[int]:
        return super().class_frames(target, frames, frames, classes)


class Mask(SilencePolicy):
    """Silence is heard and has no loss."""

    name = "mask"


class Remove(SilencePolicy):
    """Silence is cut out; of a stream, memory and answer stay as they are over it."""

    name = "remove"
    removes = True

    def ends(self, speech: np.ndarray, offsets: np.ndarray, frames: int) -> np.ndarray:
        spoken = np.flatnonzero(speech)
        before = np.searchsorted(spoken, offsets)  # frames of speech before each utterance
        number = np.arange(len(spoken)) - np.repeat(before[:-1], np.diff(before))
        return np.sort(np.append(spoken[(number > 0) & (number % frames == 0)], offsets[1:]))

    def kept(self, speech: Any) -> Any:
        first = (speech | ~speech).cumsum(-1) == 1
        return counted_frames(speech, first)


class Label(SilencePolicy):
    """Silence is one more class, the last; nothing is ever called so."""

    name = "label"
    extra_outputs = 1

    def targets(self, target: Tensor, speech: Tensor, there: Tensor, classes: int) -> Tensor:
        silence = torch.where(there, classes, IGNORED)
        return torch.where(speech, target[:, None], silence)

    def class_frames(
        self, target: np.ndarray, frames: np.ndarray, speech: np.ndarray, classes: int
    ) -> list[int]:
        of_classes = super().class_frames(target, frames, speech, classes)
        return [*of_classes, int((frames - speech).sum())]


POLICIES = {policy.name: policy for policy in (Keep(), Mask(), Remove(), Label())}


def silence_policy(name: str) -> SilencePolicy:
    """Return the policy of a name; raises LangidError for another."""
    if name not in POLICIES:
        raise LangidError(f"silence={name}: accepted are {', '.join(POLICIES)}")
    return POLICIES[name]
