import hashlib
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from langid.corpora.common_voice import CommonVoice
from langid.corpora.splits import (
    PARTS,
    HeldOutFilesSplit,
    KFoldSplit,
    RecordingSplit,
    SequenceSplit,
    SpeakerSplit,
    Split,
    speaker_groups,
)

SEEDS = range(50)


def table(clips: dict[str, list[int]]) -> pd.DataFrame:
    """Return rows of ``{class: clips of each speaker}``."""
    rows = [
        (f"{name}/{speaker}/{clip}", name, f"{name}-{speaker}", "cv", "")
        for name, counts in clips.items()
        for speaker, count in enumerate(counts)
        for clip in range(count)
    ]
    return pd.DataFrame(rows, columns=["utterance_id", "language", "speaker", "corpus", "split"])


def zipf(speakers: int, clips: int) -> list[int]:
    """Return clip counts of speakers that fall as 1, 1/2, 1/3, ..."""
    shares = 1 / np.arange(1, speakers + 1)
    return [max(1, round(clips * share / shares.sum())) for share in shares]


def one_large() -> pd.DataFrame:
    """Return classes in which one speaker has 27 % of the clips."""
    return table({"many": [54] + [2] * 73, "mixed": [27] + [4] * 15 + [1] * 13})


def falling() -> pd.DataFrame:
    """Return classes whose speakers follow Zipf's law."""
    return table({"few": zipf(25, 400), "more": zipf(100, 2000), "most": zipf(400, 4000)})


def two_classes_a_speaker() -> pd.DataFrame:
    """Return Zipf's speakers, a third of whom speak in a second class too."""
    rows = table({name: zipf(60, 800) for name in "abc"})
    number = rows["speaker"].str[2:].astype(int)
    clip = rows["utterance_id"].str.rsplit("/", n=1).str[1].astype(int)
    second = rows["language"].map({"a": "b", "b": "c", "c": "a"})
    moved = (number % 3 == 1) & (clip % 2 == 1)
    return rows.assign(language=rows["language"].where(~moved, second))


SKEWED = [one_large, falling, two_classes_a_speaker]


@pytest.fixture(scope="module")
def real(data_root: Path) -> pd.DataFrame:
    """Return the clips of all locales of a real release; of some, one speaker has a third."""
    release = data_root / "cv-corpus-6.1-2020-12-11"
    locales = sorted(path.parent.name for path in release.glob("*/validated.tsv"))
    return pd.DataFrame(CommonVoice(str(release), locales).read().utterances)


def dealt(make: Callable[[int], Split], rows: pd.DataFrame) -> dict[str, tuple[np.ndarray, ...]]:
    """Return of each class shares of clips and of speakers (seeds, parts), and who is tested."""
    by_seed = [make(seed)(rows) for seed in SEEDS]
    result = {}
    for name, of_class in rows.reset_index(drop=True).groupby("language"):
        first = of_class.drop_duplicates("speaker").index.to_numpy()
        clips, speakers = (
            np.array([[(parts[index] == part).mean() for part in PARTS] for parts in by_seed])
            for index in (of_class.index.to_numpy(), first)
        )
        result[str(name)] = clips, speakers, np.array([parts[first] == "test" for parts in by_seed])
    return result


def overlap(tested: np.ndarray) -> float:
    """Return what two of the test parts (seeds, speakers) share of both, on average (Jaccard)."""
    pairs = combinations(tested, 2)
    return float(np.mean([(one & other).sum() / (one | other).sum() for one, other in pairs]))


def drawn_alone(speakers: int, share: float) -> float:
    """Return the overlap of test parts drawn from the speakers without regard to anything."""
    random = np.random.default_rng(0)
    count = max(1, round(share * speakers))
    return overlap(np.array([random.permutation(speakers) < count for _ in SEEDS]))


def check(rows: pd.DataFrame, make: Callable[[int], Split], wanted: list[float]) -> float:
    """Hold every class of every seed against the shares; return the worst miss in clips."""
    worst = 0.0
    clips = rows.groupby("language")["utterance_id"].count()
    largest = rows.groupby(["language", "speaker"]).size().groupby("language").max() / clips
    for name, (of_clips, of_speakers, tested) in dealt(make, rows).items():
        miss = np.abs(of_clips - wanted).max()
        assert miss <= max(0.03, largest[name]), (name, miss)
        assert (of_speakers >= np.array(wanted) / 2 - 1e-9).all(), (name, of_speakers.min(0))
        free = drawn_alone(tested.shape[1], wanted[2])
        assert overlap(tested) <= free + 0.1, (name, overlap(tested), free)
        worst = max(worst, miss)
    return worst


@pytest.mark.parametrize("make", SKEWED)
def test_skewed_speakers_keep_the_shares_and_seeds_differ(make: Callable[[], pd.DataFrame]) -> None:
    assert check(make(), lambda seed: SpeakerSplit(seed), [0.7, 0.15, 0.15]) <= 0.03


@pytest.mark.parametrize("make", SKEWED)
def test_folds_of_skewed_speakers_keep_the_shares(make: Callable[[], pd.DataFrame]) -> None:
    check(make(), lambda seed: KFoldSplit(5, seed % 5, seed), [0.6, 0.2, 0.2])


def test_real_locales_keep_the_shares_and_their_proportional_speakers(real: pd.DataFrame) -> None:
    assert check(real, lambda seed: SpeakerSplit(seed), [0.7, 0.15, 0.15]) <= 0.03
    check(real, lambda seed: KFoldSplit(5, 0, seed), [0.6, 0.2, 0.2])
    count = real.groupby("language")["speaker"].nunique()
    for name, (_, speakers, _) in dealt(lambda seed: SpeakerSplit(seed), real).items():
        least = np.rint(speakers[:, 1:].min() * count[name])
        assert least >= min(5, int(0.15 * count[name])), (name, least)


@pytest.mark.parametrize("make", [RecordingSplit, SequenceSplit])
def test_rows_dealt_one_by_one_keep_the_shares_to_the_row(make: type[SpeakerSplit]) -> None:
    rows = falling()
    counts = rows["language"].value_counts()
    tested = []
    for seed in range(10):
        parts = make(seed)(rows)
        shares = pd.crosstab(rows["language"].to_numpy(), parts, normalize="index")
        miss = np.abs(shares[list(PARTS)].to_numpy() - [0.7, 0.15, 0.15]).max(1)
        assert (miss * counts[shares.index] <= 1).all()
        tested.append(parts == "test")
    assert overlap(np.array(tested)) == pytest.approx(0.081, abs=0.02)


def test_held_out_files_keep_the_shares_and_seeds_differ() -> None:
    rows = falling()
    files = rows.assign(utterance_id=speaker_groups(rows))  # utterances as unlike in length
    wanted = [0.72, 0.18, 0.10]
    tested = []
    for seed in range(10):
        parts = HeldOutFilesSplit(seed, fractions=wanted)(files)
        shares = pd.crosstab(files["language"].to_numpy(), parts, normalize="index")
        assert np.abs(shares[list(PARTS)].to_numpy() - wanted).max() <= 0.03
        tested.append(pd.Series(parts == "test").groupby(files["speaker"]).first().to_numpy())
    assert overlap(np.array(tested)) <= drawn_alone(tested[0].size, 0.1) + 0.1


def test_a_speaker_who_fits_no_fold_may_come_to_any() -> None:
    rows = table({"Hindi": [40] + [1] * 60})
    folds = {SpeakerSplit(seed, fractions=[1, 1, 1])(rows)[0] for seed in range(20)}
    assert folds == set(PARTS)
    assert {SpeakerSplit(seed)(rows)[0] for seed in range(20)} == {"train"}


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = two_classes_a_speaker()
    shuffled = rows.sample(frac=1, random_state=1)
    parts = pd.Series(SpeakerSplit(7)(rows), rows.index)
    assert (parts[shuffled.index] == SpeakerSplit(7)(shuffled)).all()


def test_speakers_of_classes_with_few_reach_every_part() -> None:
    random = np.random.default_rng(0)
    rows = table({f"class {number:02}": [1] * (3 + number) for number in range(30)})
    rows["speaker"] = random.permutation([f"s{number}" for number in range(len(rows))])
    for seed in range(10):
        counts = pd.crosstab(rows["language"].to_numpy(), SpeakerSplit(seed)(rows))
        assert (counts[list(PARTS)] > 0).all(axis=None)


def test_a_corpus_is_dealt_as_it_was_by_earlier_versions() -> None:
    counts = [min(count, 200) for count in zipf(300, 3000)]
    rows = table({"A": counts, "B": counts[5:], "C": counts[::2]})
    rows["speaker"] = rows["speaker"].str.replace("B-7", "A-7")  # who speak two languages
    parts = [SpeakerSplit(seed=1)(rows), KFoldSplit(folds=10, fold=3)(rows)]
    digests = [hashlib.sha256("".join(part).encode()).hexdigest()[:16] for part in parts]
    assert digests == ["ccd0ea1b91a46bad", "f4b83a536f34dfe9"]
