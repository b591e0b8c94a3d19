"""Tasks other than the language, through the commands, on real speech."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import langid as package
from langid.commands.main import main
from langid.errors import LangidError
from langid.export.streaming_module import StreamingModule
from langid.training.checkpoint import read_checkpoint
from langid.training.resume import check_resumable

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "+trainer.limit_train_batches=2",
    "trainer.accelerator=cpu", "~callbacks.pictures",
)  # fmt: skip


def train(store: Path, output: Path, *overrides: str) -> int:
    return main(["train", *TINY, f"store={store}", f"output={output}", *overrides])


def evaluate(output: Path, checkpoint: object, store: Path, *overrides: str) -> dict[str, Any]:
    arguments = [f"checkpoint={checkpoint}", f"store={store}", f"output={output}", *overrides]
    assert main(["evaluate", *arguments]) == 0
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    return report


@pytest.fixture(scope="module")
def gender_run(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gender") / "run"
    assert train(store_path, folder, "task=gender") == 0
    return folder


def genders(rows: list[dict[str, str]]) -> dict[str, int]:
    counts = pd.Series([row["gender"] for row in rows]).value_counts()
    return {str(name): int(count) for name, count in counts.items()}


def test_the_record_of_a_run_tells_task_classes_and_what_was_left_out(
    gender_run: Path, real_rows: list[dict[str, str]]
) -> None:
    record = json.loads((gender_run / "run.json").read_text())
    held = genders(real_rows)
    assert held[""] > 0  # otherwise nothing is shown here
    assert record["task"]["column"] == "gender"
    assert record["classes"] == ["female", "male"]
    assert record["left_out"] == {"unlabelled": held[""], "other_classes": {}}
    parts = record["split_summary"]["parts"]
    for name in ("female", "male"):
        assert sum(part[name]["clips"] for part in parts.values()) == held[name]
    assert record["split_summary"]["left_out"] == 0
    frames = record["class_frames"]
    expected = [sum(frames) / (2 * count) for count in frames]
    assert record["class_weights"] == pytest.approx(expected, abs=1e-5)


def test_evaluate_finds_the_column_in_the_checkpoint_and_counts_what_is_left_out(
    gender_run: Path,
    store_path: Path,
    real_rows: list[dict[str, str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = gender_run / "checkpoints" / "best.ckpt"
    report = evaluate(tmp_path, checkpoint, store_path)
    held = genders(real_rows)
    line = f"left out: {held['']} clips whose gender is not known"
    assert f"of the whole store {line}" in capsys.readouterr().out
    assert report["task"] == "gender"
    assert set(report["classes"]) == {"female", "male"}
    assert report["left_out"] == {"unlabelled": held[""], "other_classes": {}}
    record = json.loads((gender_run / "run.json").read_text())
    for name, figures in report["classes"].items():
        part = record["split_summary"]["parts"]["test"][name]
        assert all(figures[key] == part[key] for key in ("clips", "speakers"))
    table = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    truth = {row["utterance_id"]: row["gender"] for row in real_rows}
    assert table["gender"].tolist() == [truth[name] for name in table["utterance_id"]]
    assert set(table["predicted"]) <= {"female", "male"}
    everything = evaluate(tmp_path, checkpoint, store_path, "part=all")
    assert everything["clips"] == held["female"] + held["male"]


def test_what_is_left_out_is_printed_by_train_and_the_model_keeps_the_classes(
    store_path: Path,
    tmp_path: Path,
    real_rows: list[dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    overrides = ("task=age", "task.merge={thirties: 30+, forties: 30+}", "split=kfold",
                 "split.folds=3", "task.classes=[30+,twenties]", "silence=label")  # fmt: skip
    assert train(store_path, tmp_path / "run", *overrides) == 0
    unknown = sum(not row["age"] for row in real_rows)
    teens = sum(row["age"] == "teens" for row in real_rows)
    printed = capsys.readouterr().out
    assert f"left out: {unknown} clips whose age is not known, {teens} clips of other" in printed
    assert f"classes (teens ({teens}))" in printed
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    assert package.load(checkpoint).classes == ["30+", "twenties"]
    report = evaluate(tmp_path / "out", checkpoint, store_path, "part=all")
    assert list(report["classes"]) == ["30+", "twenties"]
    assert report["left_out"] == {"unlabelled": unknown, "other_classes": {"teens": teens}}
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t")
    ages = {row["utterance_id"]: row["age"] for row in real_rows}
    merged = ["twenties" if ages[name] == "twenties" else "30+" for name in table["utterance_id"]]
    assert table["age"].tolist() == merged


def test_languages_can_be_restricted_and_ordered(store_path: Path, tmp_path: Path) -> None:
    assert train(store_path, tmp_path / "run", "task.classes=[Mandarin,English]") == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    report = evaluate(tmp_path / "out", checkpoint, store_path)
    assert list(report["classes"]) == ["Mandarin", "English"]
    assert report["left_out"] == {"unlabelled": 0, "other_classes": {"Hindi": 12}}
    module = StreamingModule(package.load(checkpoint))
    assert module.metadata()["classes"] == ["Mandarin", "English"]  # what an exported file holds


def test_a_run_of_another_task_is_not_resumed(checkpoint_path: Path) -> None:
    description = read_checkpoint(checkpoint_path)["langid"]
    check_resumable(checkpoint_path, description)
    gender = replace(description, task=description.task | {"column": "gender"})
    with pytest.raises(LangidError, match=r"task\.column: the checkpoint has language, asked"):
        check_resumable(checkpoint_path, gender)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("gender", "task='gender'; expected keys with values"),
        ({"_target_": "langid.corpora.languages.Task"}, "no such class"),
        ({"_target_": "os.system", "column": "gender"}, "_target_=os.system: refused"),
        ({"_target_": "langid.corpora.tasks.Task", "column": "speaker"}, "accepted are language"),
    ],
)
def test_a_task_that_was_changed_by_hand_is_refused(
    gender_run: Path,
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    task: object,
    message: str,
) -> None:
    checkpoint = torch.load(gender_run / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["langid"]["task"] = task
    torch.save(checkpoint, tmp_path / "best.ckpt")
    arguments = [f"checkpoint={tmp_path}/best.ckpt", f"store={store_path}", f"output={tmp_path}"]
    assert main(["evaluate", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_checkpoints_of_different_tasks_are_not_pooled(
    gender_run: Path,
    checkpoint_path: Path,
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = f"checkpoint=[{checkpoint_path},{gender_run}/checkpoints/best.ckpt]"
    assert main(["evaluate", both, f"store={store_path}", f"output={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert "best.ckpt: its task {" in error
    assert "only checkpoints with the same task, classes can be scored together" in error


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=gendre"], "Accepted for task are: accent, age, gender, language. Did you mean gen"),
        (
            ["task.column=speaker"],
            "task.column=speaker: accepted are language, age, accent, gender",
        ),
        (["task.classes=[English,Klingon]"], "the language Klingon; found are English (12), Hindi"),
        (["task.classes=[English]"], "task.classes=['English']: two classes at least are needed"),
        (["task=age", "task.merge={sixtees: 60+}"], "has the age sixtees; found are twenties ("),
        (["task=accent"], "prepare more speech, merge classes (task.merge) or leave some out"),
    ],
)
def test_tasks_that_cannot_be_are_refused(
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    message: str,
) -> None:
    assert train(store_path, tmp_path / "run", *overrides) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()
