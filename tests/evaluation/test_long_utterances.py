"""Utterances longer than the 30 s that are heard at once: every way to hear them says the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from pytorch_lightning import Trainer
from torch import Tensor

import langid as package
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS, write_table
from langid.corpora.splits import OfficialSplit
from langid.data.datamodule import LanguageDataModule
from langid.evaluation.predictions import predict_part
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.losses import CrossEntropy

from ..conftest import Once

RATE = 16000
LANGUAGES = ("English", "Hindi", "Mandarin")
SILENCE_S = {"English": 0, "Hindi": 45, "Mandarin": 0}  # in the middle: more than one piece of it
SPEECH_S = {"English": 75, "Hindi": 40, "Mandarin": 8}
NETWORKS: dict[str, dict[str, Any]] = {
    "recurrent.GRU": {"units": 8, "dense": 4},
    "tcn.TCN": {"channels": 8, "layers": 5, "kernel": 8, "dense": 8},
    "conformer.Conformer": {"width": 8, "layers": 1, "heads": 2, "context_frames": 400},
    "cnn.CNN": {"channels": [4, 6], "dense": 8},
    "recurrent.BiGRU": {"units": 8, "dense": 4},
}


@pytest.fixture(scope="session")
def long_store(real_rows: list[dict[str, str]], once: Once) -> Path:
    """Return a store of a validation utterance of each language, and of short ones to train on."""

    def prepare(folder: Path) -> None:
        rows = []
        for language in LANGUAGES:
            clips = [row for row in real_rows if row["language"] == language]
            parts = ("train", "train", "test")
            rows += [row | {"split": part} for row, part in zip(clips, parts, strict=False)]
            speech = np.concatenate([read_audio(Path(row["path"]), RATE) for row in clips])
            speech = np.resize(speech, SPEECH_S[language] * RATE)
            silence = np.zeros(SILENCE_S[language] * RATE, np.float32)
            path = folder / f"{language}.wav"
            soundfile.write(path, np.insert(speech, len(speech) // 2, silence), RATE)
            cells = {"utterance_id": language, "path": str(path), "language": language,
                     "speaker": language, "split": "validation"}  # fmt: skip
            rows.append(dict.fromkeys(COLUMNS, "") | cells)
        write_table(rows, COLUMNS, folder / "long.tsv")
        corpus = ["corpus=manifest", f"corpus.path={folder}/long.tsv"]
        assert main(["prepare", *corpus, f"store={folder}/long.h5", "workers=1"]) == 0

    return once("long", prepare) / "long.h5"


def untrained(
    checkpoint: Path, store: Path, network: str, silence: str, **training: Any
) -> LanguageIdentifier:
    """Return an identifier of long memory with posteriors that spread, for the store's split."""
    description = package.load(checkpoint).described
    split = {"_target_": "langid.corpora.splits.OfficialSplit"}
    data = LanguageDataModule(store, OfficialSplit(), silence)
    keys = {"_target_": f"langid.networks.{network}"} | NETWORKS[network]
    description = replace(
        description,
        model=description.model | {"network": keys},
        silence=silence,
        split=split,
        fingerprint=data.store.fingerprint,
    )
    torch.manual_seed(0)
    identifier = build_identifier(description, **training)
    mean, deviation = (torch.from_numpy(values) for values in data.normaliser_statistics())
    identifier.normaliser.fit(mean, deviation)
    with torch.no_grad():
        identifier.network.output.weight.mul_(20)  # type: ignore[union-attr, operator]
        if network == "recurrent.GRU":
            identifier.network.layers[0].bias_ih_l0[8:16] = 6  # type: ignore[index, union-attr]
    return identifier.eval()


@pytest.fixture
def saved(checkpoint_path: Path, long_store: Path, tmp_path: Path) -> Any:
    """Return a function that writes the checkpoint of an untrained identifier."""

    def write(network: str, silence: str) -> Path:
        identifier = untrained(checkpoint_path, long_store, network, silence)
        whole = torch.load(checkpoint_path, weights_only=True)
        whole |= {"langid": identifier.described.to_plain(), "state_dict": identifier.state_dict()}
        torch.save(whole, tmp_path / "untrained.ckpt")
        return tmp_path / "untrained.ckpt"

    return write


def columns(table: pd.DataFrame) -> np.ndarray:
    """Return the posteriors of all languages, by the names of the utterances."""
    names = [f"p({language})" for language in LANGUAGES]
    found: np.ndarray = table.set_index("utterance_id").loc[list(LANGUAGES), names].to_numpy(float)
    return found


@pytest.mark.parametrize(
    ("network", "silence", "mode", "of_pieces"),
    [
        ("recurrent.GRU", "mask", "streaming", 1e-4),
        ("tcn.TCN", "label", "streaming", 1e-4),
        ("conformer.Conformer", "remove", "streaming", 1e-4),
        # A store's pieces know the samples and the noise before them, a file's each begin anew.
        ("cnn.CNN", "mask", "offline", 1e-3),
        ("recurrent.BiGRU", "remove", "offline", 1e-2),
    ],
)
def test_evaluate_says_what_predict_says(
    network: str,
    silence: str,
    mode: str,
    of_pieces: float,
    saved: Any,
    long_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint, model, scored = saved(network, silence), tmp_path / "m.onnx", tmp_path / "scored"
    store = [f"checkpoint={checkpoint}", f"store={long_store}"]
    assert main(["evaluate", *store, f"output={scored}", "part=validation"]) == 0
    found = columns(pd.read_csv(scored / "predictions.tsv", sep="\t"))
    assert np.ptp(found, axis=0).max() > 0.01
    clips = [str(long_store.parent / f"{language}.wav") for language in LANGUAGES]
    parts = [f"checkpoint={checkpoint}", f"output={model}", f"audio={clips[2]}"]
    assert main(["export", *parts, f"mode={mode}"]) == 0
    capsys.readouterr()
    heard = f"audio=[{','.join(clips)}]"
    assert main(["predict", f"model={model}", heard, "json=true"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    predicted = [[line["posteriors"][name] for name in LANGUAGES] for line in lines]
    np.testing.assert_allclose(found, predicted, rtol=0, atol=of_pieces)
    np.testing.assert_allclose(found[2], predicted[2], rtol=0, atol=1e-4)  # shorter than a piece


def heard_whole(identifier: LanguageIdentifier, data: LanguageDataModule, row: int) -> Tensor:
    """Return logits ``(frames, classes)`` of the speech of an utterance that is heard at once."""
    begin, count = data.store.utterances.loc[row, ["first_frame", "frames"]].astype(int)
    features, speech = data.store.read(begin, begin + count)
    with torch.inference_mode():
        logits = identifier(torch.from_numpy(features).float()[None], torch.tensor([count]))[0]
    spoken: Tensor = logits[torch.from_numpy(speech)]
    return spoken


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_validation_hears_long_utterances_whole(
    checkpoint_path: Path, long_store: Path, batch_size: int, tmp_path: Path
) -> None:
    loss = CrossEntropy([1, 1, 1], "none")
    identifier = untrained(checkpoint_path, long_store, "recurrent.GRU", "mask", loss=loss)
    data = LanguageDataModule(long_store, OfficialSplit(), "mask", batch_size=batch_size)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=tmp_path,
    )  # fmt: skip
    for _ in range(2):  # the second begins anew
        (figures,) = trainer.validate(identifier, datamodule=data, verbose=False)
    assert identifier.scores is not None
    seen, posteriors, *_ = identifier.scores.compute()
    assert len(seen) == 3
    losses = []
    for row, found in zip(seen.tolist(), posteriors, strict=True):
        logits = heard_whole(identifier, data, row)
        expected = logits.softmax(-1).mean(0)
        torch.testing.assert_close(found.float(), expected, rtol=0, atol=1e-5)
        target = data.classes.index(data.store.utterances["language"][row])
        losses.append(-logits.log_softmax(-1)[:, target])
    assert figures["val/loss"] == pytest.approx(float(torch.cat(losses).mean()), abs=1e-4)


def test_the_training_part_is_evaluated_whole_too(saved: Any, long_store: Path) -> None:
    checkpoint = saved("recurrent.GRU", "mask")
    table = predict_part([checkpoint], long_store, "train").table
    identifier = package.load(checkpoint)
    data = LanguageDataModule(long_store, OfficialSplit(), "mask")
    assert len(table) == 6
    for row in table.index:
        expected = heard_whole(identifier, data, row).softmax(-1).mean(0)
        found = table.loc[row, [f"p({language})" for language in LANGUAGES]].tolist()
        assert found == pytest.approx(expected.tolist(), abs=1e-5)
