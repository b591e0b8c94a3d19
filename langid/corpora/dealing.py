"""Deals groups of rows to parts at random, so that every class keeps the shares asked.

Groups of several classes go first, then the largest, each to a part drawn by the room that is left
among those where it fits; who fits nowhere goes where most is lacking. Of every class a part keeps
room for its proportional number of groups up to five, and for half of it beyond. So a speaker too
large for a small part goes to a large one, and all others may come to any part. Groups of one row,
dealt last, fill the parts up.
"""

from bisect import bisect_left
from itertools import accumulate

import numpy as np
import pandas as pd

from langid.errors import LangidError

FEWEST = 5  # speakers that evaluate asks of a class for an interval


def deal(groups: pd.Series, classes: pd.Series, shares: np.ndarray, seed: int) -> np.ndarray:
    """Return a part's index for each row: groups stay whole, classes keep the shares.

    Raises LangidError for a class with fewer groups than parts.
    """
    of_group, owners = pd.factorize(groups.to_numpy(), sort=True)
    of_class, names = pd.factorize(classes.to_numpy(), sort=True)
    pairs, clips = np.unique(of_group * len(names) + of_class, return_counts=True)
    group, column = np.divmod(pairs, len(names))
    _require_groups(names, np.bincount(column), len(shares))
    sizes = clips / np.bincount(of_class)[column]
    bounds = np.searchsorted(group, np.arange(len(owners) + 1))
    rows, largest = (f.reduceat(v, bounds[:-1]) for f, v in ((np.add, clips), (np.maximum, sizes)))
    random = np.random.default_rng(seed)
    order = np.lexsort((random.permutation(len(owners)), -largest, np.diff(bounds) == 1))
    wants = [_Class(shares, count) for count in np.bincount(column).tolist()]
    part_of = np.empty(len(owners), int)
    first, held_in, held_sizes = bounds.tolist(), column.tolist(), sizes.tolist()
    for one in order[rows[order] > 1].tolist():
        mine = range(first[one], first[one + 1])
        held = [(wants[held_in[pair]], held_sizes[pair]) for pair in mine]
        part_of[one] = part = _draw(held, random)
        for want, size in held:
            want.take(part, size)
    for index, want in enumerate(wants):
        alone = np.flatnonzero((rows == 1) & (column[bounds[:-1]] == index))
        part_of[alone] = want.fill(len(alone), random)
    return np.asarray(part_of[of_group])


class _Class:
    """What is left of one class, and what its parts still lack, in shares of its clips.

    ``due`` are the groups for which a part keeps room. Parts are few, and lists of few numbers are
    faster than arrays.
    """

    def __init__(self, shares: np.ndarray, groups: int):
        self.left, self.groups = 1.0, groups  # to deal: of the clips, and how many
        self.shares, self.lack = shares, [float(share) for share in shares]
        proportional = shares * groups
        due = np.maximum(np.ceil(proportional / 2), np.minimum(FEWEST, np.floor(proportional)))
        self.due = due.tolist() if due.sum() <= groups else [1.0] * len(shares)

    def room(self) -> list[float]:
        """Return the room of each part: what it lacks, or what its due groups need on average.

        What a part needs beyond its lack is taken from the others by their shares.
        """
        reserves = [due * self.left / self.groups for due in self.due]
        if all(lack >= own for lack, own in zip(self.lack, reserves, strict=True)):
            return self.lack
        reserve, lack = np.array(reserves), np.array(self.lack)
        room, full = lack, np.zeros_like(reserve, bool)
        while (short := room < reserve).any() and not (full | short).all():
            full |= short
            beyond = (reserve - lack)[full].sum() / self.shares[~full].sum()
            room = np.where(full, reserve, lack - beyond * self.shares)
        return [float(each) for each in np.maximum(room, reserve)]

    def offers(self, size: float) -> list[float]:
        """Return the room of each part where a group of this size fits, 0 elsewhere."""
        left, groups = self.left - size, max(self.groups - 1, 1)
        return [
            # Sums of shares are not exact.
            room if is_open and size + max(due - 1, 0) * left / groups <= room + 1e-9 else 0.0
            for room, due, is_open in zip(self.room(), self.due, self.open(), strict=True)
        ]

    def open(self) -> list[bool]:
        """Return which parts may take a group: those with none due only while some are over."""
        some_over = self.groups > sum(self.due)
        return [some_over or due > 0 for due in self.due]

    def take(self, part: int, size: float) -> None:
        self.left -= size
        self.groups -= 1
        self.lack[part] -= size
        self.due[part] = max(self.due[part] - 1, 0)

    def fill(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Return a part for each of the last groups, which are all of one row."""
        if count == 0:
            return np.empty(0, int)
        room = np.array(self.room())
        exact = np.round(count * room / room.sum(), 6)
        whole = np.floor(exact).astype(int)
        by_rest = np.lexsort((random.permutation(len(room)), whole - exact))
        whole[by_rest[: count - whole.sum()]] += 1
        return random.permutation(np.repeat(np.arange(len(room)), whole))


def _draw(held: list[tuple[_Class, float]], random: np.random.Generator) -> int:
    """Return a part for a group with these sizes in its classes."""
    offers = [want.offers(size) for want, size in held]
    room = list(accumulate(map(min, zip(*offers, strict=True))))
    if room[-1] > 0:
        return bisect_left(room, (1 - random.random()) * room[-1])
    lack = np.min([want.lack for want, _ in held], axis=0)
    open_in = np.sum([want.open() for want, _ in held], axis=0)
    lack[open_in < open_in.max()] = -np.inf
    return int(random.choice(np.flatnonzero(lack == lack.max())))


def _require_groups(names: np.ndarray, counts: np.ndarray, parts: int) -> None:
    pairs = zip(names, counts, strict=True)
    if short := [f"{name} has {count}" for name, count in pairs if count < parts]:
        raise LangidError(
            f"split: {' and '.join(short)} speakers or recordings to deal, fewer than the {parts}"
            " parts; prepare more speech, merge classes (task.merge) or leave some out"
            " (task.classes)"
        )
