"""Tests of langid/evaluation/open_set.py against scikit-learn, and on foreign languages."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from stores import seal

from langid.commands.main import main
from langid.data.store import Store
from langid.data.text_columns import columns_of, write_column
from langid.evaluation import asked
from langid.evaluation.asked import Asked
from langid.evaluation.heard_pieces import pieces_of
from langid.evaluation.open_set import open_set
from langid.evaluation.open_set_page import open_set_section
from langid.evaluation.predictions import Predictions, predict_unknown
from langid.evaluation.threshold import threshold_text
from langid.streaming.decision import UNKNOWN, DecisionSettings
from langid.streaming.decision_rule import DecisionRule
from langid.training.checkpoint import load_identifier

RELEASE = "cv-corpus-6.1-2020-12-11"


def table(count: int, speakers: int, sure: float, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    posterior = 0.5 + generator.beta(sure, 2, count).round(2) / 2
    values = {"p(x)": posterior, "p(y)": 1 - posterior, "language": "x", "label": "z"}
    rows = pd.DataFrame(values)
    rows["speaker"] = [f"{seed}-{number % speakers}" if speakers else "" for number in range(count)]
    rows = rows.assign(predicted=np.where(rows["p(x)"] > 0.5, "x", "y"), no_speech=False)
    return rows.assign(utterance_id=[f"{seed}-{number}" for number in range(count)])


def of(known: pd.DataFrame, unknown: pd.DataFrame) -> dict[str, object]:
    return open_set(Predictions(known, "utterance", ["x", "y"], [], "f"), unknown, Path("s.h5"))


def test_the_area_and_the_rate_are_those_of_scikit_learn_within_their_intervals() -> None:
    known, unknown = table(300, 100, 4, 1), table(200, 50, 2, 2)
    found = of(known, unknown)
    scores = np.concatenate([rows[["p(x)", "p(y)"]].max(axis=1) for rows in (known, unknown)])
    target = np.repeat([1, 0], [300, 200])
    auroc, rate = found["auroc"], found["false_acceptance"]
    assert auroc["value"] == pytest.approx(roc_auc_score(target, scores))
    assert auroc["low"] < auroc["value"] < auroc["high"] < auroc["low"] + 0.15
    false, true, _ = roc_curve(target, scores, drop_intermediate=False)
    assert rate["value"] == pytest.approx(false[np.argmax(true >= 0.95)])
    assert rate["low"] < rate["value"] < rate["high"]
    assert (found["clips"], found["speakers"], found["labels"]) == (200, 50, {"z": 200})


def test_the_threshold_is_chosen_on_validation_and_tested_on_others() -> None:
    known, unknown, validation = table(300, 100, 4, 1), table(200, 50, 2, 2), table(100, 50, 4, 3)
    chosen_on = Predictions(validation, "utterance", ["x", "y"], [], "f")
    predictions = Predictions(known, "utterance", ["x", "y"], [], "f")
    found = open_set(predictions, unknown, Path("s.h5"), chosen_on)["threshold"]
    below = found["unknown_below"]
    assert (validation["p(x)"] >= below).mean() >= 0.95 > (validation["p(x)"] > below).mean()
    for name, rows in (("known", known), ("unknown", unknown)):
        answered = found[name]
        assert answered["value"] == pytest.approx((rows["p(x)"] >= below).mean())
        assert answered["low"] < answered["value"] < answered["high"]
    assert of(known, unknown)["threshold"] is None


def test_the_histogram_counts_every_clip_once() -> None:
    known, unknown = table(300, 100, 4, 1), table(200, 50, 2, 2)
    histogram = of(known, unknown)["histogram"]
    counts, edges = np.histogram(unknown["p(x)"], histogram["edges"])
    assert histogram["unknown"] == counts.tolist() and edges[[0, -1]].tolist() == [0, 1]
    assert sum(histogram["known"]) == 300 and sum(histogram["unknown"]) == 200


def test_few_speakers_have_no_interval() -> None:
    found = of(table(30, 10, 4, 1), table(20, 4, 2, 2))
    assert found["auroc"]["low"] is None and found["auroc"]["reason"] == "unknown: 4 speakers"
    found = of(table(30, 1, 4, 1), table(20, 0, 2, 2))  # unknown ones count each
    assert found["auroc"]["reason"] == "known: 1 speaker"


def test_a_class_of_other_languages_is_no_answer() -> None:
    columns = ["p(x)", "p(y)", "p(unknown)"]
    known = pd.DataFrame([[0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], columns=columns)
    known = known.assign(language=["x", "unknown", "y"], speaker="", utterance_id=["a", "b", "c"])
    unknown = pd.DataFrame([[0.2, 0.35, 0.45], [0.05, 0.05, 0.9]], columns=columns)
    unknown = unknown.assign(label="z", speaker="", utterance_id=["d", "e"])
    predictions = Predictions(known, "utterance", ["x", "y", "unknown"], [], "f")
    found = open_set(predictions, unknown, Path("s.h5"))
    assert found["auroc"]["value"] == 0.75  # 0.5 and 0.3 against 0.35 and 0.05


def test_what_is_answered_is_what_a_decision_rule_answers() -> None:
    classes, generator = ["x", "y", UNKNOWN], np.random.default_rng(0)

    def drawn(count: int, label: str, towards: list[float]) -> pd.DataFrame:
        posteriors = generator.dirichlet(towards, count)
        rows = pd.DataFrame(posteriors, columns=[f"p({name})" for name in classes])
        rows["predicted"] = np.array(classes)[posteriors.argmax(1)]
        rows["no_speech"] = generator.random(count) < 0.1
        rows["utterance_id"] = [f"{label}{number}" for number in range(count)]
        return rows.assign(language=label, label=label, speaker=rows["utterance_id"])

    parts = [drawn(100, "x", [3, 1, 0.3]), drawn(80, "x", [3, 1, 0.3])]
    validation, known = (Predictions(rows, "utterance", classes, [], "f") for rows in parts)
    unknown = drawn(60, "z", [1, 1, 1])
    found = open_set(known, unknown, Path("s.h5"), validation)["threshold"]
    settings = DecisionSettings(unknown_below=found["unknown_below"])

    def answered(rows: pd.DataFrame) -> float:
        labels = []
        columns = [*(f"p({name})" for name in classes), "no_speech"]
        for *posteriors, no_speech in rows[columns].to_numpy():
            rule = DecisionRule(classes, 0.01, settings)
            rule.update(np.array([posteriors], np.float32), np.array([not no_speech]))
            labels.append(rule.decision.label)
        return float(np.isin(labels, ["x", "y"]).mean())

    assert found["known"]["value"] == pytest.approx(answered(known.table))
    assert found["unknown"]["value"] == pytest.approx(answered(unknown))
    # Silent clips and those taken for others are more than a twentieth: all that can be, are.
    assert answered(validation.table) < 0.95
    assert found["answered"] == pytest.approx(answered(validation.table))
    assert found["unknown_below"] == 0


@pytest.fixture(scope="module")
def foreign(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of six clips of two other languages, and of two of English."""
    folder = tmp_path_factory.mktemp("foreign")
    root = data_root / RELEASE
    rows = []
    for locale, language, count in (("fr", "French", 3), ("de", "German", 3), ("en", "English", 2)):
        for clip in sorted((root / locale / "clips").glob("*.mp3"))[:count]:
            rows.append({"utterance_id": clip.stem, "path": str(clip), "language": language})
    pd.DataFrame(rows).to_csv(folder / "foreign.tsv", sep="\t", index=False)
    keys = [f"corpus.path={folder}/foreign.tsv", f"store={folder}/foreign.h5", "workers=1"]
    assert main(["prepare", "corpus=manifest", *keys]) == 0
    return folder / "foreign.h5"


def test_a_store_of_other_languages_is_scored_beside_the_test_part(
    checkpoint_path: Path,
    store_path: Path,
    foreign: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}"]
    assert main(["evaluate", *keys, f"unknown={foreign}"]) == 0
    found = json.loads((tmp_path / "report.json").read_text())["open_set"]
    assert found["labels"] == {"French": 3, "German": 3}  # English is known
    assert (found["clips"], found["unknown_speakers"]) == (6, 6)
    assert 0 <= found["auroc"]["value"] <= 1 and 0 <= found["false_acceptance"]["value"] <= 1
    page = (tmp_path / "report.html").read_text()
    assert ">Other languages</h2>" in page and "FPR at 95% TPR" in page
    assert "Never trained on: 6 clips" in page and "may have been trained on" not in page
    assert f"unknown_below={threshold_text(found['threshold']['unknown_below'])}" in page
    printed = " ".join(capsys.readouterr().out.split())
    assert "unknown: 6 clips" in printed and "of 2 others; AUROC" in printed


def test_others_are_heard_as_the_part_is(checkpoint_path: Path, foreign: Path) -> None:
    both = [checkpoint_path, checkpoint_path]
    once, whole = (
        predict_unknown([checkpoint_path], foreign, heard_s=heard_s) for heard_s in (1, None)
    )
    assert once["frames"].le(100).all() and (whole["frames"] > 100).any()
    assert len(predict_unknown(both, foreign)) == 12
    together = predict_unknown(both, foreign, ensemble=True)
    assert together["p(English)"].to_numpy() == pytest.approx(whole["p(English)"].to_numpy())


def test_what_taught_without_a_label_was_heard(checkpoint_path: Path, store_path: Path) -> None:
    identifier, store = load_identifier(checkpoint_path), Store(store_path)
    known = [name for name in identifier.classes if name != "Hindi"]
    hindi = set(np.flatnonzero(store.utterances["language"] == "Hindi"))

    def others(unlabelled: list[str]) -> set[int]:
        split = identifier.described.split | {"unlabelled": unlabelled}
        described = replace(identifier.described, classes=known, split=split)
        made = SimpleNamespace(described=described, classes=known, silence=identifier.silence)
        return set(pieces_of(made, store, UNKNOWN)[0]["row"])  # type: ignore[arg-type]

    assert others([]) == hindi and hindi
    assert others(["Hindi"]) == set()


def test_what_may_have_been_trained_on_is_not_said_to_be_new() -> None:
    figures = of(table(30, 10, 4, 1), table(20, 10, 2, 2)) | {"no_threshold": "none asked for"}
    plain = {"open_set": figures, "began_from": [], "heard_alike": True, "encoder": None}
    plain |= {"split": [{}, {"unlabelled": []}]}
    assert "Never trained on: 20 clips" in open_set_section(plain)
    start = {"began_from": ["a.ckpt"]}
    assert "Never trained on: 20 clips" in open_set_section(plain | start)  # heard the same
    for more, reason in (
        (start | {"heard_alike": False}, "what the networks that it began from, or learned of, h"),
        ({"encoder": "whisper"}, "what its pretrained encoder has heard is not known"),
        ({"split": {"unlabelled": ["z"]}}, "it learned from speech without a label, of z"),
    ):
        told = open_set_section(plain | more)
        assert f"They may have been trained on: {reason}" in told and "Of no class of it: " in told
        assert "Never trained on" not in told


def test_others_of_whom_nobody_knows_what_they_are_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, unknown = table(30, 10, 4, 1), table(20, 10, 2, 2)
    predictions = Predictions(known, "utterance", ["x", "y"], [], "f")
    some = Asked(checkpoints=[], store=Path("s.h5"), part="validation")
    unknown.loc[:14, "label"] = ""
    monkeypatch.setattr(asked, "predict_unknown", lambda *_: unknown)
    assert some.open_set(predictions, Path("s.h5"))["clips"] == 5


def test_a_store_of_nothing_unknown_is_refused_before_anything_is_scored(
    checkpoint_path: Path, store_path: Path, foreign: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    unlabelled = Path(shutil.copy(foreign, tmp_path / "unlabelled.h5"))
    with h5py.File(unlabelled, "r+") as file:
        known = np.where(columns_of(file)["language"] == "English", "English", "")
        del file["language"], file["language.rows"]
        write_column(file, "language", known.tolist())
    seal(unlabelled)
    cases = {
        tmp_path / "none.h5": "no such file; make it with langid prepare store=",
        store_path: "every utterance has one of the classes English",
        unlabelled: "no utterance without one of the classes has a language",
    }
    for path, told in cases.items():
        keys = [f"checkpoint={checkpoint_path}", f"store={tmp_path}/gone.h5", f"output={tmp_path}"]
        assert main(["evaluate", *keys, f"unknown={path}"]) == 2
        assert f"unknown={path}: {told}" in capsys.readouterr().err
