"""Which utterance, or which sequence of it, belongs to training, validation and test."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from langid.corpora.dealing import deal
from langid.errors import LangidError

PARTS = ("train", "validation", "test")
_PARTS = np.array(PARTS, object)  # taken from this, all rows of a part share one string


class Split:
    """Assigns every row of a table of utterances or sequences to a part.

    ``train_only`` names corpora whose rows go to training and nowhere else, ``unlabelled`` corpora
    or languages whose rows have no class: in training a teacher speaks of them, and nobody else.
    ``cuts_utterances`` is true where the rows are sequences of frames, so that one utterance can
    lie in several parts. ``parts`` are those that it deals; some published protocols have no test
    part.
    """

    cuts_utterances = False
    parts: tuple[str, ...] = PARTS

    def __init__(
        self, seed: int = 0, train_only: Sequence[str] = (), unlabelled: Sequence[str] = ()
    ):
        self.seed = seed
        self.train_only = _names(train_only)
        self.unlabelled = _names(unlabelled)

    def __call__(self, rows: pd.DataFrame) -> np.ndarray:
        """Return a part for each row (one of PARTS, ``unlabelled``, or empty: left out).

        ``rows`` has the manifest's columns, and ``class``, by which parts are stratified, where it
        is not the language; rows without one are left out, unless they are ``unlabelled``. Raises
        LangidError where that cannot be.
        """
        if "class" not in rows:
            rows = rows.assign(**{"class": rows["language"]})
        known = sorted(set(rows["corpus"]))
        if unknown := [name for name in self.train_only if name not in known]:
            raise LangidError(
                f"split.train_only: no corpus {', '.join(unknown)} in the store;"
                f" it holds {', '.join(known)}"
            )
        fixed = rows["corpus"].isin(self.train_only).to_numpy()
        unlabelled = self.has_no_label(rows)
        labelled = (rows["class"] != "").to_numpy() & ~unlabelled
        dealt = labelled & ~fixed
        if not dealt.any():
            both = "split.train_only and split.unlabelled name"
            raise LangidError(
                f"{both if self.unlabelled else 'split.train_only names'} every corpus of the store"
                " that the task can use; none is left to test"
            )
        parts = np.where(labelled & fixed, "train", "").astype(object)
        parts[unlabelled] = "unlabelled"
        parts[dealt] = self.assign(rows[dealt])
        # A speaker of the held-out parts who also speaks in a train-only corpus must not train.
        held_out = set(rows["speaker"][np.isin(parts, PARTS[1:])]) - {""}
        if held_out and not self.cuts_utterances:
            parts[(fixed | unlabelled) & rows["speaker"].isin(held_out).to_numpy()] = ""
        return np.asarray(parts)

    def has_no_label(self, rows: pd.DataFrame) -> np.ndarray:
        """Return which rows are ``unlabelled``, ``(rows,) bool``; LangidError for unknown names."""
        if not self.unlabelled:
            return np.zeros(len(rows), bool)
        corpora, languages = (sorted(set(rows[key]) - {""}) for key in ("corpus", "language"))
        if unknown := [name for name in self.unlabelled if name not in (*corpora, *languages)]:
            raise LangidError(
                f"split.unlabelled: no corpus or language {', '.join(unknown)} in the store; it"
                f" holds the corpora {', '.join(corpora)} and the languages {', '.join(languages)}"
            )
        named = rows[["corpus", "language"]].isin(self.unlabelled)
        return np.asarray(named.any(axis=1))

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        """Return a part for each of the rows, which all have a class."""
        raise TypeError(f"{type(self).__name__} does not say how rows are assigned")


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def recording_groups(rows: pd.DataFrame) -> pd.Series:
    """Return what each row is a part of, by the column ``recording`` if there is one, or itself."""
    alone = "utterance " + rows["utterance_id"]
    if "recording" not in rows:
        return alone
    return ("recording " + rows["recording"]).where(rows["recording"] != "", alone)


def speaker_groups(rows: pd.DataFrame) -> pd.Series:
    """Return who speaks in each row; where that is unknown, a recording stands for a speaker."""
    known = rows["speaker"] != ""
    return rows["speaker"] if known.all() else rows["speaker"].where(known, recording_groups(rows))


class _RandomSplit(Split):
    """A seeded random split of ``groups`` of rows, stratified by class, in given fractions.

    The fraction of the test part may be 0: then there is none.
    """

    groups: Callable[[pd.DataFrame], pd.Series]  # the name of what each row stays together with

    def __init__(
        self,
        seed: int = 0,
        train_only: Sequence[str] = (),
        fractions: Sequence[float] = (0.7, 0.15, 0.15),
        unlabelled: Sequence[str] = (),
    ):
        super().__init__(seed, train_only, unlabelled)
        self.fractions = np.array(list(fractions), float)
        positive, zero = self.fractions > 0, self.fractions == 0
        if positive.shape != (3,) or not positive[:2].all() or not (positive | zero)[2]:
            raise LangidError(
                f"split.fractions={list(fractions)}: expected three positive shares,"
                " of training, validation and test; that of test may be 0"
            )
        self.fractions /= self.fractions.sum()
        self.parts = PARTS if positive[2] else PARTS[:2]

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        shares = self.fractions[: len(self.parts)]
        dealt = deal(self.groups(rows), rows["class"], shares, self.seed)
        return np.asarray(_PARTS[dealt])


class SpeakerSplit(_RandomSplit):
    """No speaker is in two parts, over all classes and corpora; the default.

    Where speakers are unknown, each recording counts as one, and else each utterance.
    """

    groups = staticmethod(speaker_groups)


class RecordingSplit(_RandomSplit):
    """Recordings are dealt one by one, so speakers are shared between the parts.

    An utterance that is no part of a longer recording is one of its own.
    """

    groups = staticmethod(recording_groups)


class SequenceSplit(_RandomSplit):
    """Sequences are dealt one by one, so one utterance lies in several parts.

    The leaky protocol of published baselines, kept so that the leak can be measured.
    """

    cuts_utterances = True
    groups = staticmethod(lambda rows: pd.Series(np.arange(len(rows)), index=rows.index))


class HeldOutFilesSplit(SequenceSplit):
    """Whole utterances are dealt to test; the sequences of the others to training and validation.

    So validation is leaky and test is of files never trained on, though speakers are shared: the
    protocol of an EE599 baseline (USC, 2020), which shows the gap between the two.
    """

    def __init__(
        self,
        seed: int = 0,
        train_only: Sequence[str] = (),
        fractions: Sequence[float] = (0.72, 0.18, 0.10),
        unlabelled: Sequence[str] = (),
    ):
        super().__init__(seed, train_only, fractions, unlabelled)

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        if "test" not in self.parts:
            raise LangidError(
                "split.fractions: held out files are the test part, whose share must be positive;"
                " split=sequence deals sequences alone"
            )
        test = self.fractions[2]
        shares = np.array([1 - test, test])
        held_out = deal(recording_groups(rows), rows["class"], shares, self.seed) == 1
        parts = np.full(len(rows), "test", dtype=object)
        others = rows[~held_out]
        shares = self.fractions[:2] / (1 - test)
        dealt = deal(self.groups(others), others["class"], shares, self.seed)
        parts[~held_out] = _PARTS[dealt]
        return np.asarray(parts)


class KFoldSplit(Split):
    """Speaker-disjoint folds: fold ``fold`` is the test part, of the others a share validates.

    Over all folds every utterance outside ``train_only`` is tested exactly once. Without
    ``validation_fraction`` the next fold validates; with it that share of the other folds'
    speakers, so that more of them train.
    """

    def __init__(
        self,
        folds: int = 5,
        fold: int = 0,
        seed: int = 0,
        train_only: Sequence[str] = (),
        validation_fraction: float | None = None,
        unlabelled: Sequence[str] = (),
    ):
        super().__init__(seed, train_only, unlabelled)
        if folds < 3:
            raise LangidError(f"split.folds={folds}: accepted are 3 and more")
        if not 0 <= fold < folds:
            raise LangidError(f"split.fold={fold}: accepted are 0 to {folds - 1}")
        _check_validation_fraction(validation_fraction)
        self.folds = folds
        self.fold = fold
        self.validation_fraction = validation_fraction

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        shares = np.full(self.folds, 1 / self.folds)
        folds = deal(speaker_groups(rows), rows["class"], shares, self.seed)
        if self.validation_fraction is not None:
            return _without(rows, folds == self.fold, self.validation_fraction, self.seed)
        parts = np.full(len(rows), "train", dtype=object)
        parts[folds == self.fold] = "test"
        parts[folds == (self.fold + 1) % self.folds] = "validation"
        return np.asarray(parts)


class ByCorpusSplit(Split):
    """The corpora named ``test`` are tested, by speakers who are in no other part.

    Of the other corpora a share of speakers validates and the rest trains: another channel, another
    collection. A speaker of a tested corpus who also speaks in another is left out of that.
    """

    def __init__(
        self,
        test: Sequence[str] = (),
        seed: int = 0,
        train_only: Sequence[str] = (),
        validation_fraction: float = 0.15,
        unlabelled: Sequence[str] = (),
    ):
        super().__init__(seed, train_only, unlabelled)
        self.test = _names(test)
        if not self.test:
            raise LangidError(
                "split.test is empty: name the corpora to test, as split.test=[fleurs]"
            )
        for key, names in (("train_only", self.train_only), ("unlabelled", self.unlabelled)):
            if both := sorted(set(self.test) & set(names)):
                raise LangidError(f"split.test and split.{key} both name {', '.join(both)}")
        _check_validation_fraction(validation_fraction)
        self.validation_fraction = validation_fraction

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        known = sorted(set(rows["corpus"]) | set(self.train_only))
        if unknown := [name for name in self.test if name not in known]:
            raise LangidError(
                f"split.test: no corpus {', '.join(unknown)} in the store; it holds"
                f" {', '.join(known)}"
            )
        tested = rows["corpus"].isin(self.test).to_numpy()
        if tested.all():
            raise LangidError(
                f"split.test={self.test} names every corpus; none is left to train and validate"
            )
        speakers = set(rows["speaker"][tested]) - {""}
        used = tested | ~rows["speaker"].isin(speakers).to_numpy()
        if missing := sorted(set(rows["class"]) - set(rows["class"][used & ~tested])):
            raise LangidError(
                f"split.test={self.test}: no clip of {', '.join(missing)} by other speakers is left"
                " to train and validate"
            )
        parts = np.full(len(rows), "", dtype=object)
        parts[used] = _without(rows[used], tested[used], self.validation_fraction, self.seed)
        return parts


def _check_validation_fraction(fraction: float | None) -> None:
    if fraction is not None and not 0 < fraction < 1:
        raise LangidError(
            f"split.validation_fraction={fraction}: accepted are shares between 0 and 1"
        )


def _without(rows: pd.DataFrame, tested: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return the parts: ``tested`` rows are the test part, a share of the others validates."""
    parts = np.full(len(rows), "test", dtype=object)
    others = rows[~tested]
    dealt = deal(speaker_groups(others), others["class"], np.array([1 - fraction, fraction]), seed)
    parts[~tested] = _PARTS[dealt]
    return np.asarray(parts)


class OfficialSplit(Split):
    """The corpus's own parts: the manifest's ``split``; rows without one are left out."""

    def assign(self, rows: pd.DataFrame) -> np.ndarray:
        parts = rows["split"].to_numpy(dtype=object)
        if missing := [part for part in PARTS if part not in set(parts)]:
            raise LangidError(
                f"split=official: no utterance of the store is marked {', '.join(missing)}; prepare"
                " with corpus.tsv=official, or choose split=speaker"
            )
        return np.asarray(parts)
