"""Somebody else's classes, from a package that lies nowhere near langid."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import forked
import pytest
from omegaconf import OmegaConf

import langid as package
from langid.build import build, trusting
from langid.commands.trust import check_trusted, trusted_packages
from langid.errors import LangidError

PARTS = """
from torch import nn
from langid.corpora.manifest_file import ManifestFile
from langid.corpora.splits import SpeakerSplit
from langid.networks.network import StreamingNetwork
from langid.signal.features import LogMel
from langid.signal.spectral_augment import Augment
from langid.signal.speech_detector import EnergyDetector
from langid.training.losses import CrossEntropy
from pytorch_lightning import Callback


class MyReader(ManifestFile):
    pass


class MyFeatures(LogMel):
    pass


class MyDetector(EnergyDetector):
    pass


class MySplit(SpeakerSplit):
    pass


class MyLoss(CrossEntropy):
    pass


class MyAugment(Augment):
    def forward(self, features, lengths):
        return features


class MyCallback(Callback):
    def on_train_end(self, trainer, module):
        print("mine:", type(module.network).__name__, type(module.loss).__name__)


class MyNet(StreamingNetwork):
    def __init__(self, bins, num_classes, units=8):
        super().__init__()
        if units < 1:
            raise ValueError(f"units={units}: accepted are 1 and more")
        self.hidden, self.output = nn.Linear(bins, units), nn.Linear(units, num_classes)

    def initial_state(self, batch_size):
        return ()

    def step(self, features, state, advance=None):
        return self.output(self.hidden(features).tanh()), state


class Broken(MyNet):
    def __init__(self, bins, num_classes):
        self.hidden.weight


class NoNetwork(nn.Module):
    def __init__(self, bins, num_classes):
        raise SystemExit("the constructor ran")
"""
TRUSTED = "trusted=[parts_of_mine]"
MINE = "parts_of_mine.parts"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package in it and nothing else."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "parts_of_mine").mkdir()
    (folder / "parts_of_mine" / "__init__.py").touch()
    (folder / "parts_of_mine" / "parts.py").write_text(PARTS)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Return a function that runs ``langid`` in that folder, which is not on Python's path."""

    def run(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = ["-m", "langid", *arguments]
        return forked.run(command, cwd=folder, env=os.environ | variables)

    return run


@pytest.fixture(scope="module")
def store(folder: Path, run: Run, real_manifest: Path) -> Path:
    """Return a store read, framed and marked by classes of that package, in two processes."""
    parts = ["features.n_mels=24", f"features._target_={MINE}.MyFeatures"]
    parts += [f"detector._target_={MINE}.MyDetector", "workers=2", "store=mine.h5"]
    parts += ["corpus=manifest", f"corpus.path={real_manifest}", f"corpus._target_={MINE}.MyReader"]
    ended = run("prepare", *parts)
    assert ended.returncode == 2 and f"features._target_={MINE}.MyFeatures: refused" in ended.stderr
    assert f"add {TRUSTED} to the command line" in ended.stderr
    ended = run("prepare", TRUSTED, *parts)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].endswith(f"mine.h5 '{TRUSTED}'")
    return folder / "mine.h5"


NETWORK = f"model.network._target_={MINE}.MyNet"


@pytest.fixture(scope="module")
def checkpoint(folder: Path, run: Run, store: Path) -> Path:
    """Return the best checkpoint of a training with network, loss, split and callback of it."""
    parts = [NETWORK, f"loss._target_={MINE}.MyLoss", f"split._target_={MINE}.MySplit"]
    parts += [f"augment._target_={MINE}.MyAugment", f"+callbacks.mine._target_={MINE}.MyCallback"]
    parts += ["store=mine.h5", "output=run", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    ended = run("train", TRUSTED, *parts)
    assert ended.returncode == 0, ended.stderr
    assert "mine: MyNet MyLoss" in ended.stdout
    assert ended.stdout.splitlines()[-1].endswith(f"/run/test '{TRUSTED}'")
    return folder / "run" / "checkpoints" / "best.ckpt"


def test_a_checkpoint_is_loaded_by_who_trusts_it_alone(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(checkpoint.parents[2])])
    message = r"network\._target_=\S*: refused, .*from Python the argument trusted=\['parts_of_m"
    with pytest.raises(LangidError, match=message):
        package.load(checkpoint)
    identifier = package.load(checkpoint, trusted=["parts_of_mine"])
    assert type(identifier.network).__module__ == MINE
    with pytest.raises(LangidError, match="refused"):  # trust ends with the call
        package.load(checkpoint)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "store=mine.h5", "part=validation", "output=test"),
        ("export", "output=mine.onnx"),
        ("share", "output=given"),
        ("compare", "output=table"),
    ],
)
def test_commands_ask_for_the_same_trust(
    run: Run, checkpoint: Path, arguments: tuple[str, ...]
) -> None:
    command, *rest = arguments
    made = checkpoint.parents[1] if command == "compare" else f"checkpoint={checkpoint}"
    parts = [command, made, *rest]
    ended = run(*parts)
    assert ended.returncode == 2 and f"add {TRUSTED} to the command line" in ended.stderr
    ended = run(*parts, TRUSTED)
    assert ended.returncode == 0, ended.stderr
    if command == "share":
        card = (checkpoint.parents[2] / "given" / "README.md").read_text()
        assert f"langid evaluate '{TRUSTED}' checkpoint=given" in card
        assert "langid.load('given', trusted=['parts_of_mine'])" in card


TINY = (
    NETWORK, "data.batch_size=4", "trainer.max_epochs=1", "+trainer.limit_train_batches=2",
    "trainer.accelerator=cpu",
)  # fmt: skip


def test_a_study_trusts_what_its_line_trusts_and_so_does_its_last_line(
    run: Run, store: Path, folder: Path
) -> None:
    parts = ["tune", "trials=1", "store=mine.h5", "output=study", *TINY]
    ended = run(*parts)
    assert ended.returncode == 2 and f"add {TRUSTED} to the command line" in ended.stderr
    ended = run(*parts, TRUSTED)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    ended = run(*shlex.split(ended.stdout.splitlines()[-1])[1:], "output=best")
    assert ended.returncode == 0, ended.stderr
    assert (folder / "best" / "checkpoints" / "best.ckpt").is_file()


def test_an_experiment_is_run_again_with_a_trusted_network(
    run: Run, folder: Path, real_manifest: Path
) -> None:
    corpus = ("corpus=manifest", f"corpus.path={real_manifest}", "workers=1", "output=again")
    parts = ["reproduce", "ee599_gru_stacked", *corpus, *TINY, "model.network.units=8"]
    ended = run(*parts)
    assert ended.returncode == 2 and f"add {TRUSTED} to the command line" in ended.stderr
    ended = run(*parts, TRUSTED)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "again" / "ee599_gru_stacked" / "outcome.json").is_file()


def test_a_trusted_class_is_of_its_role(run: Run, store: Path) -> None:
    network = f"model.network._target_={MINE}.NoNetwork"
    ended = run("train", TRUSTED, network, "store=mine.h5", "output=none")
    assert ended.returncode == 2
    assert "refused, it is no subclass of langid.networks.network.Network" in ended.stderr


def test_what_a_class_says_of_its_arguments_is_a_sentence_and_its_mistakes_are_not(
    run: Run, store: Path
) -> None:
    parts = ["train", TRUSTED, "store=mine.h5", "output=none"]
    ended = run(*parts, "model.network.units=0", NETWORK)
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert f"{MINE}.MyNet: units=0: accepted are 1 and more" in ended.stderr
    ended = run(*parts, "model.network.units=0", NETWORK, LANGID_DEBUG="1")
    assert ended.returncode == 2 and "Traceback" in ended.stderr and "in __init__" in ended.stderr
    ended = run(*parts, f"model.network._target_={MINE}.Broken")
    assert "Traceback" in ended.stderr and "has no attribute 'hidden'" in ended.stderr


def test_a_sweep_and_its_processes_trust_what_its_line_trusts(
    run: Run, store: Path, folder: Path
) -> None:
    """By joblib, whose jobs run in processes of their own; one of two fails, and is told of."""
    parts = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", NETWORK, TRUSTED]
    parts += ["silence=mask,label", "loss.class_weights=[1,2,3]"]  # too few for silence=label
    parts += ["store=mine.h5", "output=sweep", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    ended = run("train", "-m", *parts)
    assert ended.returncode == 1, ended.stderr + ended.stdout
    assert ended.stdout.splitlines()[-1] == "2 jobs: 1 finished, 1 failed"
    assert "Traceback" not in ended.stderr
    assert len(list(folder.glob("sweep/*/checkpoints/best.ckpt"))) == 1
    assert not list(folder.glob("sweep/*trusted*"))


def test_a_file_of_configuration_cannot_grant_trust(run: Run, folder: Path, store: Path) -> None:
    (folder / "conf" / "experiment").mkdir(parents=True)
    lines = ["# @package _global_", "trusted: [parts_of_mine]", "name: mine"]
    (folder / "conf" / "experiment" / "mine.yaml").write_text("\n".join(lines))
    places = "hydra.searchpath=[file://conf]"
    ended = run("train", places, "experiment=mine", "store=mine.h5", "output=none")
    assert ended.returncode == 2
    assert "configuration cannot grant it" in ended.stderr


@pytest.mark.parametrize("held", [["os"], "os", ["${name}"]])
def test_configuration_cannot_grant_trust(held: object) -> None:
    config = OmegaConf.create({"trusted": held, "name": "os"})
    for typed in ([], ["trusted=[parts_of_mine]"]):
        with pytest.raises(LangidError, match="configuration cannot grant it; type it on the comm"):
            check_trusted(config, typed)
    with pytest.raises(LangidError, match="configuration cannot grant it"):
        package.train(config)


@pytest.mark.parametrize(
    "override",
    ["trusted=${name}", "trusted=[${name}]", "trusted=a,b", "trusted=3", "trusted=[a/b]",
     "trusted=null", "trusted={a: b}", "trusted=''", "trusted=[a..b]"],
)  # fmt: skip
def test_what_names_no_package_is_refused(override: str) -> None:
    with pytest.raises(LangidError, match=r"expected names of packages, 'trusted=\[my_project\]'"):
        trusted_packages([override])


def test_packages_are_read_as_they_are_typed() -> None:
    assert trusted_packages(["store=x.h5", "trusted=[a.b,_c]"]) == ["a.b", "_c"]
    assert trusted_packages(["++trusted=a"]) == ["a"]
    assert trusted_packages(["store=x.h5"]) == []


def test_a_package_that_is_not_there_is_named() -> None:
    for name in ("not_there", "not_there.below", "langid.absent"):
        with (
            pytest.raises(LangidError, match=rf"trusted={name}: no such package, neither"),
            trusting([name]),
        ):
            pass


def test_trust_is_of_a_package_and_what_is_in_it(folder: Path) -> None:
    """Of a package whose name begins alike nothing is imported."""
    with trusting(["langid.networks"]), pytest.raises(LangidError, match="refused"):
        build({"_target_": "langid.networks_of_others.Net"}, "loss")
