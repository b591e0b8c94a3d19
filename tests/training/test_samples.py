"""Training and evaluation from stores of samples."""

import json
from pathlib import Path

import numpy as np
import pytest

from langid.commands.main import main
from langid.evaluation.predictions import predict_part
from langid.signal.waveform_augment import RandomGain
from langid.training.checkpoint import read_checkpoint

from ..conftest import SMALL


def test_posteriors_are_those_from_stored_features(
    checkpoint_path: Path, store_path: Path, samples_path: Path
) -> None:
    stored, made = (
        predict_part([checkpoint_path], store, "all").table for store in (store_path, samples_path)
    )
    assert list(stored["utterance_id"]) == list(made["utterance_id"])
    names = [name for name in stored if name.startswith("p(")]
    assert len(names) == 3
    assert np.abs(stored[names] - made[names]).to_numpy().max() < 1e-3
    assert list(stored["predicted"]) == list(made["predicted"])


@pytest.mark.parametrize("policy", ["mask", "remove"])
def test_a_run_from_samples_is_that_from_features(
    policy: str, store_path: Path, samples_path: Path, tmp_path: Path
) -> None:
    records = []
    for store in (store_path, samples_path):
        output = tmp_path / store.stem
        parts = ["experiment=gru", f"store={store}", f"output={output}", f"silence={policy}"]
        assert main(["train", *parts, *SMALL]) == 0
        records.append(json.loads((output / "run.json").read_text()))
    first, second = records
    assert first["best"]["loss"] == pytest.approx(second["best"]["loss"], abs=2e-3)
    assert first["class_frames"] == second["class_frames"]
    best = tmp_path / samples_path.stem / "checkpoints" / "best.ckpt"
    parts = [f"checkpoint={best}", f"store={samples_path}", f"output={tmp_path}/test"]
    assert main(["evaluate", *parts]) == 0
    assert json.loads((tmp_path / "test" / "report.json").read_text())["clips"] > 0


def test_gain_is_drawn_in_training_alone_and_stands_in_the_checkpoint(
    samples_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {True: 0, False: 0}
    forward = RandomGain.forward

    def counted(module: RandomGain, samples: object) -> object:
        drawn[module.training] += 1
        return forward(module, samples)  # type: ignore[arg-type]

    monkeypatch.setattr(RandomGain, "forward", counted)
    parts = ["experiment=gru", f"store={samples_path}", f"output={tmp_path}/run", "waveform=gain"]
    assert main(["train", *parts, *SMALL, "trainer.max_epochs=1"]) == 0
    assert drawn[True] and drawn[False]
    description = read_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")["langid"]
    assert description.waveform["gain_db"] == 6


def test_gain_needs_samples(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["experiment=gru", f"store={store_path}", f"output={tmp_path}/run", "waveform=gain"]
    assert main(["train", *parts, *SMALL]) == 2
    message = capsys.readouterr().err
    assert "RandomGain: changes samples" in message
    assert "prepare one with content=samples, or take waveform=none" in message
