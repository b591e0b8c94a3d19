"""Tests of langid/commands/first_step.py; a whole line is trained in tests/test_experiments.py."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

import langid
from langid.commands.configuration import compose, resolved
from langid.commands.first_step import (
    after_first_step,
    first_step,
    overrides_of_first_step,
)
from langid.errors import LangidError

TYPED = [
    "experiment=best_stream", "store=a.h5", "teacher.checkpoint=whisper", "seed=1",
    "split.unlabelled=[French]", "~callbacks.pictures", "+trainer.limit_train_batches=1",
    "optimizer.lr=0.1", "output=run", "waveform=field",
]  # fmt: skip


def test_what_is_typed_goes_for_the_first_step_but_for_how_it_learns(tmp_path: Path) -> None:
    config = resolved(compose("train", TYPED), tmp_path)
    assert first_step(config) == "sounds"
    own = overrides_of_first_step(config, TYPED)
    kept = [item for item in TYPED if not item.startswith(("experiment", "optim", "out", "wave"))]
    assert own == ["experiment=sounds", *kept, f"output={tmp_path}/sounds"]
    first = resolved(compose("train", own), tmp_path / "sounds")
    assert first_step(first) is None and after_first_step(first) == first
    assert first["optimizer"]["lr"] == 0.004 and first["teacher"]["checkpoint"] == "whisper"


def test_the_run_begins_from_it_and_has_no_teacher_itself(tmp_path: Path) -> None:
    config = after_first_step(resolved(compose("train", TYPED), tmp_path))
    last = tmp_path / "sounds" / "checkpoints" / "last.ckpt"
    assert (config["init"]["checkpoint"], config["init"]["head"]) == (str(last), "new")
    assert config["teacher"]["checkpoint"] is None and config["split"]["unlabelled"] == []
    taught = after_first_step(resolved(compose("train", [*TYPED, "loss=distillation"]), tmp_path))
    assert taught["teacher"]["checkpoint"] == "whisper"
    assert taught["split"]["unlabelled"] == ["French"]


@pytest.mark.parametrize("more", ["init.checkpoint=best.ckpt", "init.experiment=null"])
def test_none_comes_first_where_a_checkpoint_or_none_is_given(more: str, tmp_path: Path) -> None:
    config = resolved(compose("train", [*TYPED, more]), tmp_path)
    assert first_step(config) is None and after_first_step(config) == config


def test_a_whole_configuration_has_no_line_to_train_it_from(
    samples_path: Path, tmp_path: Path
) -> None:
    keys = [
        "experiment=best_stream",
        f"store={samples_path}",
        f"output={tmp_path}",
        "features=mfcc",
    ]
    config = OmegaConf.create(OmegaConf.to_container(compose("train", keys), resolve=False))
    with pytest.raises(LangidError, match=r"init\.experiment=sounds: langid train trains it first"):
        langid.train(config)
