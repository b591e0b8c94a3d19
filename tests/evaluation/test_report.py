"""Tests of langid/evaluation/report.py; whole reports are tested in commands/test_evaluate.py."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from langid.evaluation.predictions import Predictions
from langid.evaluation.report import make_report, what_is_shared, who_speaks
from langid.training.run_description import RunDescription

from ..conftest import described


def description(fold: int) -> RunDescription:
    shared = {"speakers": fold, "utterances": 2, "unknown_speakers": 0}
    return described(split={"fold": fold}, split_summary={"shared": shared})


def predictions(folds: int = 1) -> Predictions:
    rows = [
        ("u1", "x", "a", 0.9),
        ("u1", "x", "a", 0.2),
        ("u2", "x", "b", 0.8),
        ("u3", "y", "c", 0.4),
    ]
    table = pd.DataFrame(
        [
            {"utterance_id": name, "corpus": "cv", "speaker": speaker, "language": language,
             "p(x)": share, "p(y)": 1 - share, "frames": 10, "right_frames": 5, "speech_s": 0.1,
             "duration_s": "30",
             "age": "", "recording": "", "gender": "", "accent": ""}
            for name, language, speaker, share in rows
        ]
    )  # fmt: skip
    descriptions = [description(fold) for fold in range(folds)]
    return Predictions(table, "sequence", ["x", "y"], descriptions, "f")


def test_clips_speakers_and_scored_units_are_counted_apart() -> None:
    report = make_report(predictions(), "test")
    assert (report["clips"], report["speakers"], report["support"]) == (3, 3, 4)
    figures = report["classes"]["x"]
    assert (figures["clips"], figures["speakers"], figures["support"]) == (2, 2, 3)
    assert report["confusion"] == [[2, 1], [0, 1]]
    assert report["scored"] == "sequence"
    assert (report["minutes"], figures["minutes"]) == (1.5, 1.0)  # of clips, not of sequences
    assert report["corpora"] == {"cv": 4}


def test_what_differs_between_folds_is_told_for_each() -> None:
    report = make_report(predictions(folds=3), "test")
    assert report["split"] == [{"fold": 0}, {"fold": 1}, {"fold": 2}]
    assert report["silence"] == "mask"
    assert report["shared_with_training"]["speakers"] == 0 + 1 + 2


@pytest.mark.parametrize("part", ["train", "all"])
def test_a_part_that_is_not_held_out_claims_no_leak_figures(part: str) -> None:
    assert make_report(predictions(), part)["shared_with_training"] is None


def test_a_language_without_utterances_is_named_and_in_no_mean() -> None:
    held = predictions()
    held.table = held.table[held.table["language"] == "x"]
    report = make_report(held, "test")
    assert report["absent"] == ["y"]
    assert report["balanced_accuracy"]["value"] == pytest.approx(2 / 3)
    assert report["classes"]["y"]["recall"]["value"] is None


def test_who_speaks_where_it_is_not_known() -> None:
    held = predictions()
    held.table.loc[held.table["utterance_id"] == "u2", "speaker"] = ""
    report = make_report(held, "test")
    counts = {"clips": 3, "speakers": 2, "unknown_speakers": 1}
    assert {name: report[name] for name in counts} == counts
    assert who_speaks(report) == "3 clips, 2 speakers and 1 clip of unknown speakers"
    figures = report["classes"]["x"]
    assert [figures[name] for name in counts] == [2, 1, 1]
    held.table["speaker"] = ""
    report = make_report(held, "test")
    assert who_speaks(report) == "3 clips, all of unknown speakers"
    assert report["shared_with_training"]["speakers"] is None  # nobody knows
    assert report["shared_with_training"]["utterances"] == 2


def test_what_was_heard_in_training_is_counted_in_the_store_that_was_trained_on() -> None:
    held = predictions()
    assert make_report(held, "all")["shared_with_training"] is None
    heard = {"utterance_id": ["u1", "u9"], "speaker": ["a", "b"], "recording": ["", ""]}
    held.trained_on = pd.DataFrame(heard)
    shared = make_report(held, "all")["shared_with_training"]
    assert shared == {"speakers": 2, "recordings": 0, "utterances": 1, "unknown_speakers": 0}


def test_what_a_start_and_a_teacher_have_heard_is_compared() -> None:
    held = predictions()
    own = held.descriptions[0]

    def alike(summary: str, **before: Any) -> tuple[list[str], bool]:
        said = replace(own, split_summary=own.split_summary | {"heard": summary}, **before)
        report = make_report(replace(held, descriptions=[said]), "test")
        return report["began_from"], report["heard_alike"]

    start, other = {"checkpoint": "a", "heard": ["d1"]}, {"checkpoint": "b", "heard": ["d1", "d2"]}
    assert alike("d1") == ([], True)
    assert alike("d1", init=start) == (["a"], True)
    assert alike("d1", init=start, teacher=other) == (["a", "b"], False)
    assert alike("d3", init=start) == (["a"], False)
    assert alike("", init={"checkpoint": "a"}) == (["a"], False)  # of an earlier version


def test_what_starts_have_heard_of_held_out_parts_is_summed_over_folds() -> None:
    held = predictions(folds=2)
    counts = {"speakers": 1, "recordings": 0, "utterances": 3, "unknown_speakers": 0}

    def shared(part: str, *started: dict[str, Any] | None, **more: Any) -> Any:
        both = zip(held.descriptions, started, strict=True)
        said = [replace(of, init=init, **more) for of, init in both]
        return make_report(replace(held, descriptions=said), part)["shared_with_start"]

    start = {"checkpoint": "a", "shared": counts}
    assert shared("test", start, start) == {name: 2 * count for name, count in counts.items()}
    assert shared("test", start, start, split={}) == counts  # an ensemble
    assert shared("train", start, start) is None
    assert shared("test", start, None) is shared("test", start, {"checkpoint": "b"}) is None
    assert shared("test", start, start, teacher={"checkpoint": "c"}) is None


def test_shared_recordings_are_counted_as_speakers_are() -> None:
    report = make_report(predictions(), "test")
    report["shared_with_training"] |= {"speakers": 0, "recordings": 17, "utterances": 0}
    assert "0 speakers, 17 recordings, 0 utterances" in what_is_shared(report)
    report["shared_with_training"] |= {"speakers": None, "recordings": 0}
    assert "training: 0 recordings, 0 utterances" in what_is_shared(report)
