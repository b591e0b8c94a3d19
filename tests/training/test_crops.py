"""Training on crops: data.crop_s=[SHORTEST,LONGEST]."""

from pathlib import Path

import pytest
import torch

from langid.commands.main import main
from langid.training.checkpoint import read_checkpoint

TINY = (
    "data.batch_size=16", "trainer.accelerator=cpu", "data.crop_s=[0.5,2]", "~callbacks.pictures",
    "callbacks.early_stopping.patience=99",
)  # fmt: skip


@pytest.mark.parametrize(
    ("model", "kind", "more"),
    [
        ("cnn", "features", ()),
        ("gru", "samples", ()),
        ("gru", "features", ("model.stride=4", "loss.unit=utterance", "silence=remove")),
    ],
)
def test_a_run_on_crops_can_be_resumed_with_the_same_crops_alone(
    model: str,
    kind: str,
    more: tuple[str, ...],
    store_path: Path,
    samples_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = {"features": store_path, "samples": samples_path}[kind]
    arguments = ["train", "experiment=gru", f"model={model}", *TINY, *more, f"store={store}"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*arguments, f"output={whole}", "trainer.max_epochs=2"]) == 0
    assert main([*arguments, f"output={stopped}", "trainer.max_epochs=1"]) == 0
    resumed = [*arguments, f"resume={stopped}/checkpoints/last.ckpt", "trainer.max_epochs=2"]
    capsys.readouterr()
    assert main([*resumed, "data.crop_s=[0.5,3]"]) == 2
    assert "data.crop_s: the checkpoint has [0.5, 2], asked is [0.5, 3]" in capsys.readouterr().err
    assert main([*resumed, "data.workers=1"]) == 0
    expected, found = (
        read_checkpoint(run / "checkpoints" / "last.ckpt") for run in (whole, stopped)
    )
    assert expected["langid"].data["crop_s"] == [0.5, 2]
    for name, weights in expected["state_dict"].items():
        assert torch.equal(weights, found["state_dict"][name]), name
