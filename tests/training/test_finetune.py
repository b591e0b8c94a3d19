"""From a probe to an encoder whose upper layers learn, by the commands of the README."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

import langid
from langid.audio.decode import read_audio
from langid.commands.configuration import compose, resolved
from langid.commands.main import main
from langid.networks.network import SampleNetwork
from langid.signal import encoder_files
from langid.training.checkpoint import load_identifier, read_checkpoint
from langid.training.run import train
from langid.training.run_record import RunRecord

from ..conftest import Once, states_keys

SHORT = ("split.seed=1", "data.crop_s=[0.5,2]", "model.network.tuned_layers=1")


@pytest.fixture(scope="session")
def tuned_store(real_manifest: Path, encoder_path: Path, once: Once) -> Path:
    """Return a store of the samples of ``real_rows``, for the second layer's states of Whisper."""

    def prepare(folder: Path) -> None:
        arguments = states_keys(real_manifest, encoder_path, folder / "samples.h5")
        assert main(["prepare", *arguments, "content=samples"]) == 0

    return once("samples-of-states", prepare) / "samples.h5"


def configuration(store: Path, output: Path, *overrides: str) -> dict[str, Any]:
    typed = ["experiment=finetune", f"store={store}", *SHORT, "~callbacks.epoch_line", *overrides]
    return resolved(compose("train", typed), output)


class Begun(Callback):
    """Keeps what is said of a clip, and the learning rates, before the first step."""

    def __init__(self, samples: Tensor):
        self.samples = samples

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        module.eval()
        self.posteriors, _ = module.posteriors(self.samples)  # type: ignore[operator]
        module.train()
        self.rates = [group["lr"] for group in trainer.optimizers[0].param_groups]
        self.weights = {name: value.clone() for name, value in module.state_dict().items()}


@pytest.fixture(scope="module")
def clip(real_clips: list[Path]) -> Tensor:
    return torch.from_numpy(read_audio(real_clips[0], 16000))[None, :32000]


@pytest.fixture(scope="module")
def tuned(
    tuned_store: Path,
    probe_path: Path,
    clip: Tensor,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Begun]:
    """Return the folder of a run that begins with a probe, and what it began with."""
    folder, begun = tmp_path_factory.mktemp("tuned") / "run", Begun(clip)
    start = (f"init.checkpoint={probe_path}", "trainer.max_epochs=2")
    train(configuration(tuned_store, folder, *start), [begun])
    return folder, begun


def test_it_begins_as_its_probe(tuned: tuple[Path, Begun], probe_path: Path, clip: Tensor) -> None:
    expected, _ = load_identifier(probe_path).posteriors(clip)
    torch.testing.assert_close(tuned[1].posteriors, expected, atol=5e-3, rtol=0)
    assert tuned[1].rates == pytest.approx([5e-4, 2.5e-5])
    start = RunRecord.read(tuned[0]).start
    assert start["new"] == {"network": 1}  # the weights of the layers
    assert set(start["pretrained"]) == {"network.encoder.model"}
    of_head = {"network.head.pooled_norm", "network.head.output"}
    assert set(start["taken"]) == of_head | {"network.normaliser"}


def test_upper_layers_alone_have_changed(tuned: tuple[Path, Begun]) -> None:
    before = tuned[1].weights
    after = read_checkpoint(tuned[0] / "checkpoints" / "last.ckpt")["state_dict"]
    moved = {name for name in before if not before[name].equal(after[name])}
    assert before.keys() == after.keys()
    layers = [name for name in before if "encoder.model.layers.1." in name]
    of_encoder = {name for name in moved if "encoder." in name}
    assert of_encoder and of_encoder <= set(layers)
    assert not {name for name in moved if "normaliser" in name}
    assert "network.head.output.weight" in moved


def test_a_checkpoint_needs_no_encoder(
    tuned: tuple[Path, Begun],
    tuned_store: Path,
    clip: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And says by itself what it says by langid evaluate."""
    checkpoint = tuned[0] / "checkpoints" / "best.ckpt"
    monkeypatch.setattr(encoder_files, "_local", lambda _: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    identifier = langid.load(checkpoint)
    posteriors, speech = identifier.posteriors(clip)
    assert posteriors.shape == (1, 100, 3) and speech.shape == (1, 100)
    arguments = [f"checkpoint={checkpoint}", f"store={tuned_store}", f"output={tmp_path / 'out'}"]
    assert main(["evaluate", *arguments]) == 0
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t")
    held = langid.data.store.Store(tuned_store).utterances.set_index("utterance_id")
    samples = read_audio(held["path"][table["utterance_id"][0]], 16000)
    own, _ = identifier.posteriors(torch.from_numpy(samples)[None])
    column = f"p({identifier.classes[0]})"
    assert float(own[0, 0, 0]) == pytest.approx(table[column][0], abs=2e-3)


def test_a_resumed_run_is_as_if_never_stopped(
    tuned: tuple[Path, Begun],
    tuned_store: Path,
    probe_path: Path,
    clip: Tensor,
    tmp_path: Path,
) -> None:
    folder, start = tmp_path / "run", f"init.checkpoint={probe_path}"
    train(configuration(tuned_store, folder, start, "trainer.max_epochs=1"))
    last = folder / "checkpoints" / "last.ckpt"
    more = (start, "trainer.max_epochs=2", f"resume={last}")
    train(configuration(tuned_store, folder, *more))
    whole = read_checkpoint(tuned[0] / "checkpoints" / "last.ckpt")
    resumed = read_checkpoint(last)
    for name, value in whole["state_dict"].items():
        assert value.equal(resumed["state_dict"][name]), name
    rates = [[group["lr"] for group in of["optimizer_states"][0]["param_groups"]]
             for of in (whole, resumed)]  # fmt: skip
    assert rates[0] == rates[1] and len(rates[0]) == 2


def test_a_tuned_network_starts_from_another(
    tuned: tuple[Path, Begun], tuned_store: Path, clip: Tensor, tmp_path: Path
) -> None:
    checkpoint, begun = tuned[0] / "checkpoints" / "best.ckpt", Begun(clip)
    start = (f"init.checkpoint={checkpoint}", "trainer.max_epochs=1")
    record = train(configuration(tuned_store, tmp_path / "run", *start), [begun])
    assert record is not None and record.start["new"] == {}
    expected, _ = load_identifier(checkpoint).posteriors(clip)
    torch.testing.assert_close(begun.posteriors, expected, atol=1e-5, rtol=0)


def test_low_rank_changes_are_in_the_checkpoint(tuned_store: Path, tmp_path: Path) -> None:
    values = ("model.network.lora_rank=2", "model.network.checkpoint_gradients=true")
    quick = ("trainer.max_epochs=1", "trainer.precision=bf16-mixed", "data.crop_s=[0.5,1]")
    train(configuration(tuned_store, tmp_path / "run", *values, *quick))
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    weights = read_checkpoint(path)["state_dict"]
    factors = [name for name in weights if ".lora_B." in name]
    assert len(factors) == 2 and all(weights[name].any() for name in factors)
    identifier = load_identifier(path)
    loaded, network = identifier.state_dict(), identifier.network
    assert isinstance(network, SampleNetwork)
    assert not any(network.begins_with(name.removeprefix("network.")) for name in factors)
    assert all(loaded[name].equal(value) for name, value in weights.items())


def test_stores_that_it_does_not_take(
    states_path: Path,
    samples_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for store, reason in (
        (states_path, "holds features; prepare one with content=samples"),
        (samples_path, "its store must name an encoder; prepare one with"),
    ):
        assert main(["train", "experiment=finetune", f"store={store}", f"output={tmp_path}/o"]) == 2
        assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("model.network.tuned_layers=9", "network.tuned_layers=9: 2 layers are processed"),
        ("augment=spec_augment", "SpecAugment: changes features, and"),
        ("init.normaliser=refit", "init.normaliser=refit: "),
    ],
)
def test_values_that_it_does_not_take(
    key: str,
    reason: str,
    tuned_store: Path,
    probe_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = ["experiment=finetune", f"store={tuned_store}", f"output={tmp_path}/o", *SHORT]
    assert main(["train", *typed, f"init={probe_path}", key]) == 2
    assert reason in capsys.readouterr().err
