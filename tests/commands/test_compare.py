"""Tests of langid/commands/compare.py: real runs of a small network on real speech."""

import json
import shutil
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch

import langid.runs.finished
from langid.commands.compare import with_folders
from langid.commands.main import main

TINY = (
    "model.network.units=8", "model.network.dense=4", "data.batch_size=8",
    "data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu",
    "~callbacks.pictures",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of two runs that differ in silence and learning rate."""
    folder = tmp_path_factory.mktemp("compared") / "sweep"
    for silence, rate in (("mask", "0.01"), ("remove", "0.001")):
        arguments = [f"store={store_path}", f"silence={silence}", f"optimizer.lr={rate}"]
        assert main(["train", *TINY, *arguments, f'output="{folder}/silence={silence},x"']) == 0
    return folder


@pytest.fixture(scope="module")
def other_split(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was validated on other utterances."""
    folder = tmp_path_factory.mktemp("other") / "split"
    arguments = [f"store={store_path}", f"output={folder}", "split.seed=5"]
    assert main(["train", *TINY, *arguments]) == 0
    return folder


def test_a_table_of_what_differs_and_what_came_out(
    runs: Path, run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(runs), f"output={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "compare.csv")
    assert list(table.columns[:3]) == ["run", "silence.policy", "optimizer.lr"]
    assert set(table["silence.policy"]) == {"mask", "remove"}
    assert table["balanced_accuracy"].is_monotonic_decreasing
    for row in table.to_dict("records"):
        folder = Path(row["run"])
        record = json.loads((folder / "run.json").read_text())
        assert row["parameters"] == record["parameters"]
        assert row["seconds"] == record["seconds"]
        for name in ("accuracy", "balanced_accuracy"):
            # what evaluate says of best.ckpt is what training has seen
            assert row[name] == pytest.approx(record["best"][name], abs=1e-6)
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
        assert np.isnan(row["balanced_accuracy_low"])  # of a language there are two speakers
        assert row["balanced_accuracy_reason"].startswith("English: 2 speakers")
        assert (row["clips"], row["speakers"], row["unknown_speakers"]) == (6, 6, 0)
        assert row["real_time_factor"] > 0
        assert (folder / "compared_validation" / "report.json").is_file()
    assert table["note"][0] == "best"
    assert table["note"][1].startswith("English: 2 speakers")
    second = table.iloc[1]
    expected = second["balanced_accuracy"] - table["balanced_accuracy"][0]
    assert second["difference"] == pytest.approx(expected)
    assert np.isnan(second["difference_low"]) and np.isnan(second["difference_high"])
    assert np.isnan(table["p"][0]) and np.isnan(table["p_corrected"][0])
    assert 0 < second["p"] == second["p_corrected"] <= 1 and 0 < second["p_mcnemar"] <= 1
    assert "chance may make (by speakers p = " in " ".join(shown.split())
    picture = matplotlib.image.imread(tmp_path / "compare.png")
    assert picture[..., :3].std() > 0.02
    assert "policy" in shown
    assert "scored    validation part: 6 clips, 6 speakers\n" in shown
    assert "no interval of balanced accuracy: English: 2 speakers" in shown
    assert f"best      {table['run'][0]}" in shown
    page = (tmp_path / "compare.html").read_text()
    headings = ("Systems", "Figures", "What was chosen", "Curves")
    assert [page.count(f">{heading}</h2>") for heading in headings] == [1] * 4
    assert page.count("<svg") == 3 and "chance may make" in page and "https:" not in page


def test_reports_are_kept_until_the_checkpoint_changes(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(runs, folder)
    arguments = ["compare", str(folder), f"output={tmp_path}/table"]
    assert main(arguments) == 0
    first = pd.read_csv(tmp_path / "table" / "compare.csv")
    scored: list[Path] = []
    original = langid.runs.finished.predict_part

    def counted(checkpoints: list[Path], *rest: object) -> object:
        scored.extend(checkpoints)
        return original(checkpoints, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(langid.runs.finished, "predict_part", counted)
    assert main(arguments) == 0
    assert scored == []
    again = pd.read_csv(tmp_path / "table" / "compare.csv")
    without = ["real_time_factor"]  # measured anew
    pd.testing.assert_frame_equal(first.drop(columns=without), again.drop(columns=without))
    changed = next(folder.glob("*mask*")) / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(changed, weights_only=True)
    for tensor in checkpoint["state_dict"].values():
        tensor.mul_(1.5)
    torch.save(checkpoint, changed)
    assert main(arguments) == 0
    assert scored == [changed]


def test_runs_scored_on_other_utterances_are_not_subtracted(
    runs: Path, other_split: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(path) for path in sorted(runs.iterdir())]
    assert main(["compare", *arguments, str(other_split), f"output={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "compare.csv")
    assert len(table) == 3
    best = table["run"][0]
    for row in table.to_dict("records")[1:]:
        foreign = (row["run"] == str(other_split)) != (best == str(other_split))
        assert (row["note"] == "other utterances") == foreign
        assert pd.isna(row["difference"]) == foreign


def test_the_test_part_when_asked(runs: Path, tmp_path: Path) -> None:
    assert main(["compare", str(runs), "part=test", f"output={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "compare.csv")
    folder = Path(table["run"][0])
    report = json.loads((folder / "compared_test" / "report.json").read_text())
    assert report["part"] == "test"
    assert table["accuracy"][0] == report["accuracy"]["value"]
    assert table["clips"][0] == report["clips"]


@pytest.mark.parametrize("damage", ["cut", "column", "bytes", "empty"])
def test_damaged_predictions_are_refused_with_what_to_do(
    damage: str, run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run_path, run := tmp_path / "run")
    compare = ["compare", str(run), f"output={tmp_path}"]
    assert main(compare) == 0
    table = run / "compared_validation" / "predictions.tsv"
    held = table.read_bytes()
    lines = held.splitlines(keepends=True)
    table.write_bytes({
        "cut": b"".join(lines[:-2]), "column": held.replace(b"predicted", b"taken", 1),
        "bytes": b"".join(lines[:1]) + b"\xff\xfe\n", "empty": b"",
    }[damage])  # fmt: skip
    capsys.readouterr()
    assert main(compare) == 2
    error = capsys.readouterr().err
    assert f"{table}: not a whole table of predictions (" in error
    assert f"delete {table.parent} and run the same line again" in error
    shutil.rmtree(table.parent)
    assert main(compare) == 0


def test_a_store_that_was_moved_can_be_named(
    other_split: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(other_split, run, ignore=shutil.ignore_patterns("compared_*"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"store": "gone.h5"}))
    assert main(["compare", str(run)]) == 2
    assert "gone.h5: no such file" in capsys.readouterr().err
    assert main(["compare", str(run), f"store={store_path}"]) == 0
    assert (run / "compare.csv").is_file()  # without output= in the folder itself


def test_what_cannot_be_compared_is_left_out_or_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: object) -> str:
        assert main(["compare", *map(str, arguments)]) == 2
        return capsys.readouterr().err

    assert "needs folders: add DIR" in refused()
    assert "needs folders of runs" in refused("folders=[]")
    assert "nowhere: no such folder" in refused(runs, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "empty: no run in it" in refused(tmp_path / "empty")
    assert "part=train: accepted are validation, test" in refused(runs, "part=train")
    assert "Accepted keys are: folders, output" in refused(runs, "colour=red")

    folder = tmp_path / "runs"
    shutil.copytree(runs, folder)
    first, second = sorted(folder.iterdir())
    (first / "checkpoints" / "best.ckpt").unlink()
    assert f"{first}: no checkpoints/best.ckpt" in refused(first)
    assert main(["compare", str(folder), f"output={tmp_path / 'out'}"]) == 0
    assert f"left out  {first}: no checkpoints/best.ckpt" in capsys.readouterr().out
    record = json.loads((second / "run.json").read_text())
    (second / "run.json").write_text(json.dumps(record | {"status": "started"}))
    message = refused(folder)
    assert "no run can be compared" in message
    assert f"{second}: not finished" in message
    (second / "run.json").write_text(json.dumps(record | {"status": "pruned"}))
    assert f"{second}: pruned by langid tune" in refused(folder)
    (second / "run.json").write_text("{}")
    assert "run.json: not a record of langid train" in refused(folder)
    (second / "run.json").write_text("{")
    assert "run.json: not a record of langid train" in refused(folder)


def test_runs_of_different_classes_are_refused(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "runs"
    shutil.copytree(runs, folder)
    assert main(["compare", str(folder)]) == 0
    second = sorted(folder.iterdir())[-1]
    record = json.loads((second / "run.json").read_text())
    (second / "run.json").write_text(json.dumps(record | {"classes": ["Greek", "Thai"]}))
    capsys.readouterr()
    assert main(["compare", str(folder)]) == 2
    error = capsys.readouterr().err
    assert "different classes" in error
    assert "Greek, Thai" in error


def test_folders_are_told_from_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seed=0").mkdir()
    given = ["runs/a b", "seed=0", "runs/seed=1,x=[2]", "output=o/p", "part=test"]
    folders = 'folders=["runs/a b","seed=0","runs/seed=1,x=[2]"]'
    assert with_folders(given) == ["output=o/p", "part=test", folders]
    assert with_folders(["folders=[a]"]) == ["folders=[a]"]
