"""Tests of langid/commands/evaluate.py: reports of real runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch

import langid as package
from langid.audio.decode import read_audio
from langid.commands.evaluate import FIGURES, _print_report
from langid.commands.main import main
from langid.evaluation.scoring import score

CLASSES = ["English", "Hindi", "Mandarin"]


def evaluate(output: Path, checkpoint: object, store: Path, *overrides: str) -> dict[str, Any]:
    arguments = [f"checkpoint={checkpoint}", f"store={store}", f"output={output}", *overrides]
    assert main(["evaluate", *arguments]) == 0
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    return report


def train(store: Path, output: Path, *overrides: str) -> Path:
    small = ("experiment=gru", "model.network.units=8", "data.batch_size=8",
             "data.sequence_frames=100", "trainer.max_epochs=1",
             "~callbacks.pictures")  # fmt: skip
    assert main(["train", *small, f"store={store}", f"output={output}", *overrides]) == 0
    return output / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def report_folder(
    checkpoint_path: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("report")
    evaluate(folder, checkpoint_path, store_path)
    return folder


@pytest.fixture(scope="module")
def two_corpora(real_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of the same clips, of which six of each language are of another corpus."""
    folder = tmp_path_factory.mktemp("two")
    rows = pd.read_csv(real_manifest, sep="\t", dtype=str, keep_default_na=False)
    rows.loc[rows.groupby("language").cumcount() < 6, "corpus"] = "other"
    rows.to_csv(folder / "two.tsv", sep="\t", index=False)
    arguments = [f"corpus.path={folder}/two.tsv", f"store={folder}/two.h5", "workers=1"]
    assert main(["prepare", "corpus=manifest", *arguments]) == 0
    return folder / "two.h5"


def test_report_is_complete(report_folder: Path, run_path: Path) -> None:
    report = json.loads((report_folder / "report.json").read_text())
    record = json.loads((run_path / "run.json").read_text())
    for name in ("accuracy", "nll", "frame_accuracy"):
        assert report[name]["low"] <= report[name]["value"] <= report[name]["high"]
    for name in ("balanced_accuracy", "macro_f1"):
        assert report[name]["low"] is None
        assert report[name]["reason"] == "English: 2 speakers, and 2 more classes below 5"
    for language in CLASSES:
        figures = report["classes"][language]
        for name in ("precision", "recall", "f1"):
            few = {"low": None, "high": None, "reason": "2 speakers"}
            assert figures[name] == {"value": figures[name]["value"], **few}
        held = record["split_summary"]["parts"]["test"][language]
        assert held["unknown_speakers"] == 0
        assert all(figures[name] == held[name] for name in ("clips", "speakers"))
        assert figures["support"] == figures["clips"]
    assert np.sum(report["confusion"]) == report["clips"] == report["support"]
    for name in ("split", "seed", "silence", "fingerprint"):
        assert report[name] == record[name]
    assert report["trained_on"] == record["fingerprint"]
    assert report["shared_with_training"] == record["split_summary"]["shared"]
    assert report["scored"] == "utterance"
    assert "between speakers" in report["interval"]
    assert report["brier"]["low"] < report["brier"]["value"] < report["brier"]["high"]
    for name in ("eer", "cavg", "min_cavg"):
        assert 0 <= report[name]["value"] <= 1
        assert report[name]["reason"] == report["balanced_accuracy"]["reason"]
    assert sum(held["units"] for held in report["reliability"]) == report["support"]
    wrong = report["support"] - np.trace(report["confusion"])
    assert sum(pair["units"] for pair in report["confused"]) == wrong
    assert np.sum(report["confusion_rates"], 1) == pytest.approx(1)
    assert {"python", "torch", "langid-speech"} <= set(report["versions"])


def test_seconds_that_are_heard_stand_in_report_and_title(
    report_folder: Path,
    checkpoint_path: Path,
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert json.loads((report_folder / "report.json").read_text())["heard_s"] is None
    capsys.readouterr()
    report = evaluate(tmp_path / "second", checkpoint_path, store_path, "heard_s=0.5")
    assert report["heard_s"] == 0.5
    assert "heard 0.5 s from the first speech on" in " ".join(capsys.readouterr().out.split())
    table = pd.read_csv(tmp_path / "second" / "predictions.tsv", sep="\t")
    assert table["frames"].between(1, 50).all()
    again = package.evaluate(checkpoint_path, store_path, heard_s=0.5)
    assert again["accuracy"] == report["accuracy"]
    parts = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}/streams"]
    assert main(["evaluate", *parts, "heard_s=1", "streaming=true"]) == 2
    assert "heard_s=1: streaming=true hears clips whole" in capsys.readouterr().err


def test_validation_says_below_what_to_answer_unknown(
    report_folder: Path,
    checkpoint_path: Path,
    store_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The test part does not: chosen on it a threshold would flatter it."""
    assert "thresholds" not in json.loads((report_folder / "report.json").read_text())
    capsys.readouterr()
    report = evaluate(tmp_path, checkpoint_path, store_path, "part=validation")
    lines = [line for line in capsys.readouterr().out.splitlines() if " error: " in line]
    assert [line.split()[0] for line in lines] == ["1%", "5%", "10%", "20%", "30%"]
    table = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    confidence = table[[f"p({name})" for name in CLASSES]].max(axis=1)
    right = table["predicted"] == table["language"]
    for line, (rate, chosen) in zip(lines, report["thresholds"].items(), strict=True):
        if chosen is None:
            assert line.endswith("no unknown_below gives so few")
            continue
        kept = confidence >= chosen["unknown_below"] - 1e-6
        assert (~right[kept]).mean() <= float(rate)
        assert chosen["answered"] == pytest.approx(kept.mean())
        assert f"unknown_below={chosen['unknown_below']:.6f}" in line


def test_picture_can_be_read(report_folder: Path) -> None:
    picture = matplotlib.image.imread(report_folder / "confusion.png")
    assert min(picture.shape[:2]) > 200
    assert picture[..., :3].std() > 0.05


def test_predictions_are_means_over_speech_frames(
    report_folder: Path, checkpoint_path: Path, real_rows: list[dict[str, str]]
) -> None:
    table = pd.read_csv(report_folder / "predictions.tsv", sep="\t")
    paths = {row["utterance_id"]: row["path"] for row in real_rows}
    identifier = package.load(checkpoint_path)
    assert len(table) == 6
    for row in table.to_dict("records"):
        samples = torch.from_numpy(read_audio(paths[row["utterance_id"]], 16000))
        posteriors, speech = identifier.posteriors(samples[None])
        expected = posteriors[0][speech[0]].mean(0)
        found = [row[f"p({name})"] for name in CLASSES]
        assert found == pytest.approx(expected.tolist(), abs=2e-3)  # stored as float16
        assert row["predicted"] == CLASSES[int(np.argmax(found))]
    right = (table["predicted"] == table["language"]).mean()
    report = json.loads((report_folder / "report.json").read_text())
    assert report["accuracy"]["value"] == pytest.approx(right)


def test_folds_are_pooled_and_doubled_utterances_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folds = [
        train(store_path, tmp_path / f"fold{fold}", "split=kfold", "split.folds=3",
              f"split.fold={fold}") for fold in range(3)
    ]  # fmt: skip
    report = evaluate(tmp_path / "pooled", f"[{','.join(map(str, folds))}]", store_path)
    assert report["clips"] == 36  # each utterance is tested once
    assert [split["fold"] for split in report["split"]] == [0, 1, 2]
    assert report["seed"] == 0
    tables = []
    for number, fold in enumerate(folds[:2]):
        evaluate(tmp_path / f"single{number}", fold, store_path)
        tables.append(pd.read_csv(tmp_path / f"single{number}" / "predictions.tsv", sep="\t"))
    pooled = pd.read_csv(tmp_path / "pooled" / "predictions.tsv", sep="\t")
    singles = pd.concat(tables, ignore_index=True)
    pd.testing.assert_frame_equal(pooled[: len(singles)], singles)
    doubled = f"checkpoint=[{folds[0]},{folds[1]},{folds[0]}]"
    assert main(["evaluate", doubled, f"store={store_path}", f"output={tmp_path}/x"]) == 2
    assert "score the same utterances (12 of them" in capsys.readouterr().err
    assert not (tmp_path / "x" / "report.json").exists()


def test_under_the_leaky_split_sequences_are_scored_and_said_to_be(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = train(store_path, tmp_path / "run", "split=sequence")
    report = evaluate(tmp_path / "out", checkpoint, store_path)
    assert report["scored"] == "sequence"
    assert report["support"] > report["clips"]
    assert report["shared_with_training"]["utterances"] > 0
    figures = report["classes"]["Hindi"]
    assert figures["support"] > figures["clips"] == figures["speakers"]
    assert "sequences of these clips, not whole utterances" in capsys.readouterr().out
    everything = evaluate(tmp_path / "all", checkpoint, store_path, "part=all")
    assert everything["scored"] == "utterance"
    assert everything["support"] == 36


def test_corpora_are_filtered(two_corpora: Path, tmp_path: Path) -> None:
    checkpoint = train(two_corpora, tmp_path / "run")
    whole = evaluate(tmp_path / "whole", checkpoint, two_corpora, "part=all")
    assert whole["corpora"] == {"cv-corpus-6.1-2020-12-11": 18, "other": 18}
    for number, given in enumerate(("[other]", "other")):
        overrides = ("part=all", f"corpora={given}")
        report = evaluate(tmp_path / f"other{number}", checkpoint, two_corpora, *overrides)
        assert report["corpora"] == {"other": 18}
        assert report["clips"] == report["speakers"] == 18


@pytest.mark.parametrize("split", ["speaker", "official", "kfold", "sequence", "train_only"])
def test_a_foreign_store_is_scored_whole_whatever_the_split(
    two_corpora: Path,
    checkpoint_path: Path,
    tmp_path: Path,
    split: str,
) -> None:
    """The foreign store has no official split, and not the corpus that is for training only."""
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    name = {"speaker": "Speaker", "official": "Official", "kfold": "KFold", "sequence": "Sequence"}
    target = f"langid.corpora.splits.{name.get(split, 'Speaker')}Split"
    held: dict[str, Any] = {"_target_": target}
    checkpoint["langid"]["split"] = held
    if split == "kfold":
        held["folds"] = 20  # more than the store has speakers of a language
    if split == "train_only":
        held["train_only"] = ["folders-absent"]
    torch.save(checkpoint, tmp_path / "best.ckpt")
    report = evaluate(tmp_path / "out", tmp_path / "best.ckpt", two_corpora, "part=all")
    assert report["clips"] == 36
    assert report["shared_with_training"] is None
    assert report["fingerprint"] != report["trained_on"]


def test_bad_input(
    checkpoint_path: Path,
    store_path: Path,
    two_corpora: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def error(**changed: object) -> str:
        given = {"checkpoint": checkpoint_path, "store": store_path, "output": tmp_path} | changed
        assert main(["evaluate", *(f"{key}={value}" for key, value in given.items())]) == 2
        return capsys.readouterr().err

    assert "part=tests: accepted are test, validation, train, all" in error(part="tests")
    foreign = error(store=two_corpora)
    assert "trained on another store" in foreign
    assert "part=all" in foreign
    assert "cavg.p_target=2: accepted are numbers above 0 below 1" in error(**{"cavg.p_target": 2})
    assert "corpora: no cv in the test part; it holds cv-corpus-6.1" in error(corpora="cv")
    assert "checkpoint=[]: expected a checkpoint" in error(checkpoint="[]")
    assert "no such file" in error(checkpoint=tmp_path / "none.ckpt")
    assert "no such file" in error(store=tmp_path / "none.h5")
    (tmp_path / "file").write_text("")
    assert "file" in error(output=tmp_path / "file" / "out")
    assert not (tmp_path / "report.json").exists()


def test_posteriors_that_are_no_numbers_are_refused(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    for name, weight in checkpoint["state_dict"].items():
        if name.startswith("network."):
            weight.fill_(float("nan"))
    torch.save(checkpoint, tmp_path / "best.ckpt")
    arguments = [f"checkpoint={tmp_path}/best.ckpt", f"store={store_path}", f"output={tmp_path}/x"]
    assert main(["evaluate", *arguments]) == 2
    assert "its posteriors are not finite for 6 of 6 utterances" in capsys.readouterr().err
    assert not (tmp_path / "x" / "report.json").exists()


def test_other_features_are_refused(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["features"]["floor_db"] = -70
    torch.save(checkpoint, tmp_path / "best.ckpt")
    arguments = [f"checkpoint={tmp_path}/best.ckpt", f"store={store_path}", f"output={tmp_path}"]
    for part in ("test", "all"):
        assert main(["evaluate", *arguments, f"part={part}"]) == 2
        assert "trained on features {" in capsys.readouterr().err


@pytest.fixture
def store_of(real_manifest: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that prepares clips of some languages alone, six of each."""

    def prepare(*languages: str) -> Path:
        header, *lines = real_manifest.read_text().splitlines()
        for name in languages:
            header += "\n" + "\n".join([line for line in lines if f"\t{name}\t" in line][:6])
        (tmp_path / "some.tsv").write_text(header + "\n")
        store = tmp_path / f"{len(languages)}.h5"
        parts = [f"corpus.path={tmp_path}/some.tsv", f"store={store}", "workers=1"]
        assert main(["prepare", "corpus=manifest", *parts]) == 0
        return store

    return prepare


@pytest.mark.parametrize("languages", [("Hindi",), ("English", "Mandarin")])
def test_a_store_of_some_classes_has_their_figures_alone(
    checkpoint_path: Path,
    store_of: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    languages: tuple[str, ...],
) -> None:
    store = store_of(*languages)
    report = evaluate(tmp_path / "out", checkpoint_path, store, "part=all")
    absent = [name for name in ("English", "Hindi", "Mandarin") if name not in languages]
    assert report["absent"] == absent
    assert report["unknown_speakers"] == 0
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t")
    right = (table["predicted"] == table["language"]).groupby(table["language"]).mean()
    assert len(table) == 6 * len(languages)
    for name in languages:
        assert report["classes"][name]["recall"]["value"] == pytest.approx(right[name])
    for name in absent:
        assert report["classes"][name]["recall"]["value"] is None
        assert report["confusion_rates"][CLASSES.index(name)] == [None] * 3
    alone = len(languages) == 1
    assert (report["eer"]["value"] is None) == (report["cavg"]["value"] is None) == alone
    assert "NaN" not in (tmp_path / "out" / "report.json").read_text()
    assert report["balanced_accuracy"]["value"] == pytest.approx(right.mean())
    printed = " ".join(capsys.readouterr().out.split())
    others = "1 class" if len(languages) == 1 else "2 classes"
    assert f"no clip of {', '.join(absent)} is in this part" in printed
    assert f"balanced accuracy and macro F1 are of the other {others}" in printed


def test_a_store_of_none_of_the_classes_is_refused(
    checkpoint_path: Path,
    store_of: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = store_of("Hindi")
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["classes"] = ["English", "Thai", "Mandarin"]
    torch.save(checkpoint, tmp_path / "best.ckpt")
    arguments = [f"checkpoint={tmp_path}/best.ckpt", f"store={store}", f"output={tmp_path}/out"]
    assert main(["evaluate", *arguments, "part=all"]) == 2
    error = capsys.readouterr().err
    assert f"knows English, Thai, Mandarin; the store {store} holds none of them" in error


def test_an_accelerator_that_is_not_there_is_refused(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}/out"]
    assert main(["evaluate", *arguments, "accelerator=tpu"]) == 2
    expected = "langid: accelerator=tpu: accepted on this machine are auto, cpu"
    assert expected in capsys.readouterr().err


def test_a_folder_named_by_a_number(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate(Path("2026"), checkpoint_path, store_path)
    assert (tmp_path / "2026" / "report.json").is_file()


@pytest.mark.parametrize("columns", [60, 200])
def test_a_report_of_a_hundred_classes_fits_any_page(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [f"Chinese_of_a_long_name_without_blanks_{index}" for index in range(50)]
    names += [f"Romansh Sursilvan {index}" for index in range(50)]
    targets = np.repeat(np.arange(100), 6)
    figures = score(targets, np.eye(100)[targets], [str(n // 2) for n in range(600)], names)
    counts = {"clips": 6, "speakers": 3, "unknown_speakers": 0}
    for name in names:
        figures["classes"][name] |= counts
    report = figures | counts | {
        "part": "test", "task": "language", "absent": [], "scored": "utterance",
        **dict.fromkeys(FIGURES, figures["accuracy"]), "trained_on": "f", "fingerprint": "f",
        "shared_with_training": {"speakers": 0, "utterances": 0, "unknown_speakers": 0},
        "left_out": {"unlabelled": 0, "other_classes": {}}, "heard_s": None, "no_speech": 0,
    }  # fmt: skip
    _print_report(report, Path("out"))
    table, _, rest = capsys.readouterr().out.partition("└")
    lines = table.splitlines()
    assert max(map(len, lines)) <= columns and "…" not in table
    first = "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))
    for name in names:
        assert f"recall {name} (6 clips, 3 speakers)".replace(" ", "") in first.replace(" ", "")
    assert "6 clips, 3 speakers; shared with training: 0 speakers, 0 utterances" in rest
