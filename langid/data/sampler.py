"""The order of training sequences in an epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Sampler

POOL_BATCHES = 100  # within which items are sorted by length


@dataclass(eq=False)
class EpochSampler(Sampler[Any]):
    """A random order that depends on seed and epoch alone, so that a resumed run repeats it.

    ``draw`` returns the indices of an epoch, as many in each. Of several processes each takes its
    share of every batch of ``batch_size``, so that all of them together learn from the same
    batches as one alone, and draw each index once. Where the last batch has fewer indices than
    there are processes, those without one take one of the others', to be at every step.

    Items are indices, or where ``draws`` or ``occasions`` are asked for lists: the index, so many
    numbers of 0 to below 1 that decide its crop, and for its acoustics its occasion, which is the
    epoch and how often it was drawn in it before.

    With ``lengths``, which says how many frames of each item are heard, those of a batch are of
    like length (see ``by_length``).
    """

    draw: Callable[[int], np.ndarray]
    seed: int
    batch_size: int = 1
    rank: int = 0
    processes: int = 1
    epoch: int = 0
    draws: int = 0
    occasions: bool = False
    lengths: Callable[[np.ndarray], np.ndarray] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each one."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        items = self._items(self._order(generator), generator)
        if self.lengths:
            items = items[by_length(self.lengths(items), self.batch_size, generator)]
        order = items.tolist()
        yield from order[self.rank :: self.processes]
        if rest := self._to_fill(len(order)):
            yield order[len(order) - rest + self.rank % rest]

    def __len__(self) -> int:
        drawn = len(self.draw(self.epoch))
        return len(range(self.rank, drawn, self.processes)) + bool(self._to_fill(drawn))

    def _order(self, generator: torch.Generator) -> np.ndarray:
        """Return the indices of the epoch's batches."""
        drawn = self.draw(self.epoch)
        order: np.ndarray = drawn[torch.randperm(len(drawn), generator=generator).numpy()]
        return order

    def _items(self, order: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """Return indices with what stands beside them."""
        beside = []
        if self.draws:
            drawn = torch.rand(len(order), self.draws, generator=generator, dtype=torch.float64)
            beside.append(drawn.numpy())
        if self.occasions:
            before = pd.Series(order).groupby(order).cumcount()
            beside.append(np.column_stack([np.full(len(order), self.epoch), before]))
        return np.column_stack([order, *beside]) if beside else order

    def _to_fill(self, drawn: int) -> int:
        """Return the size of the last batch where this process has no share in it, else 0."""
        rest = drawn % self.batch_size
        return rest if rest <= self.rank else 0


def by_length(lengths: np.ndarray, batch_size: int, generator: torch.Generator) -> np.ndarray:
    """Return an order of items, which are in a random one, whose batches waste little on padding.

    POOL_BATCHES of items are sorted by length and cut into batches; all batches are in a random
    order, but that one which lacks items, of any length, is the last.
    """
    batches: list[np.ndarray] = []
    short = np.empty(0, int)
    pool = POOL_BATCHES * batch_size
    for first in range(0, len(lengths), pool):
        order = first + np.argsort(lengths[first : first + pool], kind="stable")
        if rest := len(order) % batch_size:
            drawn = torch.randint(len(order) // batch_size + 1, (), generator=generator)
            place = int(drawn) * batch_size
            short, order = (
                order[place : place + rest],
                np.delete(order, np.s_[place : place + rest]),
            )
        batches.extend(order.reshape(-1, batch_size))
    shuffled = torch.randperm(len(batches), generator=generator).tolist()
    return np.concatenate([*(batches[number] for number in shuffled), short])


class LaneSampler(EpochSampler):
    """An order in which every place of a batch goes on where it was in the batch before.

    All utterances, one after the other in a random order, are cut into ``batch_size`` lanes of
    sequences; a batch holds the next sequence of each lane, and the last batch of an epoch those
    of the first lanes, which may be longer by one. ``rows (sequences,)`` are the utterances of the
    sequences, which are in order within each.
    """

    def __init__(
        self, rows: np.ndarray, seed: int, batch_size: int = 1, rank: int = 0, processes: int = 1
    ):
        super().__init__(lambda epoch: np.arange(len(rows)), seed, batch_size, rank, processes)
        self.rows = rows

    def _order(self, generator: torch.Generator) -> np.ndarray:
        utterances, number = np.unique(self.rows, return_inverse=True)
        place = torch.randperm(len(utterances), generator=generator).numpy()
        line = np.argsort(place[number], kind="stable")
        lanes = np.array_split(line, self.batch_size)
        step = np.concatenate([np.arange(len(lane)) for lane in lanes])
        return line[np.argsort(step, kind="stable")]
