"""Tests of langid/training/init.py: what a run takes over from a trained network."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from langid.commands.configuration import compose, resolved
from langid.commands.main import main
from langid.commands.text_keys import readable
from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, write_table
from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint
from langid.training.init import shared_with
from langid.training.resume import State, state_of
from langid.training.run import train
from langid.training.run_description import data_of
from langid.training.run_record import RunRecord

from ..conftest import RELEASE, SMALL, Once

TWELVE = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "nl", "pl", "pt", "ru")
OF_EACH = 4
SHORT = (*SMALL, "split.fractions=[0.5,0.5,0]", "~logger", "~callbacks.epoch_line")
HEAD = ("network.head.output.weight", "network.head.output.bias")


@pytest.fixture(scope="session")
def pretrained(data_root: Path, once: Once) -> Path:
    """Return the checkpoint of a short training on a few clips of each of twelve locales."""

    def learn(folder: Path) -> None:
        rows, chosen = CommonVoice(str(data_root / RELEASE), TWELVE).read().utterances, []
        for language in sorted({row["language"] for row in rows}):
            by_speaker = {row["speaker"]: row for row in rows if row["language"] == language}
            chosen += list(by_speaker.values())[:OF_EACH]
        write_table(chosen, COLUMNS, folder / "twelve.tsv")
        store = f"store={folder}/twelve.h5"
        corpus = ["corpus=manifest", f"corpus.path={folder}/twelve.tsv"]
        assert main(["prepare", *corpus, store, "workers=1"]) == 0
        assert main(["train", "experiment=gru", store, f"output={folder}/run", *SHORT]) == 0

    return once("pretrained", learn) / "run" / "checkpoints" / "best.ckpt"


class FirstWeights(Callback):
    """Keeps the weights of before the first step."""

    def on_train_start(self, _: Trainer, module: LightningModule) -> None:
        self.weights = {name: value.clone() for name, value in module.state_dict().items()}


Train = Callable[..., tuple[RunRecord, dict[str, Tensor]]]


@pytest.fixture
def trio(store_path: Path, tmp_path: Path) -> Train:
    """Return a function that trains on the trio: record, and weights before the first step."""

    def run(*overrides: str) -> tuple[RunRecord, dict[str, Tensor]]:
        first = FirstWeights()
        record = train(configuration(store_path, tmp_path / "run", *overrides), [first])
        assert record is not None
        return record, first.weights

    return run


def configuration(store: Path, output: Path, *overrides: str) -> dict[str, Any]:
    typed = ["experiment=gru", f"store={store}", *SHORT, *overrides]
    return resolved(compose("train", [readable("train", item) for item in typed]), output)


def weights_of(path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return weights


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize(
    ("typed", "checkpoint"),
    [
        (["init=runs/ä b/best.ckpt"], "runs/ä b/best.ckpt"),
        (["init=2024", "init.head=new"], "2024"),
        (["init.checkpoint=best.ckpt"], "best.ckpt"),
        (["init={checkpoint: best.ckpt}"], "best.ckpt"),
        (["init=default"], None),
        (["init=null"], None),
        ([], None),
    ],
)
def test_the_checkpoint_is_typed_in_either_form(typed: list[str], checkpoint: str | None) -> None:
    config = compose("train", ["store=s.h5", *(readable("train", item) for item in typed)])
    assert config.init.checkpoint == checkpoint
    assert config.init.head == ("new" if len(typed) > 1 else None)


def test_three_languages_start_from_twelve(pretrained: Path, trio: Train, tmp_path: Path) -> None:
    there = weights_of(pretrained)
    record, first = trio(f"init={pretrained}")
    names = [name for name in first if name.startswith(("network.", "normaliser."))]
    assert changed({name: first[name] for name in names if name not in HEAD}, there) == set()
    assert len(names) > 8 and all(first[name].shape[0] == 3 for name in HEAD)
    assert record.start["classes"] == read_checkpoint(pretrained)["langid"].classes
    assert len(record.start["classes"]) == 12
    assert record.start["new"] == record.start["left"] == {"network.head.output": 2}
    assert record.start["taken"]["network.layers"] == 4 and record.start["frozen"] == {}
    assert record.init is not None and record.init["head"] == "new"
    assert record.init["shared"] is None  # it learned from another store
    trained = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert trained["langid"].init == record.init
    learnt = changed({name: first[name] for name in names}, trained["state_dict"])
    assert learnt == {name for name in names if name.startswith("network.")}


def test_what_is_new_is_as_without_a_start(pretrained: Path, trio: Train, tmp_path: Path) -> None:
    first = trio(f"init={pretrained}")[1]
    shutil.move(tmp_path / "run", tmp_path / "started")
    assert changed({name: first[name] for name in HEAD}, trio()[1]) == set()


def test_the_same_classes_keep_their_head(checkpoint_path: Path, trio: Train) -> None:
    record, first = trio(f"init={checkpoint_path}", "init.normaliser=refit")
    there = weights_of(checkpoint_path)
    assert not set(HEAD) & changed({name: first[name] for name in HEAD}, there)
    assert record.init is not None and record.init["head"] == "keep"
    assert "normaliser" not in record.start["taken"]
    assert {"normaliser.shift", "normaliser.scale"} <= changed(first, there)


def test_a_new_head_may_be_asked_for(checkpoint_path: Path, trio: Train) -> None:
    record, first = trio(f"init={checkpoint_path}", "init.head=new")
    assert set(HEAD) <= changed(first, weights_of(checkpoint_path))
    assert record.start["new"] == {"network.head.output": 2}


def test_what_a_start_has_heard_of_the_held_out_parts_is_counted(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, report = tmp_path / "run", tmp_path / "report"
    typed = ["experiment=gru", f"store={store_path}", f"output={run}", *SHORT]
    assert main(["train", *typed, f"init={checkpoint_path}"]) == 0
    said, record = capsys.readouterr().out, RunRecord.read(run)
    assert record.init is not None
    parts = [data_of(of).parts for of in (read_checkpoint(checkpoint_path)["langid"], record)]
    heard, held_out = (
        set(of["row"][of["part"].isin(names)])
        for of, names in zip(parts, (["train"], ["validation", "test"]), strict=True)
    )
    both = len(heard & held_out)
    assert both > 0 and record.split_summary["shared"]["speakers"] == 0
    counts = {"speakers": both, "recordings": 0, "utterances": both, "unknown_speakers": 0}
    assert record.init["shared"] == counts  # a clip a speaker
    told = f"{both} speakers, 0 recordings, {both} utterances"
    assert f"  heard      {told} of the validation and test parts\n" in said

    scored = [f"checkpoint={run}/checkpoints/best.ckpt", f"store={store_path}", f"output={report}"]
    assert main(["evaluate", *scored, "part=validation", "accelerator=cpu"]) == 0
    assert json.loads((report / "report.json").read_text())["shared_with_start"] == counts
    page = (report / "report.html").read_text()
    assert f"no speaker was heard in training, but {both} by what it began from" in page
    assert f"with what it began from: {told}" in page

    again = SimpleNamespace(init={"sha256": ""}, teacher=None)  # one that stands on another
    assert shared_with(again, data_of(record)) is None  # type: ignore[arg-type]


def test_what_is_frozen_stays(pretrained: Path, trio: Train, tmp_path: Path) -> None:
    record, first = trio(f"init={pretrained}", "init.freeze=[network.layers,network.head.dense]")
    last = weights_of(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert {name for name in changed(first, last) if name.startswith("network")} == set(HEAD)
    assert set(record.start["frozen"]) == {"network.layers", "network.head.dense"}


def test_running_means_of_frozen_layers_stay(store_path: Path, tmp_path: Path) -> None:
    typed = [f"store={store_path}", "model=crnn", *SHORT[2:], "trainer.max_epochs=1"]
    train(resolved(compose("train", typed), tmp_path / "first"))
    typed += [f"init.checkpoint={tmp_path}/first/checkpoints/last.ckpt"]
    typed += ["init.freeze=[network.blocks]", "trainer.max_epochs=2"]
    first = FirstWeights()
    train(resolved(compose("train", typed), tmp_path / "second"), [first])
    last = weights_of(tmp_path / "second" / "checkpoints" / "last.ckpt")
    held = {name for name in last if name.startswith("network.blocks.")}
    assert any(name.endswith("running_mean") for name in held)
    assert changed(first.weights, last) == {name for name in last if "network" in name} - held


def test_a_run_that_is_resumed_ends_with_the_same_weights(
    pretrained: Path, store_path: Path, tmp_path: Path
) -> None:
    start = [f"init={pretrained}", "init.freeze=[network.layers]"]

    def run(folder: Path, epochs: int, *more: str) -> dict[str, Tensor]:
        overrides = [*start, f"trainer.max_epochs={epochs}", *more]
        train(configuration(store_path, folder, *overrides))
        return weights_of(folder / "checkpoints" / "last.ckpt")

    whole, halves = tmp_path / "whole", tmp_path / "halves"
    expected = run(whole, 3)
    run(halves, 1)
    resume = f"resume={halves}/checkpoints/last.ckpt"
    with pytest.raises(LangidError, match=r"init\.freeze: the checkpoint has .*'network\.layers'"):
        run(halves, 3, resume, "init.freeze=[]")
    assert changed(expected, run(halves, 3, resume)) == set()
    moved = tmp_path / "moved.ckpt"
    shutil.copy(pretrained, moved)
    config = configuration(store_path, whole, f"init={moved}", *start[1:], "trainer.max_epochs=3")
    assert state_of(whole, config).state is State.FINISHED
    other = torch.load(moved, weights_only=True)
    torch.save(other | {"more": 1}, moved)
    held = state_of(whole, config)
    assert held.state is State.OTHER and "SHA-256 of init: the run has" in held.differs[0]


def test_the_command_says_what_it_takes(
    pretrained: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["train", "experiment=gru", f"store={store_path}", f"output={tmp_path}/run", *SHORT]
    assert main([*typed, f"init={pretrained}", "init.freeze=[network.layers]"]) == 0
    out = capsys.readouterr().out.replace("\n", " ")
    assert f"init {pretrained}: 12 classes, init.head=new" in out
    assert re.search(r"taken +network\.layers \(4\), network\.head\.dense \(2\), normaliser", out)
    assert re.search(r"new +network\.head\.output \(2\)", out)
    assert re.search(r"left +network\.head\.output \(2\)", out)
    assert re.search(r"frozen +network\.layers \(4\)", out)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["init"]["sha256"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["init.head=keep"],
            r"init\.head=keep: .*best\.ckpt knows Arabic, .*learns English, Hindi",
        ),
        (["init.head=both"], r"init\.head=both: accepted are null, keep, new"),
        (["init.normaliser=none"], r"init\.normaliser=none: accepted are keep, refit"),
        (["init.freeze=network.layers"], r"init\.freeze=network\.layers: expected a list"),
        (
            ["init.freeze=[network.lay]"],
            r"no parameter is named network\.lay or below it; accepted are network\.layers, ",
        ),
        (["init.freeze=[network]"], "all parameters are frozen"),
        (["model.network.units=25", "model.network.dense=13"], "nothing of its network GRU fits"),
        (["init=null", "init.freeze=[network.layers]"], "belong to init=CHECKPOINT"),
        (["init=gone.ckpt"], r"init=gone\.ckpt: no such file"),
    ],
)
def test_what_cannot_be_is_refused(
    pretrained: Path, store_path: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    typed = [f"init={pretrained}", *overrides]
    with pytest.raises(LangidError, match=message):
        train(configuration(store_path, tmp_path / "run", *typed))


def test_a_file_that_is_no_checkpoint_is_refused(store_path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("hello")
    with pytest.raises(LangidError, match=r"init=.*text\.ckpt: damaged or not a checkpoint"):
        train(configuration(store_path, tmp_path / "run", f"init={tmp_path}/text.ckpt"))


def test_nothing_of_the_file_is_built(
    pretrained: Path, store_path: Path, tmp_path: Path, trio: Train
) -> None:
    """Its description may name anything: only the network of the run itself is made."""
    checkpoint = torch.load(pretrained, weights_only=True)
    checkpoint["langid"]["model"]["network"] = {"_target_": "os.system", "command": "false"}
    torch.save(checkpoint, tmp_path / "odd.ckpt")
    assert trio(f"init={tmp_path}/odd.ckpt")[0].start["taken"]["network.layers"] == 4
