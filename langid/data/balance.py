"""Which training sequences an epoch draws, where some classes have more of them than others.

The remedies that the EE599 course discusses (USC, 2020) beside weights in the loss. All count
sequences, which batches are made of; validation and test parts are never drawn from.
"""

import numpy as np

from langid.errors import LangidError


class Balance:
    """Draws the sequences of an epoch; what is drawn depends on its arguments alone.

    So a resumed run draws the same again. The number drawn is the same in every epoch.
    """

    def __call__(self, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        """``targets (sequences,)`` -> indices of the sequences drawn, ``(drawn,)``, in any order.

        Every class of ``targets`` is an integer of 0 and more and has a sequence at least.
        """
        raise TypeError(f"{type(self).__name__} does not say what is drawn")


class EverySequence(Balance):
    """Draws every sequence once; classes keep their shares."""

    def __call__(self, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        return np.arange(len(targets))


class Undersample(Balance):
    """Draws of every class as many sequences as the smallest has, afresh in every epoch."""

    def __call__(self, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        smallest = np.unique(targets, return_counts=True)[1].min()
        return _of_each_class(targets, smallest, (seed, epoch))


class Oversample(Balance):
    """Repeats the sequences of smaller classes until each has as many as the largest.

    Within a class no sequence is drawn more than once more often than another; which ones come
    once more is drawn afresh in every epoch.
    """

    def __call__(self, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        return _of_each_class(targets, np.bincount(targets).max(), (seed, epoch))


class Subclasses(Balance):
    """Cuts larger classes into sub-classes of the smallest one's size: M balanced training sets.

    Set k holds the k-th sub-class of every class. The cut depends on the seed alone. M is the
    largest class's size over the smallest's, rounded up; a class that is no whole multiple of the
    smallest goes on from its beginning, so every set has the same size and all M together hold
    every sequence.

    With a ``fold`` every epoch draws that set: a run for each of 0 to M - 1 trains the ensemble of
    EE599, whose posteriors are to be averaged. Without one the epochs take the sets in turn: one
    network in place of the ensemble, which hears everything in M epochs (the sequential version).
    """

    def __init__(self, fold: int | None = None):
        if fold is not None and (type(fold) is not int or fold < 0):
            raise ValueError(f"balance.fold={fold}: accepted are null, 0 and more")
        self.fold = fold

    def __call__(self, targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        sizes = np.unique(targets, return_counts=True)[1].tolist()
        smallest, sets = min(sizes), -(-max(sizes) // min(sizes))
        if self.fold is not None and self.fold >= sets:
            raise LangidError(
                f"balance.fold={self.fold}: the training part makes {sets} balanced sets; accepted"
                f" are 0 to {sets - 1}, and null for all in turn"
            )
        chosen = epoch % sets if self.fold is None else self.fold
        return _of_each_class(targets, smallest, seed, first=chosen * smallest)


def _of_each_class(
    targets: np.ndarray, size: int, seed: int | tuple[int, int], first: int = 0
) -> np.ndarray:
    """Return so many indices of every class, from a place of a random order on, round and round."""
    generator, places = np.random.default_rng(seed), first + np.arange(size)
    members = (np.flatnonzero(targets == target) for target in np.unique(targets))
    orders = (generator.permutation(own) for own in members)
    return np.concatenate([order[places % len(order)] for order in orders])
