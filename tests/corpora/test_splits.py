from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from langid.corpora.part_counts import shared_between_parts
from langid.corpora.splits import (
    PARTS,
    ByCorpusSplit,
    HeldOutFilesSplit,
    KFoldSplit,
    OfficialSplit,
    RecordingSplit,
    SequenceSplit,
    SpeakerSplit,
    Split,
)
from langid.errors import LangidError

COLUMNS = ["utterance_id", "language", "speaker", "corpus", "split", "recording"]


def table(clips: dict[str, dict[str, int]], corpus: str = "cv") -> pd.DataFrame:
    """Return rows of ``{language: {speaker: clips}}``."""
    rows = [
        (f"{corpus}/{language}/{speaker}/{clip}", language, speaker, corpus, "", "")
        for language, speakers in clips.items()
        for speaker, count in speakers.items()
        for clip in range(count)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Return three unequal languages, a big speaker, and twelve speakers of two languages."""
    random = np.random.default_rng(1)
    clips = {
        language: {f"{language}-{i}": int(random.integers(1, 9)) for i in range(count)}
        for language, count in (("English", 90), ("Hindi", 20), ("Mandarin", 60))
    }
    clips["Hindi"]["Hindi-0"] = 27
    for number in range(12):
        clips["English"][f"both-{number}"] = 3
        clips["Hindi"][f"both-{number}"] = 2
    return table(clips).sample(frac=1, random_state=2)


def speakers_of(rows: pd.DataFrame, parts: np.ndarray) -> dict[str, set[str]]:
    return {part: set(rows["speaker"][parts == part]) for part in PARTS}


def test_speaker_split_is_disjoint_over_all_languages(rows: pd.DataFrame) -> None:
    for seed in range(5):
        parts = SpeakerSplit(seed=seed)(rows)
        train, validation, test = speakers_of(rows, parts).values()
        assert not train & validation and not train & test and not validation & test
        assert shared_between_parts(rows, parts)["speakers"] == 0


def test_speaker_split_is_stratified_by_language(rows: pd.DataFrame) -> None:
    parts = SpeakerSplit(seed=3)(rows)
    shares = pd.crosstab(rows["language"].to_numpy(), parts, normalize="index")[list(PARTS)]
    assert np.abs(shares.to_numpy() - [0.7, 0.15, 0.15]).max() < 0.03
    parts = SpeakerSplit(seed=3, fractions=[2, 1, 1])(rows)
    shares = pd.crosstab(rows["language"].to_numpy(), parts, normalize="index")[list(PARTS)]
    assert np.abs(shares.to_numpy() - [0.5, 0.25, 0.25]).max() < 0.03


def test_the_seed_alone_decides(rows: pd.DataFrame) -> None:
    first = SpeakerSplit(seed=0)(rows)
    assert (first == SpeakerSplit(seed=0)(rows)).all()
    assert (first != SpeakerSplit(seed=1)(rows)).any()


def test_utterances_without_a_speaker_are_dealt_one_by_one() -> None:
    rows = table({"English": {"": 40}, "Hindi": {str(i): 1 for i in range(40)}})
    parts = SpeakerSplit()(rows)
    english = parts[rows["language"] == "English"]
    assert [int((english == part).sum()) for part in PARTS] == [28, 6, 6]
    assert shared_between_parts(rows, parts) == {
        "speakers": 0,
        "recordings": 0,
        "utterances": 0,
        "unknown_speakers": 12,
    }


def test_every_fold_is_disjoint_and_all_folds_test_everything_once(rows: pd.DataFrame) -> None:
    tested = np.zeros(len(rows), int)
    validated = np.zeros(len(rows), int)
    for fold in range(5):
        parts = KFoldSplit(folds=5, fold=fold)(rows)
        train, validation, test = speakers_of(rows, parts).values()
        assert not train & validation and not train & test and not validation & test
        for part in PARTS:
            assert set(rows["language"][parts == part]) == {"English", "Hindi", "Mandarin"}
        tested += parts == "test"
        validated += parts == "validation"
    assert (tested == 1).all() and (validated == 1).all()


def test_a_fraction_validates_so_that_more_train_and_the_same_are_tested(
    rows: pd.DataFrame,
) -> None:
    for fold in range(5):
        split = KFoldSplit(folds=5, fold=fold, validation_fraction=0.1)
        parts = split(rows)
        train, validation, test = speakers_of(rows, parts).values()
        assert not train & validation and not train & test and not validation & test
        assert ((parts == "test") == (KFoldSplit(folds=5, fold=fold)(rows) == "test")).all()
        assert np.mean(parts == "validation") == pytest.approx(0.08, abs=0.02)
        assert set(rows["language"][parts == "validation"]) == {"English", "Hindi", "Mandarin"}
    for wrong in (0, 1, -0.1):
        with pytest.raises(LangidError, match=r"split\.validation_fraction=.*between 0 and 1"):
            KFoldSplit(validation_fraction=wrong)


def test_by_corpus_tests_a_corpus_whose_speakers_are_nowhere_else(rows: pd.DataFrame) -> None:
    languages = ("English", "Hindi", "Mandarin")
    other = table(
        {language: {f"{language[0]}{i}": 2 for i in range(9)} for language in languages}, "fleurs"
    )
    other.loc[:5, "speaker"] = "English-3"  # who speaks in the first corpus too
    both = pd.concat([rows, other], ignore_index=True)
    parts = ByCorpusSplit(test="fleurs", validation_fraction=0.2)(both)
    assert set(both["corpus"][parts == "test"]) == {"fleurs"}
    assert (parts[len(rows) :] == "test").all()
    assert shared_between_parts(both, parts)["speakers"] == 0
    assert (
        parts[both["speaker"] == "English-3"][
            both["corpus"][both["speaker"] == "English-3"] == "cv"
        ]
        == ""
    ).all()
    assert np.mean(parts[: len(rows)] == "validation") == pytest.approx(0.2, abs=0.03)


def test_by_corpus_says_what_it_cannot_test(rows: pd.DataFrame) -> None:
    with pytest.raises(LangidError, match=r"split\.test is empty"):
        ByCorpusSplit()
    with pytest.raises(LangidError, match="both name cv"):
        ByCorpusSplit(test="cv", train_only="cv")
    with pytest.raises(LangidError, match=r"split\.test and split\.unlabelled both name cv"):
        ByCorpusSplit(test="cv", unlabelled="cv")
    with pytest.raises(LangidError, match="no corpus fleurs in the store; it holds cv"):
        ByCorpusSplit(test=["fleurs"])(rows)
    with pytest.raises(LangidError, match="names every corpus"):
        ByCorpusSplit(test=["cv"])(rows)
    french = pd.concat([rows, table({"French": {"a": 1}}, "fleurs")], ignore_index=True)
    with pytest.raises(LangidError, match="no clip of French by other speakers is left"):
        ByCorpusSplit(test=["fleurs"])(french)


def test_leaky_splits_share_speakers_and_say_so(rows: pd.DataFrame) -> None:
    parts = RecordingSplit()(rows)
    shared = shared_between_parts(rows, parts)
    train, validation, test = speakers_of(rows, parts).values()
    assert shared["speakers"] == len(train & (validation | test)) > 50
    assert shared["utterances"] == 0


def test_sequence_split_cuts_utterances_and_the_leak_is_measured(rows: pd.DataFrame) -> None:
    sequences = rows.loc[rows.index.repeat(4)].reset_index(drop=True)
    split = SequenceSplit()
    assert split.cuts_utterances
    parts = split(sequences)
    train = set(sequences["utterance_id"][parts == "train"])
    held_out = set(sequences["utterance_id"][parts != "train"])
    shared = shared_between_parts(sequences, parts)
    assert shared["utterances"] == len(train & held_out) > 0.5 * len(rows)
    assert shared["speakers"] > 50


@pytest.mark.parametrize("make", [SpeakerSplit, RecordingSplit, SequenceSplit])
def test_a_split_may_have_no_test_part(rows: pd.DataFrame, make: type[SpeakerSplit]) -> None:
    split = make(fractions=[0.8, 0.2, 0])
    assert split.parts == ("train", "validation") and make().parts == PARTS
    parts = split(rows)
    assert set(parts) == {"train", "validation"}
    shares = pd.crosstab(rows["language"].to_numpy(), parts, normalize="index")
    assert np.abs(shares.to_numpy() - [0.8, 0.2]).max() < 0.03
    two = table({"English": {"a": 5, "b": 5}, "Hindi": {"c": 5, "d": 5}})
    counts = pd.crosstab(two["language"].to_numpy(), make(fractions=[1, 1, 0])(two))
    assert (counts.to_numpy() == 5).all() if make is SpeakerSplit else (counts > 0).all(axis=None)


def test_held_out_files_are_whole_and_the_other_sequences_are_dealt(rows: pd.DataFrame) -> None:
    sequences = rows.loc[rows.index.repeat(5)].reset_index(drop=True)
    split = HeldOutFilesSplit(seed=1, fractions=[0.72, 0.18, 0.10])
    assert split.cuts_utterances and split.parts == PARTS
    parts = split(sequences)
    shares = pd.crosstab(sequences["language"].to_numpy(), parts, normalize="index")[list(PARTS)]
    assert np.abs(shares.to_numpy() - [0.72, 0.18, 0.10]).max() < 0.03
    files = {part: set(sequences["utterance_id"][parts == part]) for part in PARTS}
    assert not files["test"] & (files["train"] | files["validation"])
    shared = shared_between_parts(sequences, parts)
    assert shared["utterances"] == len(files["train"] & files["validation"]) > 0.3 * len(rows)
    assert shared["speakers"] > 50
    assert (parts == HeldOutFilesSplit(seed=1, fractions=[0.72, 0.18, 0.10])(sequences)).all()
    assert (parts != HeldOutFilesSplit(seed=2, fractions=[0.72, 0.18, 0.10])(sequences)).any()
    with pytest.raises(LangidError, match=r"held out files are the test part.*split=sequence"):
        HeldOutFilesSplit(fractions=[0.8, 0.2, 0])(sequences)


def test_train_only_is_never_held_out_nor_lends_a_speaker(rows: pd.DataFrame) -> None:
    extra = table({"English": {"both-1": 5, "English-3": 5, "": 5, "new": 5}}, "folders")
    both = pd.concat([rows, extra])
    without = SpeakerSplit(seed=1)(rows)
    parts = SpeakerSplit(seed=1, train_only=["folders"])(both)
    assert (parts[: len(rows)] == without).all()  # the others are dealt as if alone
    train, validation, test = speakers_of(both, parts).values()
    assert not train & (validation | test)
    of_extra = pd.Series(parts[len(rows) :], extra["speaker"]).groupby(level=0).unique()
    assert of_extra[""] == ["train"] and of_extra["new"] == ["train"]
    for speaker in ("both-1", "English-3"):
        held_out = speaker in validation | test
        assert of_extra[speaker] == ([""] if held_out else ["train"])


def test_a_train_only_speaker_of_the_test_part_is_left_out() -> None:
    rows = table(
        {"English": {str(i): 1 for i in range(20)}, "Hindi": {f"h{i}": 1 for i in range(20)}}
    )
    extra = table({"English": {str(i): 1 for i in range(20)}}, "folders")
    both = pd.concat([rows, extra], ignore_index=True)
    parts = KFoldSplit(fold=2, train_only="folders")(both)
    assert list(parts[40:]).count("") == list(parts[:20]).count("test") + list(parts[:20]).count(
        "validation"
    )
    assert shared_between_parts(both, parts)["speakers"] == 0


def test_official_parts_are_taken_as_they_are() -> None:
    rows = table({"English": {"a": 4}})
    rows["split"] = ["train", "validation", "test", ""]
    assert list(OfficialSplit()(rows)) == ["train", "validation", "test", ""]
    rows["split"] = ["train", "train", "test", ""]
    with pytest.raises(LangidError, match=r"marked validation.*corpus.tsv=official"):
        OfficialSplit()(rows)


def test_too_few_speakers_are_refused_by_name() -> None:
    rows = table({"English": {"a": 5, "b": 5, "c": 5}, "Hindi": {"d": 50, "e": 50}})
    with pytest.raises(LangidError, match=r"Hindi has 2 speakers .* fewer than the 3 parts"):
        SpeakerSplit()(rows)
    with pytest.raises(LangidError, match=r"English has 3 .* the 5 parts"):
        KFoldSplit()(rows)
    few = table({"English": {"a": 5, "b": 1, "c": 1}, "Hindi": {"d": 50, "e": 5, "f": 1}})
    counts = pd.crosstab(few["language"].to_numpy(), SpeakerSplit()(few))
    assert (counts > 0).all(axis=None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpeakerSplit(fractions=[0.9, 0.1]), "three positive shares"),
        (lambda: SpeakerSplit(fractions=[0.9, 0, 0.1]), "three positive shares"),
        (lambda: SpeakerSplit(fractions=[0, 0.9, 0]), "three positive shares"),
        (lambda: SpeakerSplit(fractions=[0.9, 0.1, -0.1]), "that of test may be 0"),
        (lambda: SpeakerSplit(fractions=[0.9, 0.1, float("nan")]), "that of test may be 0"),
        (lambda: KFoldSplit(folds=2), "split.folds=2: accepted are 3 and more"),
        (lambda: KFoldSplit(fold=5), "split.fold=5: accepted are 0 to 4"),
        (lambda: KFoldSplit(fold=-1), "split.fold=-1"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], Split], message: str) -> None:
    with pytest.raises(LangidError, match=message):
        make()


def test_train_only_must_name_some_corpora_of_the_store(rows: pd.DataFrame) -> None:
    with pytest.raises(LangidError, match="no corpus nowhere in the store; it holds cv"):
        SpeakerSplit(train_only=["nowhere"])(rows)
    with pytest.raises(LangidError, match="names every corpus"):
        SpeakerSplit(train_only=["cv"])(rows)


@pytest.mark.parametrize("names", [["folders"], "French", ["French", "folders"]])
def test_unlabelled_speech_only_teaches_and_lends_no_speaker(
    names: str | list[str], rows: pd.DataFrame
) -> None:
    clips = {"English": {"both-1": 5, "new": 5}, "French": {"f": 5, "Hindi-1": 5}}
    both = pd.concat([rows, table(clips, "folders"), table({"French": {"g": 3}})])
    both["class"] = both["language"].where(both["language"] != "French", "")
    parts = SpeakerSplit(seed=1, unlabelled=names)(both)
    given = [names] if isinstance(names, str) else names
    named = both[["corpus", "language"]].isin(given).any(axis=1).to_numpy()
    held_out = set(both["speaker"][np.isin(parts, PARTS[1:])])
    spoken = both["speaker"].isin(held_out).to_numpy()
    assert held_out and not (named & np.isin(parts, PARTS)).any()
    assert ((parts == "unlabelled") == (named & ~spoken)).all() and (named & ~spoken).any()
    without = SpeakerSplit(seed=1)(both[~named])
    assert (parts[~named] == without).all()  # the others are dealt as if alone


def test_unlabelled_must_name_corpora_or_languages_and_leave_some(rows: pd.DataFrame) -> None:
    known = "no corpus or language xx in the store; it holds the corpora cv and the languages Engl"
    with pytest.raises(LangidError, match=known):
        SpeakerSplit(unlabelled=["xx", "cv"])(rows)
    with pytest.raises(LangidError, match=r"train_only and split.unlabelled name every corpus"):
        SpeakerSplit(unlabelled=["cv"])(rows)
