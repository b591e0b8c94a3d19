"""Training and evaluation from stores of samples."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from langid.commands.main import main
from langid.evaluation.predictions import predict_part
from langid.signal.acoustics.chain import Acoustics
from langid.signal.acoustics.sound import Draws, Sound
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


FEW = ("data.batch_size=8", "trainer.accelerator=cpu", "~callbacks.pictures", *SMALL[:2])


def test_a_run_in_the_field_can_be_resumed_in_the_same_acoustics_alone(
    samples_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "experiment=gru", *FEW, "waveform=field", f"store={samples_path}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*arguments, f"output={whole}", "trainer.max_epochs=2"]) == 0
    assert main([*arguments, f"output={stopped}", "trainer.max_epochs=1"]) == 0
    resumed = [*arguments, f"resume={stopped}/checkpoints/last.ckpt", "trainer.max_epochs=2"]
    capsys.readouterr()
    assert main([*resumed, "waveform.gain.probability=0.3"]) == 2
    assert "waveform.gain.probability: the checkpoint has 0.8, asked is 0.3" in (
        capsys.readouterr().err
    )
    assert main([*resumed, "data.workers=2"]) == 0
    expected, found = (
        read_checkpoint(run / "checkpoints" / "last.ckpt") for run in (whole, stopped)
    )
    assert expected["langid"].waveform["noise"]["snr_db"] == [3, 35]
    for name, weights in expected["state_dict"].items():
        assert torch.equal(weights, found["state_dict"][name]), name


def test_acoustics_are_of_training_alone(
    samples_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = 0
    call = Acoustics.__call__

    def counted(chain: Acoustics, sound: Sound, draws: Draws) -> object:
        nonlocal changed
        changed += 1
        return call(chain, sound, draws)

    monkeypatch.setattr(Acoustics, "__call__", counted)
    arguments = ["train", "experiment=gru", *FEW, "waveform=light", f"store={samples_path}"]
    assert main([*arguments, f"output={tmp_path}/run", "trainer.max_epochs=1"]) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert changed == sum(record["sequences"]["per_epoch"])
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    predict_part([best], samples_path, "train")
    assert changed == sum(record["sequences"]["per_epoch"])


def test_acoustics_need_samples(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["experiment=gru", f"store={store_path}", f"output={tmp_path}/run", "waveform=light"]
    assert main(["train", *parts, *SMALL]) == 2
    message = capsys.readouterr().err
    assert "waveform=Acoustics: changes samples" in message
    assert "prepare one with content=samples, or take waveform=none" in message


def test_a_folder_of_noise_that_is_not_there_is_told_before_training(
    samples_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ["experiment=gru", f"store={samples_path}", f"output={tmp_path}/run", "waveform=field"]
    assert main(["train", *parts, f"waveform.noise.folder={tmp_path}/musan"]) == 2
    assert f"waveform.noise.folder={tmp_path}/musan: no such folder" in capsys.readouterr().err
    assert not (tmp_path / "run" / "checkpoints").exists()
