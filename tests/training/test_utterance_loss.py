"""Tests of what a sequence weighs in the loss of utterance networks: identifier.py, losses.py."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import langid as package
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS
from langid.corpora.splits import SpeakerSplit
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.silence_policy import IGNORED
from langid.data.store import SCHEMA, Content
from langid.data.store_writer import StoreWriter
from langid.evaluation.predictions import predict_part
from langid.networks.cnn import CNN
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.losses import CrossEntropy, Focal, WeightedLoss

# Frames of the clips of each class: most of A are cut into whole sequences, those of B are short.
CLIPS = {"A": (500, 500, 730, 510), "B": (50, 120, 90, 60), "C": (500, 60, 333)}


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Return a store of ``CLIPS``, in which two frames of three are speech."""
    path = tmp_path / "uneven.h5"
    lengths = [(name, frames) for name, clips in CLIPS.items() for frames in clips]
    with StoreWriter(
        path, Content("features", 2), frames=sum(frames for _, frames in lengths) * 3
    ) as writer:
        for number, (name, frames) in enumerate(lengths * 3):
            writer.write_frames(np.zeros((frames, 2)), np.arange(frames) % 3 > 0)
            cells = {"utterance_id": str(number), "language": name, "speaker": str(number)}
            writer.end_utterance(dict.fromkeys(COLUMNS, "") | cells)
        description = '{"corpora": [], "sample_rate": 16000, "hop_samples": 160}'
        writer.finish({"schema": SCHEMA, "description": description, "fingerprint": "x"})
    return path


def hearing_utterances(checkpoint: Path, silence: str, loss: WeightedLoss) -> LanguageIdentifier:
    """Return an identifier with an utterance network."""
    description = package.load(checkpoint).described
    identifier = build_identifier(replace(description, silence=silence), loss=loss)
    identifier.network = CNN(bins=identifier.front_end.bins, num_classes=len(loss.weight))
    return identifier


def shares(identifier: LanguageIdentifier, batch: Batch, classes: int) -> torch.Tensor:
    """Return what each sequence of a batch has of its loss, ``(batch,)``, by the gradient."""
    logits = torch.zeros(len(batch), 1, classes, requires_grad=True)
    identifier._loss(logits, batch)[0].backward()
    assert logits.grad is not None
    pull = -logits.grad[:, 0].gather(1, batch.target[:, None]).squeeze(1)
    return pull / pull.sum()


@pytest.mark.parametrize("silence", ["keep", "mask", "remove", "label"])
@pytest.mark.parametrize("loss", [CrossEntropy, Focal])
def test_balanced_classes_have_the_same_part_of_the_loss(
    uneven: Path, checkpoint_path: Path, silence: str, loss: type[WeightedLoss]
) -> None:
    data = LanguageDataModule(uneven, SpeakerSplit(), silence, batch_size=999)
    identifier = hearing_utterances(checkpoint_path, silence, loss(data.class_frames()))
    (batch,) = data.train_dataloader()
    part = shares(identifier, batch, len(data.class_frames()))
    of_class = [float(part[batch.target == index].sum()) for index in range(3)]
    assert of_class == pytest.approx([1 / 3] * 3, abs=1e-5)


def batch_of(lengths: list[int], language: list[int], speech: int = 1) -> Batch:
    """Return sequences of which every frame is speech, or every other where ``speech`` is 2."""
    place = torch.arange(max(lengths))
    there = place < torch.tensor(lengths)[:, None]
    spoken = there & (place % speech == 0)
    targets = torch.where(spoken, torch.tensor(language)[:, None], IGNORED)
    features = torch.zeros(*there.shape, 2)
    row = torch.arange(len(lengths))
    return Batch(features, torch.tensor(lengths), targets, spoken, torch.tensor(language), row)


def test_a_sequence_weighs_what_it_holds(checkpoint_path: Path) -> None:
    identifier = hearing_utterances(checkpoint_path, "mask", CrossEntropy([1, 1], "none"))
    part = shares(identifier, batch_of([50, 500, 500], [0, 0, 1]), 2).tolist()
    assert part == pytest.approx([50 / 1050, 500 / 1050, 500 / 1050], abs=1e-6)


def test_sums_of_parts_of_a_batch_make_the_loss_of_all(checkpoint_path: Path) -> None:
    """So do those of processes, which share every batch."""
    loss = CrossEntropy([1, 1, 1], [1.0, 3.0, 2.0], label_smoothing=0.1)
    identifier = hearing_utterances(checkpoint_path, "mask", loss)
    lengths, language, logits = [50, 500, 120, 90], [0, 1, 2, 1], torch.randn(4, 1, 3)

    def sums(rows: slice) -> torch.Tensor:
        batch = batch_of(lengths[rows], language[rows], speech=2)
        return identifier._loss(logits[rows], batch)[1]

    whole, parts = sums(slice(4)), sums(slice(1)) + sums(slice(1, 4))
    torch.testing.assert_close(parts, whole)
    held = torch.tensor([25.0, 250, 60, 45])  # frames of speech
    assert float(whole[1]) == 25 * 1 + 250 * 3 + 60 * 2 + 45 * 3
    surprise = -logits[:, 0].log_softmax(-1)
    smooth = 0.9 * torch.nn.functional.one_hot(torch.tensor(language), 3) + 0.1 / 3
    expected = ((smooth * loss.weight * surprise).sum(1) * held).sum() / whole[1]
    assert float(whole[0] / whole[1]) == pytest.approx(float(expected), rel=1e-5)


def test_validation_loss_weighs_utterances_by_their_speech(
    store_path: Path, tmp_path: Path
) -> None:
    sizes = ["model.network.channels=[4,4]", "model.network.dense=4", "data.batch_size=4"]
    limits = ["trainer.max_epochs=1", "trainer.accelerator=cpu", "optimizer.lr=0.05"]
    arguments = [f"store={store_path}", f"output={tmp_path}/run", *sizes, *limits]
    assert main(["train", "model=cnn", *arguments]) == 0
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    weights = json.loads((tmp_path / "run" / "run.json").read_text())["class_weights"]
    identifier = package.load(checkpoint)
    data = LanguageDataModule(store_path, SpeakerSplit(), "mask")
    rows = data.sequences["validation"][["start", "stop", "target"]].to_numpy()
    total = weight = 0.0
    for start, stop, target in rows:
        features, speech = data.store.read(int(start), int(stop))
        with torch.inference_mode():
            frames = torch.from_numpy(features).float()[None]
            logits = identifier(frames, torch.tensor([len(speech)]))[0, 0]
        due = weights[target] * int(speech.sum())
        total += due * float(-logits.log_softmax(-1)[target])
        weight += due
    held = torch.load(checkpoint, weights_only=True)["langid_validation"]["loss"]
    assert held == pytest.approx(total / weight, rel=1e-5)


def test_the_loss_of_an_utterance_is_that_of_its_score(checkpoint_path: Path) -> None:
    """Of a network of frames: of the mean posterior over speech, or over all without any."""
    loss = CrossEntropy([1, 1, 1], [1.0, 3.0, 2.0], unit="utterance")
    identifier = hearing_frames(checkpoint_path, loss)
    batch = batch_of([50, 7, 30], [0, 1, 2], speech=2)
    batch.speech[2] = False
    logits = (5 * torch.randn(3, 50, 3)).requires_grad_()
    value, _ = identifier._loss(logits, batch)
    posteriors = logits.detach().softmax(-1)
    means = [posteriors[0, ::2].mean(0), posteriors[1, :7:2].mean(0), posteriors[2, :30].mean(0)]
    surprise = [-float(mean[index].log()) for index, mean in enumerate(means)]
    held = [25 * 1.0, 4 * 3.0, 15 * 2.0]  # frames with a target, times the weight of the class
    expected = sum(a * b for a, b in zip(surprise, held, strict=True)) / sum(held)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    (gradient,) = torch.autograd.grad(value, logits)
    assert gradient.isfinite().all()
    assert not gradient[0, 1::2].any() and not gradient[1, 7:].any()
    assert gradient[0, ::2].abs().sum(1).min() > 0


def hearing_frames(checkpoint: Path, loss: WeightedLoss) -> LanguageIdentifier:
    """Return an identifier with a network of frames."""
    return build_identifier(package.load(checkpoint).described, loss=loss)


def test_a_streaming_network_learns_by_utterances(store_path: Path, tmp_path: Path) -> None:
    sizes = ["model.network.units=8", "model.network.dense=4", "trainer.max_epochs=2"]
    loss = ["loss.unit=utterance", "loss.class_weights=none", "data.crop_s=[0.5,3]"]
    run = [f"store={store_path}", f"output={tmp_path}/run", "trainer.accelerator=cpu"]
    assert main(["train", "experiment=gru", *sizes, *loss, *run]) == 0
    held = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    predictions = predict_part([tmp_path / "run/checkpoints/best.ckpt"], store_path, "validation")
    own = predictions.posteriors[np.arange(len(predictions.table)), predictions.targets]
    expected = np.average(-np.log(own), weights=predictions.table["frames"])
    assert held["langid_validation"]["loss"] == pytest.approx(expected, rel=1e-5)


def test_silence_is_no_part_of_an_utterance(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["loss.unit=utterance", f"store={store_path}", f"output={tmp_path}/run"]
    assert main(["train", "experiment=gru", "silence=label", *arguments]) == 2
    assert "loss.unit=utterance: of an utterance nobody is asked" in capsys.readouterr().err
    assert main(["train", "experiment=gru", *arguments, "loss.unit=clip"]) == 2
    assert "loss.unit=clip: accepted are frame, utterance" in capsys.readouterr().err
