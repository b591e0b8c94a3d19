"""Tests of ``langid evaluate streaming=true``: reports on streams of real clips."""

import json
from pathlib import Path
from typing import Any

import h5py
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from stores import seal

import langid
from langid.audio.decode import read_audio
from langid.commands.evaluate_streaming import print_tables
from langid.commands.main import main
from langid.data.text_columns import columns_of, write_column
from langid.streaming.streamer import StreamingIdentifier

from ..conftest import SMALL


def evaluate(output: Path, checkpoint: object, store: Path, *overrides: str) -> int:
    arguments = [f"checkpoint={checkpoint}", f"store={store}", f"output={output}"]
    return main(["evaluate", *arguments, "streaming=true", *overrides])


def report_in(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "streaming.json").read_text())
    return report


@pytest.fixture(scope="module")
def folder(
    checkpoint_path: Path,
    model_path: Path,
    store_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return the report on the test part, heard through the exported file."""
    output = tmp_path_factory.mktemp("streaming")
    assert evaluate(output, checkpoint_path, store_path, f"exported={model_path}") == 0
    return output


def test_every_condition_is_reported_with_intervals(folder: Path) -> None:
    report = report_in(folder)
    offline = json.loads((folder / "report.json").read_text())
    conditions = report["conditions"]
    assert list(conditions) == ["offline", "reset", "mixed", "same"]
    for metric in ("accuracy", "balanced_accuracy"):
        assert conditions["offline"][metric] == pytest.approx(offline[metric])
        # Features of the store are float16, so a mean on the edge could tip over; none does here.
        assert conditions["reset"][metric]["value"] == offline[metric]["value"]
        behind = conditions["reset"]["behind"][metric]
        assert behind["value"] == 0
        if metric == "accuracy":  # nowhere apart, but of six speakers alone
            assert -1 < behind["low"] < 0 < behind["high"] < 1
        else:
            assert behind["low"] is None and "English: 2 speakers" in behind["reason"]
    for name in ("mixed", "same"):
        condition = conditions[name]
        assert condition["clips"] == 3 * report["clips"] == 18
        lost = conditions["offline"]["accuracy"]["value"] - condition["accuracy"]["value"]
        assert condition["behind"]["accuracy"]["value"] == pytest.approx(lost)
        spans = report["since_reset"][name]
        assert sum(span["clips"] for span in spans) == 18
        right = sum(span["clips"] * span["accuracy"]["value"] for span in spans)
        assert right / 18 == pytest.approx(condition["accuracy"]["value"])
    assert conditions["mixed"]["streams"] == 3
    assert conditions["same"]["streams"] == 9
    assert [row["seconds"] for row in report["by_speech"]] == [0.5, 1, 2, 3, 5, 10]
    speakers = report["by_speech_of_speakers"]  # each with one clip here
    assert speakers[:4] == report["by_speech"][:4]
    assert report["by_speech"][-1]["all"]["value"] == conditions["reset"]["accuracy"]["value"]


def test_thresholds_come_from_the_validation_part_alone(
    folder: Path, checkpoint_path: Path, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "200")
    assert evaluate(tmp_path, checkpoint_path, store_path, "part=validation") == 0  # in PyTorch
    on_test, on_validation = report_in(folder), report_in(tmp_path)
    assert on_test["thresholds_chosen_on"]["part"] == "validation"
    assert on_test["part"] == "test"
    for row, own in zip(on_test["decisions"], on_validation["decisions"], strict=True):
        assert row["decide_at"] == own["decide_at"]
        assert row["validation"] == own["validation"]
        if own["measured"] is not None:  # the same clips: what was promised is kept
            assert own["measured"]["error"]["value"] <= row["error_rate"]
            assert own["measured"]["decided"] == own["validation"]["decided"]
    out = capsys.readouterr().out
    for words in (
        "streamed without reset, classes mixed", "0 to 30, one class", "0.5 s",
        "time to decision; thresholds chosen on", "chosen on the part itself: take part=test",
        f"streams   {tmp_path / 'streaming.csv'}",
    ):  # fmt: skip
        assert words in out


def test_a_narrow_terminal_cuts_no_figure(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_tables(report_in(folder))
    out = capsys.readouterr().out
    assert "0.5 s" in out and "…" not in out


def test_table_and_picture(folder: Path) -> None:
    report, table = report_in(folder), pd.read_csv(folder / "streaming.csv")
    assert list(table) == ["figure", "of", "value", "low", "high", "reason", "clips"]
    row = table[(table["figure"] == "balanced_accuracy behind") & (table["of"] == "mixed")]
    expected = report["conditions"]["mixed"]["behind"]["balanced_accuracy"]["value"]
    assert row["value"].item() == pytest.approx(expected, abs=1e-6)
    assert (table["of"] == "after 0.5 s of speech").sum() == 1
    picture = matplotlib.image.imread(folder / "streaming.png")
    assert picture.shape[0] > 300 and picture[..., :3].std() > 0.05


def test_what_cannot_be_streamed_is_refused(
    checkpoint_path: Path, model_path: Path, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def error(checkpoint: object = checkpoint_path, *overrides: str) -> str:
        assert evaluate(tmp_path, checkpoint, store_path, *overrides) == 2
        return capsys.readouterr().err

    both = f"[{checkpoint_path},{checkpoint_path}]"
    assert "streaming=true: takes one checkpoint, 2 were given" in error(both)
    assert "part=all: with streaming=true accepted are test, validation" in error(
        checkpoint_path, "part=all"
    )
    assert f"exported={model_path}: is for streaming=true" in error(
        checkpoint_path, "streaming=false", f"exported={model_path}"
    )
    bad = tmp_path / "none.onnx"
    assert f"exported={bad}: no such file" in error(checkpoint_path, f"exported={bad}")
    changed = torch.load(checkpoint_path, weights_only=True)
    changed["state_dict"]["network.head.output.bias"] += 1
    torch.save(changed, tmp_path / "other.ckpt")
    message = error(tmp_path / "other.ckpt", f"exported={model_path}")
    assert f"exported={model_path}: its weights (SHA-256 " in message
    assert f"are not those of {tmp_path}/other.ckpt (" in message
    changed["langid"]["split"] = {"_target_": "langid.corpora.splits.SequenceSplit"}
    torch.save(changed, tmp_path / "sequences.ckpt")
    assert "split of this training cuts utterances" in error(tmp_path / "sequences.ckpt")
    assert not (tmp_path / "streaming.json").exists()


def test_clips_that_have_gone_are_named(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.h5"
    moved.write_bytes(store_path.read_bytes())
    with h5py.File(moved, "r+") as file:
        paths = columns_of(file)["path"]
        del file["path"], file["path.rows"]
        write_column(file, "path", (f"/gone/{Path(path).name}" for path in paths))
    seal(moved)
    assert evaluate(tmp_path / "out", checkpoint_path, moved) == 2
    message = capsys.readouterr().err
    assert "streaming=true hears the clips again" in message
    assert "/gone/common_voice" in message


@pytest.fixture(scope="module")
def pooled(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a network that answers by all that it has heard."""
    run = tmp_path_factory.mktemp("pooled") / "run"
    keys = [*SMALL, "model.network.pooling_frames=100", "loss.unit=utterance"]
    assert main(["train", "experiment=gru", f"store={store_path}", f"output={run}", *keys]) == 0
    return run / "checkpoints" / "best.ckpt"


def test_a_network_that_pools_is_scored_by_its_last_frame(
    pooled: Path, store_path: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    """Whole clips, streams and the exported file: the file says so to what runs it."""
    model = tmp_path / "model.onnx"
    assert main(["export", f"checkpoint={pooled}", f"output={model}"]) == 0
    stream, identifier = StreamingIdentifier.load(model), langid.load(pooled)
    assert stream.model.metadata["cumulative"] and stream.settings.half_life_s == 0
    samples = read_audio(real_clips[0], 16000)
    samples = samples[: len(samples) // 160 * 160]
    stream.feed(samples)
    posteriors, speech = identifier.posteriors(torch.from_numpy(samples)[None])
    expected = posteriors[0, speech[0]][-1].numpy()
    found = list(stream.decision.posteriors.values())
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert evaluate(tmp_path / "test", pooled, store_path, f"exported={model}") == 0
    conditions = report_in(tmp_path / "test")["conditions"]
    offline, reset = (conditions[name]["accuracy"]["value"] for name in ("offline", "reset"))
    assert reset == pytest.approx(offline, abs=0.1)
