"""Tests of langid robustness, and of the same in langid evaluate, on real clips."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS, write_table
from langid.data.store import Store
from langid.evaluation import conditions, robustness
from langid.evaluation.asked import Asked

from ..conftest import Once


def keys(checkpoint: Path, store: Path, output: Path) -> list[str]:
    paths = [f"checkpoint={checkpoint}", f"store={store}", f"output={output}"]
    return [*paths, "accelerator=cpu"]


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "robustness.json").read_text())
    return found


@pytest.fixture(scope="module")
def folder(checkpoint_path: Path, store_path: Path, once: Once) -> Path:
    """Return what langid robustness writes of a small run, and nothing else."""

    def hear(output: Path) -> None:
        assert main(["robustness", *keys(checkpoint_path, store_path, output)]) == 0

    return once("robustness", hear)


def few(monkeypatch: pytest.MonkeyPatch, **chosen: dict[str, Any]) -> None:
    """Hear these conditions alone, and two sounds without speech of each kind."""
    for module in (conditions, robustness):
        monkeypatch.setattr(module, "CONDITIONS", chosen)
    monkeypatch.setattr(conditions, "SPEECHLESS_CLIPS", 2)


def test_clean_is_what_evaluate_reports(folder: Path, report_path: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["robustness.html", "robustness.json"]
    found, report = read(folder), json.loads(report_path.read_text())
    clean, *others = found["conditions"]
    for name in ("balanced_accuracy", "accuracy", "nll", "ece"):
        assert clean[name] == report[name], name
    assert clean["difference"] is None and clean["no_speech"] == 0
    assert [one["name"] for one in others] == list(conditions.CONDITIONS)
    for one in others:
        change = one["balanced_accuracy"]["value"] - clean["balanced_accuracy"]["value"]
        assert one["difference"]["value"] == pytest.approx(change)
        assert one["nll"] != clean["nll"], one["name"]  # it was heard changed
    assert found["checkpoints"] == report["checkpoints"]


def test_nobody_speaks_in_silence_and_what_is_said_is_counted(folder: Path) -> None:
    said = {one["name"]: one for one in read(folder)["without_speech"]}
    assert said["digital silence"]["named"] == 0
    assert said["digital silence"]["no_speech"] == said["digital silence"]["clips"] == 50
    for one in said.values():
        assert one["named"] == one["clips"] - one["no_speech"]  # unknown_below=0 rejects none
        assert sum(one["said"].values()) == one["clips"] and 1 / 3 <= one["confidence"] <= 1


def test_pauses_alone_are_heard_as_a_store_of_them_is(
    folder: Path, checkpoint_path: Path, store_path: Path, report_path: Path, tmp_path: Path
) -> None:
    """Written to files and prepared so that every frame counts, they are said to be the same."""
    pauses, store, rows = read(folder)["pauses"], Store(store_path), []
    tested = pd.read_csv(report_path.parent / "predictions.tsv", sep="\t")["utterance_id"]
    for number, row in enumerate(store.utterances.to_dict("records")):
        speech = store.read_speech(*store.offsets[number : number + 2])
        quiet = np.repeat(~speech, store.description["hop_samples"])
        samples = read_audio(Path(row["path"]), 16_000)[: len(quiet)]
        samples = np.pad(samples, (0, len(quiet) - len(samples)), mode="edge")[quiet]
        if row["utterance_id"] in set(tested) and len(samples) >= 8_000:
            path = tmp_path / f"{number}.wav"
            soundfile.write(path, samples, 16_000)
            rows.append({name: str(row[name]) for name in COLUMNS} | {"path": str(path)})
    assert pauses["clips"] == len(rows) > 0
    write_table([row | {"duration_s": ""} for row in rows], COLUMNS, tmp_path / "pauses.tsv")
    made = tmp_path / "made.h5"
    corpus = ["corpus=manifest", f"corpus.path={tmp_path}/pauses.tsv", f"store={made}"]
    assert main(["prepare", *corpus, "detector=every_frame", "workers=1"]) == 0
    with h5py.File(made, "r+") as file:  # a network hears stores of its own detector alone
        file.attrs["description"] = json.dumps(store.description)
    assert main(["evaluate", *keys(checkpoint_path, made, tmp_path / "e"), "part=all"]) == 0
    heard = json.loads((tmp_path / "e" / "report.json").read_text())
    assert heard["balanced_accuracy"] == pauses["balanced_accuracy"]
    assert heard["nll"]["value"] == pytest.approx(pauses["nll"]["value"], rel=1e-3)
    assert pauses["chance"] == pytest.approx(1 / 3)
    assert f"{pauses['balanced_accuracy']['value']:.3f}" in (folder / "robustness.html").read_text()


def test_where_no_clip_has_pauses_it_is_said(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few(monkeypatch, nothing={"gain": {"db": [0, 0]}})
    for module in (conditions, robustness):
        monkeypatch.setattr(module, "PAUSES_S", 100.0)
    assert main(["robustness", *keys(checkpoint_path, store_path, tmp_path)]) == 0
    assert read(tmp_path)["pauses"] is None
    assert "No clip has pauses of 100 s" in capsys.readouterr().out


def test_the_page_shows_all_of_it(folder: Path) -> None:
    page = (folder / "robustness.html").read_text()
    for name in (*conditions.CONDITIONS, *conditions.SPEECHLESS):
        assert f'<th scope="row">{name}</th>' in page
    assert 'role="img" aria-label="Change of balanced accuracy in each condition' in page
    assert "Balanced accuracy is " in page and "nan" not in page.lower()
    assert "http" not in page.replace("http://www.w3.org", "")


def test_evaluate_shows_the_same(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, softer={"gain": {"db": [-20, -20]}})
    one, two = tmp_path / "robustness", tmp_path / "evaluate"
    assert main(["robustness", *keys(checkpoint_path, store_path, one)]) == 0
    more = ["robustness=true", "seconds=[]"]
    assert main(["evaluate", *keys(checkpoint_path, store_path, two), *more]) == 0
    assert read(two) == read(one)
    assert ">In other acoustics</h2>" in (two / "report.html").read_text()


@pytest.mark.parametrize("kind", ["store_path", "samples_path"])
def test_what_is_not_changed_is_heard_as_it_was(
    kind: str, request: pytest.FixtureRequest, checkpoint_path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    few(monkeypatch, nothing={"gain": {"db": [0, 0]}}, softer={"gain": {"db": [-20, -20]}})
    store = request.getfixturevalue(kind)
    asked = Asked(checkpoints=[checkpoint_path], store=store, part="all", accelerator="cpu")
    clean, nothing, softer = robustness.robustness(asked, asked.predictions("all", None), tmp_path)[
        "conditions"
    ]
    assert nothing["nll"]["value"] == pytest.approx(clean["nll"]["value"], rel=1e-4)
    assert abs(softer["nll"]["value"] - clean["nll"]["value"]) > 1e-4
    assert nothing["difference"]["value"] == 0
    assert not list(tmp_path.iterdir())


def test_folds_are_each_heard_by_their_own_checkpoint(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch, nothing={"gain": {"db": [0, 0]}})
    asked = Asked(checkpoints=[checkpoint_path], store=store_path, accelerator="cpu")
    pair = replace(asked, checkpoints=[checkpoint_path] * 2, ensemble=True)
    alone, together = (
        robustness.robustness(of, of.predictions("test", None), tmp_path)["conditions"]
        for of in (asked, pair)
    )
    for one, two in zip(alone, together, strict=True):
        assert two["nll"]["value"] == pytest.approx(one["nll"]["value"])


def test_a_threshold_rejects(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few(monkeypatch, nothing={"gain": {"db": [0, 0]}})
    arguments = keys(checkpoint_path, store_path, tmp_path)
    assert main(["robustness", *arguments, "unknown_below=1"]) == 0
    assert {one["named"] for one in read(tmp_path)["without_speech"]} == {0}
    assert "music            a class is named in 0 of 2 clips" in capsys.readouterr().out
    assert "its posterior is 1 or more" in (tmp_path / "robustness.html").read_text()
    assert main(["robustness", *arguments, "unknown_below=2"]) == 2
    assert "unknown_below=2" in capsys.readouterr().err


def test_clips_that_are_gone_are_named_and_nothing_is_left(
    real_rows: list[dict[str, str]], checkpoint_path: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    few(monkeypatch, softer={"gain": {"db": [-20, -20]}})
    rows = []
    for row in real_rows[:2]:
        copy = Path(shutil.copy(row["path"], tmp_path))
        rows.append(row | {"path": str(copy)})
    write_table(rows, COLUMNS, tmp_path / "two.tsv")
    store = tmp_path / "two.h5"
    corpus = ["corpus=manifest", f"corpus.path={tmp_path}/two.tsv", f"store={store}"]
    assert main(["prepare", *corpus, "workers=1"]) == 0
    copy.unlink()
    output = tmp_path / "out"
    assert main(["robustness", *keys(checkpoint_path, store, output), "part=all"]) == 2
    error = capsys.readouterr().err
    assert copy.name in error and "prepare and train with content=samples" in error
    assert not output.exists()


def test_what_is_not_whole_is_refused(
    checkpoint_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = keys(checkpoint_path, tmp_path / "none.h5", tmp_path / "out")  # of which to hear
    assert main(["evaluate", *nothing, "robustness=true", "heard_s=1"]) == 2
    assert "heard_s=1: robustness=true changes utterances" in capsys.readouterr().err
    checkpoint = torch.load(checkpoint_path, weights_only=True)
    checkpoint["langid"]["split"] = {"_target_": "langid.corpora.splits.SequenceSplit", "seed": 0}
    cut = tmp_path / "cut.ckpt"
    torch.save(checkpoint, cut)
    nothing[0] = f"checkpoint={cut}"
    for words in (["evaluate", *nothing, "robustness=true"], ["robustness", *nothing]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert f"checkpoint={cut}: its split, SequenceSplit, cuts utterances" in error
        assert "take part=all" in error
    assert not (tmp_path / "out").exists()
    assert main(["robustness", *nothing, "part=all"]) == 2
    assert "none.h5: no such file" in capsys.readouterr().err  # whole utterances, which it has not


def test_the_test_part_alone_is_heard(folder: Path, report_path: Path, store_path: Path) -> None:
    found, report = read(folder), json.loads(report_path.read_text())
    assert found["clips"] == report["clips"] < len(Store(store_path).utterances)
    assert np.isfinite([one["nll"]["value"] for one in found["conditions"]]).all()
