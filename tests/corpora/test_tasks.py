"""Tests of langid/corpora/tasks.py, and of splits by a class that is not the language."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from langid.build import build
from langid.commands.configuration import option, options, tree
from langid.corpora.part_counts import shared_between_parts
from langid.corpora.splits import PARTS, KFoldSplit, SpeakerSplit
from langid.corpora.tasks import AGES, PREDICTED, Task, left_out_line
from langid.errors import LangidError


def people(ages: Mapping[str, int], corpus: str = "cv") -> pd.DataFrame:
    """Return rows of ``{age: speakers}``, two clips of each speaker."""
    rows = [
        (f"{corpus}/{age}/{number}/{clip}", "English", f"{corpus}-{age}-{number}", corpus, age)
        for age, count in ages.items()
        for number in range(count)
        for clip in range(2)
    ]
    names = ["utterance_id", "language", "speaker", "corpus", "age"]
    return pd.DataFrame(rows, columns=names, dtype=object).assign(recording="")


ROWS = people({"sixties": 3, "": 2, "teens": 6, "seventies": 1, "twenties": 4})


def test_every_column_has_a_configuration_and_language_is_the_default() -> None:
    configured = {name: option("train", "task", name) for name in options("train", "task")}
    assert set(configured) == set(PREDICTED)
    for name, config in configured.items():
        assert build(config, "task").column == name
    assert "  - task: language\n" in (tree("train") / "train.yaml").read_text()


def test_classes_are_all_values_sorted_and_ages_from_young_to_old() -> None:
    rows = ROWS.assign(gender=["male", "female", ""] * 10 + ["male", "other"])
    assert Task("gender").classes_of(rows) == ["female", "male", "other"]
    assert Task("age").classes_of(rows) == ["teens", "twenties", "sixties", "seventies"]
    every = people(dict.fromkeys(sorted(AGES), 1))
    assert Task("age").classes_of(every) == list(AGES)


def test_the_ages_of_common_voice_are_those_that_its_reader_writes(
    real_rows: list[dict[str, str]],
) -> None:
    assert {row["age"] for row in real_rows} - {""} <= set(AGES)


def test_classes_are_restricted_and_ordered_and_the_rest_is_counted() -> None:
    task = Task("age", classes=["twenties", "teens"])
    assert task.classes_of(ROWS) == ["twenties", "teens"]
    labels = task.labels(ROWS, task.classes_of(ROWS))
    assert labels.tolist() == [age if age in ("teens", "twenties") else "" for age in ROWS["age"]]
    left_out = task.left_out(ROWS, ["twenties", "teens"])
    assert left_out == {"unlabelled": 4, "other_classes": {"sixties": 6, "seventies": 2}}
    assert left_out_line("age", left_out) == (
        "left out: 4 clips whose age is not known,"
        " 8 clips of other classes (sixties (6), seventies (2))"
    )
    assert left_out_line("age", {"unlabelled": 0, "other_classes": {}}) == ""


def test_values_are_merged_once_before_classes_are_looked_at() -> None:
    merge = {"sixties": "60+", "seventies": "60+", "eighties": "60+", "teens": "twenties"}
    task = Task("age", merge=merge)  # a merge of eighties is fine: they are a known age
    assert task.classes_of(ROWS) == ["twenties", "60+"]  # in the order of the youngest in them
    labels = task.labels(ROWS, ["twenties", "60+"])
    assert labels.value_counts().to_dict() == {"twenties": 20, "60+": 8, "": 4}
    assert task.left_out(ROWS, ["twenties", "60+"]) == {"unlabelled": 4, "other_classes": {}}
    swapped = Task("age", merge={"teens": "sixties", "sixties": "teens"})
    assert swapped.labels(ROWS, ["teens"]).value_counts()["teens"] == 6
    numbers = Task("age", classes=[60, "teens"], merge={"sixties": 60})  # type: ignore[list-item, dict-item]
    assert numbers.classes_of(ROWS) == ["60", "teens"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"column": "speaker"}, "task.column=speaker: accepted are language, age, accent, gender"),
        ({"classes": ["teens", "teens"]}, "a class is named twice"),
        ({"classes": ["teens", False]}, "task.classes: False is not a name"),
        ({"classes": {"teens": 1}}, "task.classes: {'teens': 1} is not a name"),
        ({"merge": ["sixties"]}, r"task.merge=\['sixties'\]: expected the class of each value"),
        ({"merge": {"sixties": None}}, "task.merge: None is not a name"),
        ({"merge": {"sixties": ""}}, "task.merge: '' is not a name"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(LangidError, match=message):
        Task(**{"column": "age"} | settings)


FOUND = r"found are teens \(12\), twenties \(8\), sixties \(6\), seventies \(2\); name those"


@pytest.mark.parametrize(
    ("classes", "merge", "message"),
    [
        (["teens", "thirties", "old"], None, f"task.classes: .* the age thirties, old; {FOUND}"),
        (None, {"sixtees": "60+"}, f"task.merge: no row of the store has the age sixtees; {FOUND}"),
        (["teens", "sixties"], {"sixties": "60+"}, r"has the age sixties; found are .*60\+ \(6\)"),
        (["teens"], None, r"task.classes=\['teens'\]: two classes at least are needed; the store"),
        ("teens", None, "two classes at least are needed"),
        ([], None, r"task.classes=\[\]: two classes at least"),
        (None, dict.fromkeys(AGES, "all"), r"holds one age only \(all\); two are needed"),
    ],
)
def test_classes_that_the_rows_do_not_have_are_refused(
    classes: Sequence[str] | None, merge: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(LangidError, match=message):
        Task("age", classes, merge).classes_of(ROWS)


def test_a_column_without_any_value_is_refused_and_long_lists_are_cut() -> None:
    with pytest.raises(LangidError, match="task=age: no row of the store has its age; prepare a"):
        Task("age").classes_of(people({"": 3}))
    many = people({f"accent {number}": 1 for number in range(30)}).rename(columns={"age": "accent"})
    with pytest.raises(LangidError, match=r"accent 19 \(2\) and 10 more; name those"):
        Task("accent", ["x", "y"]).classes_of(many)


# Splits


@pytest.mark.parametrize("split", [SpeakerSplit(seed=4), KFoldSplit(folds=4, fold=2, seed=2)])
def test_splits_are_stratified_by_class_and_keep_a_speaker_of_two_classes_whole(
    split: SpeakerSplit | KFoldSplit,
) -> None:
    rows = people({"teens": 60, "forties": 20, "fifties": 20, "": 30})
    grown = rows["speaker"].str.startswith("cv-teens-1") & rows["utterance_id"].str.endswith("1")
    rows.loc[grown, "age"] = "forties"  # the second clip of eleven speakers
    task = Task("age", ["forties", "teens"])
    rows["class"] = task.labels(rows, ["forties", "teens"])
    parts = split(rows)
    assert set(parts[rows["class"] == ""]) == {""}
    assert not (parts[rows["class"] != ""] == "").any()
    assert shared_between_parts(rows, parts)["speakers"] == 0
    kept = rows["class"] != ""
    shares = pd.crosstab(rows["class"][kept].to_numpy(), parts[kept], normalize="index")
    wanted = [0.7, 0.15, 0.15] if isinstance(split, SpeakerSplit) else [0.5, 0.25, 0.25]
    assert np.abs(shares[list(PARTS)].to_numpy() - wanted).max() < 0.04


def test_a_corpus_without_labels_can_be_for_training_only() -> None:
    rows = pd.concat([people({"teens": 9, "forties": 9}), people({"": 5}, "folders")])
    rows["class"] = rows["age"]
    parts = SpeakerSplit(train_only=["folders"])(rows)
    assert set(parts[rows["corpus"] == "folders"]) == {""}
    assert set(parts[rows["corpus"] == "cv"]) == set(PARTS)
    with pytest.raises(LangidError, match="every corpus of the store that the task can use"):
        SpeakerSplit(train_only=["cv"])(rows)


def test_classes_of_too_few_speakers_are_all_named_with_what_to_do() -> None:
    rows = people({"teens": 9, "seventies": 1, "eighties": 2})
    message = (
        "eighties has 2 and seventies has 1 speakers .* fewer than the 3 parts; .*"
        r" \(task.merge\) .* \(task.classes\)"
    )
    with pytest.raises(LangidError, match=message):
        SpeakerSplit()(rows.assign(**{"class": rows["age"]}))
