"""langid share, and the folder as the checkpoint of every command that takes one."""

import json
from pathlib import Path

import pytest

from langid.commands.main import main


@pytest.fixture(scope="module")
def given(
    checkpoint_path: Path, report_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a shared folder with figures in its card."""
    folder = tmp_path_factory.mktemp("shared") / "given"
    arguments = [f"checkpoint={checkpoint_path}", f"report={report_path}", f"output={folder}"]
    assert main(["share", *arguments]) == 0
    return folder


def test_figures_stand_in_the_card_and_what_is_there_is_refused(
    given: Path, checkpoint_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = (given / "README.md").read_text()
    assert "model-index" in card and "Nothing was measured" not in card
    assert main(["share", f"checkpoint={checkpoint_path}", f"output={given}"]) == 2
    assert f"output={given}: is there already" in capsys.readouterr().err


def test_every_command_takes_the_folder(
    given: Path,
    checkpoint_path: Path,
    store_path: Path,
    report_path: Path,
    real_clips: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint, store = f"checkpoint={given}", f"store={store_path}"
    assert main(["evaluate", checkpoint, store, f"output={tmp_path}", "accelerator=cpu"]) == 0
    own, theirs = (json.loads((path / "report.json").read_text()) for path in
                   (report_path.parent, tmp_path))  # fmt: skip
    assert theirs == own
    calibrated = f"output={tmp_path}/calibrated.ckpt"
    assert main(["calibrate", checkpoint, store, calibrated, "accelerator=cpu"]) == 0
    exported = [f"output={tmp_path}/model.onnx", f"audio={real_clips[0]}"]
    assert main(["export", checkpoint, *exported]) == 0
    assert main(["share", checkpoint, f"output={tmp_path}/again", f"audio={real_clips[0]}"]) == 0
    weights = "model.safetensors"
    assert (tmp_path / "again" / weights).read_bytes() == (given / weights).read_bytes()
    run = ["experiment=gru", store, "model.network.units=24", "model.network.dense=12",
           "trainer.max_epochs=1", "trainer.accelerator=cpu"]  # fmt: skip
    assert main(["train", *run, f"init={given}", f"output={tmp_path}/run"]) == 0
    capsys.readouterr()
    assert main(["train", *run, f"resume={given}", f"output={tmp_path}/other"]) == 2
    assert f"resume={given}: is a folder" in capsys.readouterr().err


def test_a_folder_of_others_is_refused(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    arguments = [f"checkpoint={tmp_path}/other", f"store={store_path}", f"output={tmp_path}/out"]
    assert main(["evaluate", *arguments]) == 2
    assert "is a folder without config.json; expected a checkpoint" in capsys.readouterr().err


def test_a_probe_scores_a_store_whose_encoder_lay_elsewhere(
    probe_path: Path,
    states_path: Path,
    encoder_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGID_MODELS", str(encoder_path.parent))
    given, out = tmp_path / "given", tmp_path / "out"
    assert main(["share", f"checkpoint={probe_path}", f"output={given}"]) == 0
    arguments = [f"checkpoint={given}", f"store={states_path}", f"output={out}", "accelerator=cpu"]
    assert main(["evaluate", *arguments]) == 0
    assert json.loads((out / "report.json").read_text())["support"] > 0
