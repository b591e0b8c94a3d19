"""Training on a part of each sequence, of another length at another place in every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import Dataset

from langid.data.dataset import Batch, SequenceDataset
from langid.data.silence_policy import SilencePolicy
from langid.errors import LangidError

STEPS = 50  # lengths of crops that stand for all
DRAWS = 3  # numbers that decide a crop: its length, the speech in it, its place


@dataclass(frozen=True)
class Crops:
    """Lengths of crops, uniform between ``shortest`` and ``longest``, in frames."""

    shortest: float
    longest: float

    @classmethod
    def of_seconds(cls, crop_s: Any, frames_per_second: float) -> "Crops":
        """Return crops of ``[SHORTEST, LONGEST]`` seconds; raises LangidError for anything else."""
        told = f"data.crop_s={crop_s}: "
        pair = isinstance(crop_s, list | tuple) and len(crop_s) == 2
        if not (pair and all(type(of) in (int, float) for of in crop_s)) or not (
            0 < crop_s[0] <= crop_s[1] < inf
        ):
            raise LangidError(
                f"{told}accepted are null and two numbers of seconds above 0, the shortest crop and"
                " the longest, as in data.crop_s=[0.5,10]"
            )
        shortest, longest = (float(seconds) * frames_per_second for seconds in crop_s)
        if shortest < 1:
            raise LangidError(
                f"{told}a frame of this store lasts {1 / frames_per_second:g} s, and a crop is no"
                " shorter than one; take a longer first number"
            )
        return cls(shortest, longest)

    def lengths(self, draws: Any) -> Any:
        """Return the frames of crops from the first of their draws, ``(crops,)`` or one."""
        return np.rint(self.shortest + draws * (self.longest - self.shortest)).astype(int)

    def expected(self, heard: np.ndarray) -> np.ndarray:
        """Return how many of the frames that are heard of sequences a crop has on average."""
        lengths = self.lengths((np.arange(STEPS) + 0.5) / STEPS)
        return np.asarray(np.minimum(lengths, heard[:, None]).mean(1))

    def bounds(
        self, heard: np.ndarray, speech: np.ndarray, draws: Sequence[float]
    ) -> tuple[int, int]:
        """Return where the crop of a sequence begins and ends.

        ``heard (time,) bool`` are the frames that the network hears, of which lengths count, and
        ``speech (time,) bool`` those of speech. The ``draws``, of 0 to below 1, decide the length,
        one of the frames of speech, and where the crop lies that covers it and does not reach
        beyond the sequence. All frames of speech are alike in that draw, yet those near the ends
        of a sequence come up less often, as fewer crops cover them. A sequence that is shorter
        than the length is heard whole.
        """
        places = np.flatnonzero(heard)
        length = int(self.lengths(np.float64(draws[0])))
        if length >= len(places):
            return 0, len(heard)
        spoken = np.flatnonzero(speech[places])
        covered = spoken[int(draws[1] * len(spoken))]
        first, last = max(0, covered - length + 1), min(covered, len(places) - length)
        begin = first + int(draws[2] * (last - first + 1))
        return int(places[begin]), int(places[begin + length - 1]) + 1


class DrawnDataset(Dataset[Batch]):
    """The sequences of another dataset as an EpochSampler draws them: cropped, changed, or both."""

    def __init__(self, sequences: SequenceDataset, crops: Crops | None):
        self.sequences = sequences
        self.crops = crops

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitems__(self, drawn: Sequence[Sequence[float]]) -> Batch:
        """Return sequences as one padded batch."""
        count = DRAWS if self.crops else 0
        indices = [int(index) for index, *_ in drawn]
        places = [self._place(int(index), beside[:count]) for index, *beside in drawn]
        occasions = [[int(number) for number in beside[count:]] for _, *beside in drawn]
        return self.sequences.batch(indices, places, occasions)

    def _place(self, index: int, draws: Sequence[float]) -> tuple[int, int]:
        start, stop = self.sequences.start[index], self.sequences.stop[index]
        if self.crops is None:
            return start, stop
        speech = self.sequences.store.read_speech(start, stop)
        kept = self.sequences.policy.kept(speech)
        first, last = self.crops.bounds(kept, speech, draws)
        return start + first, start + last


def heard_frames(
    sequences: pd.DataFrame, policy: SilencePolicy, crops: Crops | None, items: np.ndarray
) -> np.ndarray:
    """Return how many frames a network hears of items that an EpochSampler draws, ``(items,)``.

    ``sequences`` are a table of ``cut``. A change of pace is not looked at.
    """
    heard = sequences["speech"] if policy.removes else sequences["stop"] - sequences["start"]
    index = items if items.ndim == 1 else items[:, 0].astype(int)
    lengths: np.ndarray = heard.to_numpy()[index]
    return lengths if crops is None else np.minimum(lengths, crops.lengths(items[:, 1]))
