"""Tests of langid/training/identifier.py; whole runs are tested in commands/test_train.py."""

import functools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

import langid as package
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.silence_policy import IGNORED
from langid.errors import LangidError
from langid.networks.recurrent import BiGRU
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.losses import CrossEntropy
from langid.training.scores import UtteranceScores


def untrained(checkpoint_path: Path, silence: str) -> LanguageIdentifier:
    description = package.load(checkpoint_path).described
    torch.manual_seed(0)
    return build_identifier(replace(description, silence=silence)).eval()


@pytest.mark.parametrize("silence", ["keep", "mask", "remove", "label"])
def test_posteriors_are_over_languages_alone(checkpoint_path: Path, silence: str) -> None:
    identifier = untrained(checkpoint_path, silence)
    logits = torch.tensor([1.0, 2.0, 3.0, 99.0][: 4 if silence == "label" else 3])
    posteriors = identifier.class_posteriors(logits)
    torch.testing.assert_close(posteriors, torch.tensor([1.0, 2.0, 3.0]).softmax(0))


def test_under_remove_silent_frames_are_not_heard(
    checkpoint_path: Path, real_clips: list[Path]
) -> None:
    identifier = untrained(checkpoint_path, "remove")
    samples = torch.from_numpy(read_audio(str(real_clips[0]), 16000))[None]
    posteriors, speech = identifier.posteriors(samples)
    assert 0 < int(speech.sum()) < speech.numel()
    with torch.inference_mode():
        features = identifier.front_end(samples)[0][speech][None]
        logits = identifier(features, torch.tensor([features.shape[1]]))
        expected = identifier.class_posteriors(logits)
    torch.testing.assert_close(posteriors[speech][None], expected, atol=1e-5, rtol=0)


def test_under_remove_a_network_that_looks_ahead_hears_speech_alone(
    checkpoint_path: Path, real_clips: list[Path]
) -> None:
    identifier = untrained(checkpoint_path, "remove")
    identifier.network = BiGRU(identifier.front_end.bins, 3, units=4, dense=4).eval()
    samples = torch.from_numpy(read_audio(str(real_clips[0]), 16000))[None]
    samples = torch.cat([samples, torch.zeros_like(samples)])
    posteriors, speech = identifier.posteriors(samples)
    assert 0 < int(speech[0].sum()) < speech.shape[1]
    assert not speech[1].any()
    with torch.inference_mode():
        spoken = identifier.front_end(samples[:1])[0][speech[:1]][None]
        logits = identifier(spoken, torch.tensor([spoken.shape[1]]))
    expected = identifier.class_posteriors(logits)[0]
    torch.testing.assert_close(posteriors[0, speech[0]], expected, atol=1e-5, rtol=0)
    silent = torch.nonzero(~speech[0, 1:]).squeeze(1) + 1
    silent = silent[speech[0].cumsum(0)[silent] > 0]
    assert torch.equal(posteriors[0, silent], posteriors[0, silent - 1])  # said again


def test_validation_accuracy_is_that_of_mean_posteriors(
    checkpoint_path: Path, store_path: Path
) -> None:
    """The figures in the checkpoint are computed again here, clip by clip, without Lightning."""
    identifier = package.load(checkpoint_path)
    data = LanguageDataModule(store_path, SpeakerSplit(), "mask")
    predicted, targets = [], []
    for start, stop, target in data.sequences["validation"][["start", "stop", "target"]].to_numpy():
        features, speech = data.store.read(int(start), int(stop))
        frames = torch.from_numpy(features).float()[None]
        with torch.inference_mode():
            posteriors = identifier(frames, torch.tensor([len(speech)])).softmax(-1)
        predicted.append(int(posteriors[0, speech].mean(0).argmax()))
        targets.append(int(target))
    pair = torch.tensor(predicted), torch.tensor(targets)
    held = torch.load(checkpoint_path, weights_only=True)["langid_validation"]
    assert held["accuracy"] == pytest.approx(
        sum(map(int.__eq__, predicted, targets)) / len(targets), abs=1e-6
    )
    balanced = multiclass_accuracy(*pair, num_classes=3, average="macro")
    assert held["balanced_accuracy"] == pytest.approx(float(balanced), abs=1e-6)


def test_normaliser_was_fitted_to_the_training_speakers_alone(
    checkpoint_path: Path, store_path: Path
) -> None:
    identifier = package.load(checkpoint_path)
    data = LanguageDataModule(store_path, SpeakerSplit(), "mask")
    rows = data.parts["row"][data.parts["part"] == "train"]
    frames = []
    for first, count in data.store.utterances.iloc[rows][["first_frame", "frames"]].to_numpy():
        features, speech = data.store.read(int(first), int(first + count))
        frames.append(torch.from_numpy(features[speech]).double())
    speech_frames = torch.cat(frames)
    torch.testing.assert_close(
        -(identifier.normaliser.shift / identifier.normaliser.scale).double(),
        speech_frames.mean(0),
        atol=1e-4,
        rtol=1e-4,
    )
    scale = 1 / speech_frames.std(0, correction=0)
    torch.testing.assert_close(identifier.normaliser.scale.double(), scale, atol=1e-4, rtol=1e-3)


def said_of(target: list[int], unit: list[int], frames: int = 1) -> Batch:
    """Return a batch of speech alone."""
    speech, empty = torch.ones(len(unit), frames).bool(), torch.zeros(0)
    return Batch(empty, speech.sum(1), empty, speech, torch.tensor(target), torch.tensor(unit))


def test_a_validation_part_of_one_utterance_is_scored(checkpoint_path: Path) -> None:
    identifier = untrained(checkpoint_path, "mask")
    identifier.scores, identifier.targets = UtteranceScores(3, 3), torch.tensor([0, 2, 0])
    identifier.scores.update(torch.ones(1, 4, 3), said_of([2], [1], frames=4))
    identifier.on_validation_epoch_end()
    assert identifier.confusion is not None
    assert identifier.confusion.sum(1).tolist() == [0, 0, 1]


def test_a_class_that_is_absent_but_predicted_is_in_no_mean(
    checkpoint_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = untrained(checkpoint_path, "mask")
    identifier.scores, identifier.targets = UtteranceScores(5, 3), torch.tensor([0, 0, 0, 1, 1])
    said = torch.eye(3)[[0, 0, 2, 1, 1]].unsqueeze(1)  # the third class never occurs
    identifier.scores.update(said, said_of([0, 0, 0, 1, 1], list(range(5))))
    logged: dict[str, Any] = {}
    monkeypatch.setattr(identifier, "log_dict", lambda values, **_: logged.update(values))
    identifier.on_validation_epoch_end()
    assert logged["val/accuracy"] == pytest.approx(4 / 5)
    assert logged["val/balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert logged["val/macro_f1"] == pytest.approx((4 / 5 + 1) / 2)
    assert identifier.confusion is not None
    assert identifier.confusion.tolist() == [[2, 0, 1], [0, 2, 0], [0, 0, 0]]


# Utterance networks

TINY = {
    "cnn": ("channels=[4,4]", "dense=4"),
    "crnn": ("channels=[4,4]", "units=4"),
    "ecapa_tdnn": ("channels=16", "aggregated=8", "embedding=4", "bottleneck=4"),
}
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def train_utterances(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Return a function that trains an utterance network for two steps, once per choice."""
    runs: dict[tuple[str, str], Path] = {}

    def train(model: str, silence: str = "mask") -> Path:
        if (model, silence) not in runs:
            output = tmp_path_factory.mktemp("run") / f"{model}-{silence}"
            sizes = [f"model.network.{size}" for size in TINY[model]]
            limits = ["data.batch_size=8", "+trainer.limit_train_batches=2", "trainer.max_epochs=1"]
            arguments = [f"store={store_path}", f"output={output}", "trainer.accelerator=cpu"]
            choices = [f"model={model}", f"silence={silence}", "~callbacks.pictures"]
            assert main(["train", *choices, *sizes, *limits, *arguments]) == 0
            runs[model, silence] = output / "checkpoints" / "best.ckpt"
        return runs[model, silence]

    return train


@pytest.mark.parametrize(
    ("model", "silence"),
    [*((model, "mask") for model in TINY), ("cnn", "keep"), ("cnn", "remove"), ("cnn", "label")],
)
def test_utterance_networks_are_trained_and_evaluated(
    train_utterances: Train, store_path: Path, tmp_path: Path, model: str, silence: str
) -> None:
    checkpoint = train_utterances(model, silence)
    record = json.loads((checkpoint.parents[1] / "run.json").read_text())
    assert (record["status"], record["steps"]) == ("finished", 2)
    arguments = [f"checkpoint={checkpoint}", f"store={store_path}", f"output={tmp_path}"]
    assert main(["evaluate", *arguments, "part=validation"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    held = torch.load(checkpoint, weights_only=True)["langid_validation"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert held[name] == pytest.approx(report[name]["value"], abs=1e-6)


@pytest.mark.parametrize("silence", ["mask", "remove", "label"])
def test_an_utterance_network_says_the_same_at_all_times(
    train_utterances: Train, real_clips: list[Path], silence: str
) -> None:
    identifier = package.load(train_utterances("cnn", silence))
    samples = torch.from_numpy(read_audio(str(real_clips[0]), 16000))[None]
    posteriors, speech = identifier.posteriors(torch.cat([samples, torch.zeros_like(samples)]))
    assert posteriors.shape == (*speech.shape, 3)
    assert torch.equal(posteriors, posteriors[:, :1].expand_as(posteriors))
    torch.testing.assert_close(posteriors.sum(-1), torch.ones(speech.shape))
    assert 0 < int(speech[0].sum()) < speech.shape[1]
    assert not speech[1].any()
    with torch.inference_mode():
        features = identifier.front_end(samples)[0]
        heard = features[speech[:1]][None] if silence == "remove" else features
        logits = identifier(heard, torch.tensor([heard.shape[1]]))
    expected = identifier.class_posteriors(logits)[0, 0]
    torch.testing.assert_close(posteriors[0, 0], expected, atol=1e-5, rtol=0)


def test_export_of_an_utterance_network_is_refused(
    train_utterances: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.onnx"
    assert main(["export", f"checkpoint={train_utterances('cnn')}", f"output={output}"]) == 2
    message = capsys.readouterr().err
    assert "the network CNN needs the whole utterance: train model=gru" in message
    assert not output.exists()


@pytest.mark.parametrize(
    ("silence", "targets"),
    [
        ("mask", [[2, 2, IGNORED], [IGNORED] * 3]),
        ("keep", [[2, 2, 2], [1, 1, 1]]),
        ("label", [[2, 2, 3], [3, 3, 3]]),
    ],
)
def test_the_target_of_an_utterance_is_its_language_once(
    train_utterances: Train, silence: str, targets: list[list[int]]
) -> None:
    identifier = package.load(train_utterances("cnn", "label" if silence == "label" else "mask"))
    identifier.loss = CrossEntropy([1] * identifier.network.output.out_features, "none")  # type: ignore[union-attr, list-item, operator]
    batch = Batch(
        features=torch.zeros(0), lengths=torch.tensor([3, 3]), targets=torch.tensor(targets),
        speech=torch.tensor([[True, True, False], [False] * 3]), target=torch.tensor([2, 1]),
        unit=torch.tensor([0, 1]),
    )  # fmt: skip
    logits = torch.randn(2, 1, 4 if silence == "label" else 3)
    of_each = -logits[:, 0].log_softmax(-1)[[0, 1], [2, 1]]
    expected = of_each.mean() if silence == "keep" else of_each[0]  # the other one has no speech
    torch.testing.assert_close(identifier._loss(logits, batch)[0], expected)


def test_samples_that_are_no_batch_are_refused(checkpoint_path: Path) -> None:
    identifier = untrained(checkpoint_path, "mask")
    for shape in ((16000,), (1, 0)):
        with pytest.raises(LangidError, match=r"samples of shape .*: expected \(batch"):
            identifier.posteriors(torch.zeros(shape))


def test_parameters_beside_the_network_learn_too(checkpoint_path: Path) -> None:
    """Those of an identifier or of a loss of somebody's own, at the learning rate as it is."""
    identifier = untrained(checkpoint_path, "mask")
    identifier.optimizer = functools.partial(torch.optim.SGD, lr=0.5)
    (alone,) = identifier.configure_optimizers().param_groups
    assert len(alone["params"]) == len(list(identifier.parameters()))
    identifier.own = torch.nn.Parameter(torch.zeros(3))
    groups = identifier.configure_optimizers().param_groups
    assert [group["lr"] for group in groups] == [0.5, 0.5]
    assert groups[1]["params"] == [identifier.own]
