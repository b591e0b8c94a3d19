"""Tests of ``langid evaluate`` on parts that lack a class, or whose speakers nobody knows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from langid.commands.main import main

TINY = (
    "experiment=gru", "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
    "~callbacks.pictures",
)  # fmt: skip
Change = Callable[[pd.DataFrame], None]


def prepared(manifest: Path, folder: Path, change: Change) -> Path:
    """Return a store of the manifest's clips after a change of their rows."""
    rows = pd.read_csv(manifest, sep="\t", dtype=str, keep_default_na=False)
    change(rows)
    rows.to_csv(folder / "changed.tsv", sep="\t", index=False)
    arguments = [f"corpus.path={folder}/changed.tsv", f"store={folder}/changed.h5", "workers=1"]
    assert main(["prepare", "corpus=manifest", *arguments]) == 0
    return folder / "changed.h5"


def trained(store: Path, run: Path, *overrides: str) -> Path:
    assert main(["train", *TINY, f"store={store}", f"output={run}", *overrides]) == 0
    return run / "checkpoints" / "best.ckpt"


def evaluated(checkpoint: Path, store: Path, output: Path, part: str) -> dict[str, Any]:
    arguments = [f"checkpoint={checkpoint}", f"store={store}", f"output={output}", f"part={part}"]
    assert main(["evaluate", *arguments]) == 0
    report: dict[str, Any] = json.loads((output / "report.json").read_text())
    return report


def test_validation_and_evaluate_say_the_same_of_a_part_without_a_class(
    real_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_mandarin_to_validate(rows: pd.DataFrame) -> None:
        place = rows.groupby("language").cumcount()
        rows["split"] = ["validation" if n < 5 else "train" if n < 10 else "test" for n in place]
        gone = (rows["language"] == "Mandarin") & (rows["split"] == "validation")
        rows.loc[gone, "split"] = "train"

    store = prepared(real_manifest, tmp_path, no_mandarin_to_validate)
    telling = False
    for seed in range(3):
        run, out = tmp_path / f"run{seed}", tmp_path / f"out{seed}"
        overrides = ("split=official", f"seed={seed}", "trainer.max_epochs=3", "optimizer.lr=0.01")
        checkpoint = trained(store, run, *overrides)
        capsys.readouterr()
        report = evaluated(checkpoint, store, out, "validation")
        assert report["absent"] == ["Mandarin"]
        assert "no clip of Mandarin is in this part: balanced accuracy" in capsys.readouterr().out
        table = pd.read_csv(out / "predictions.tsv", sep="\t")
        right = table["predicted"] == table["language"]
        recalls = right.groupby(table["language"]).mean()
        assert sorted(recalls.index) == ["English", "Hindi"]
        assert report["balanced_accuracy"]["value"] == pytest.approx(recalls.mean())
        best = json.loads((run / "run.json").read_text())["best"]
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            assert best[name] == pytest.approx(report[name]["value"], abs=1e-6)
        telling |= (table["predicted"] == "Mandarin").any() and right.any()
    assert telling  # in one of them at least, what is absent was predicted


@pytest.fixture(scope="module")
def nameless(real_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a store in which nobody knows who speaks Hindi, and a checkpoint."""
    folder = tmp_path_factory.mktemp("nameless")

    def forget(rows: pd.DataFrame) -> None:
        rows.loc[rows["language"] == "Hindi", "speaker"] = ""

    store = prepared(real_manifest, folder, forget)
    return store, trained(store, folder / "run")


def test_clips_of_unknown_speakers_are_no_speakers(
    nameless: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, checkpoint = nameless
    capsys.readouterr()
    report = evaluated(checkpoint, store, tmp_path / "out", "test")
    said = " ".join(capsys.readouterr().out.split())
    hindi = report["classes"]["Hindi"]["clips"]
    others = report["clips"] - hindi
    assert (report["speakers"], report["unknown_speakers"]) == (others, hindi)
    counts = ("clips", "speakers", "unknown_speakers")
    assert [report["classes"]["Hindi"][name] for name in counts] == [hindi, 0, hindi]
    assert [report["classes"]["English"][name] for name in counts][2] == 0
    told = f"{report['clips']} clips, {others} speakers and {hindi} clips of unknown speakers"
    shared = f"0 speakers, 0 recordings, 0 utterances, unknown for {hindi}"
    assert f"{told}; shared with training: {shared}" in said
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t", keep_default_na=False)
    assert (table["speaker"] == "").equals(table["language"] == "Hindi")
    # Each counts as a speaker of its own: there are as many units as clips.
    assert report["accuracy"]["low"] is not None


def test_compare_counts_known_and_unknown_speakers(
    nameless: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = nameless[1].parents[1]
    assert main(["compare", str(run), f"output={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "compare.csv")
    clips, speakers, unknown = table.loc[0, ["clips", "speakers", "unknown_speakers"]]
    assert speakers + unknown == clips and unknown > 0
    said = f"validation part: {clips} clips, {speakers} speakers and {unknown} clips of unknown"
    assert said in capsys.readouterr().out


def test_the_whole_of_the_store_that_was_trained_on(
    nameless: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, checkpoint = nameless
    trained_clips = evaluated(checkpoint, store, tmp_path / "train", "train")["clips"]
    capsys.readouterr()
    report = evaluated(checkpoint, store, tmp_path / "all", "all")
    shared = report["shared_with_training"]
    assert report["clips"] == 36 > trained_clips == shared["utterances"]
    assert 0 < shared["speakers"] < report["speakers"]
    assert shared["unknown_speakers"] == 12
    said = capsys.readouterr().out
    assert f"it holds what was trained on; shared with training: {shared['speakers']} sp" in said
    assert "not known" not in said
