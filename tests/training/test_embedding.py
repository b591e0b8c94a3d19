"""Tests of langid/training/embedding.py: embeddings of every network, and which are kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from langid.data.dataset import Batch
from langid.data.store import Store
from langid.evaluation.heard_pieces import pieces_of
from langid.evaluation.predictions import posteriors_of, predict_part
from langid.training.checkpoint import build_identifier
from langid.training.embedding import UtteranceEmbeddings, balanced, embeddings_of
from langid.training.init import output_layer
from langid.training.run_description import RunDescription
from langid.utterance import counted_frames

NETWORKS: dict[str, dict[str, object]] = {
    "recurrent.GRU": {"units": 8, "dense": 5},
    "recurrent.LSTM": {"units": [8, 6], "dense": 0},
    "recurrent.BiGRU": {"units": 8, "dense": [6, 5]},
    "tcn.TCN": {"channels": 8, "layers": 2, "dense": 5},
    "conformer.Conformer": {"width": 8, "layers": 1, "heads": 2, "kernel": 4, "context_frames": 9},
    "cnn.CNN": {"channels": [4], "dense": 6},
    "cnn.CRNN": {"channels": [4, 4], "units": 6},
    "ecapa_tdnn.ECAPATDNN": {"channels": 8, "aggregated": 8, "embedding": 6, "bottleneck": 4},
    "last_frame.LastFrame": {"units": 8, "dense": 5},
    "probes.LinearProbe": {},
    "probes.AttentiveProbe": {"bottleneck": 4, "hidden": 6},
    "published.VoiceAgeCNN": {"frames": 64},
    "published.DeepLanguageCNN": {"frames": 64, "channels": [2, 2], "dense": 5},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_makes_of_an_embedding_what_the_network_says(
    name: str, checkpoint_path: Path, store_path: Path
) -> None:
    plain = torch.load(checkpoint_path, weights_only=True)["langid"]
    plain["model"]["network"] = {"_target_": f"langid.networks.{name}", **NETWORKS[name]}
    torch.manual_seed(0)
    identifier = build_identifier(RunDescription.from_plain(plain)).eval()
    store = Store(store_path)
    pieces = pieces_of(identifier, store, "test")[0]
    embeddings, layer = embeddings_of(identifier, pieces, None), output_layer(identifier)
    assert embeddings is not None and layer is not None
    said: dict[int, torch.Tensor] = {}
    heard: list[torch.Tensor] = []
    identifier.network.register_forward_hook(lambda *given: heard.append(given[2]))
    if hasattr(identifier.network, "step"):
        step = identifier.network.step

        def kept(*given: object) -> object:
            logits, state = step(*given)
            heard.append(logits)
            return logits, state

        identifier.network.step = kept
    for batch, _ in posteriors_of([identifier], store, pieces):
        embeddings.update(batch)
        logits = heard.pop()
        counted = counted_frames(batch.speech, batch.there).float()[..., None]
        mean = (logits * counted).sum(1) / counted.sum(1) if logits.shape[1] > 1 else logits[:, 0]
        said |= {int(unit): of for unit, of in zip(batch.unit, mean, strict=True)}
    found = embeddings.compute()
    assert sorted(said) == found.index.tolist() and len(found) == pieces["unit"].nunique() > 3
    assert found.shape[1] == layer.in_features and (found.dtypes == np.float32).all()
    made = layer(torch.tensor(found.to_numpy()))
    expected = torch.stack([said[unit] for unit in found.index])
    torch.testing.assert_close(made.detach(), expected, rtol=1e-4, atol=1e-4)
    assert expected.std(0).max() > 1e-4  # or there is nothing to compare


def batch_of(units: list[int], speech: list[list[bool]], lengths: list[int]) -> Batch:
    count = torch.zeros(len(units), dtype=torch.long)
    mask = torch.tensor(speech)
    features = torch.zeros(*mask.shape, 1)
    held = torch.tensor(lengths), count, mask, count, torch.tensor(units)
    return Batch(features, *held)


def test_pieces_of_an_utterance_count_by_their_speech_and_silent_ones_where_all_are() -> None:
    layer = nn.Linear(1, 2)
    embeddings = UtteranceEmbeddings(layer, np.array([1, 4, 6]))

    def hear(frames: list[list[float]], *batch: Any) -> None:
        layer(torch.tensor(frames, dtype=torch.float)[..., None])
        embeddings.update(batch_of(*batch))

    # Utterance 1: silence, speech, silence; 4: silence alone; 6: one value for all; 5: not kept.
    no, yes = [False] * 3, [True, True, False]
    hear([[9, 9, 9], [1, 2, 3], [8, 8, 8]], [1, 4, 5], [no, no, yes], [3, 2, 3])
    hear([[1, 3, 99], [5, 99, 99]], [1, 4], [yes, no], [3, 1])
    hear([[77, 77, 77]], [1], [no], [3])
    hear([[4]], [6], [yes], [3])
    layer(torch.tensor([[[5.0]], [[7.0]]]).squeeze(1))  # without an axis of time
    embeddings.update(batch_of([6, 7], [[True] * 4] * 2, [4, 4]))
    assert embeddings.compute()[0].to_dict() == {
        1: 2.0, 4: pytest.approx((1 + 2 + 5) / 3), 6: pytest.approx((2 * 4 + 4 * 5) / 6)
    }  # fmt: skip


def test_classes_have_as_many_as_there_are() -> None:
    targets = np.repeat([0, 1, 2], [100, 3, 40])
    units = np.arange(143) + 7
    held = balanced(units, targets, 23)
    assert np.bincount(targets[held - 7]).tolist() == [10, 3, 10]
    assert (np.diff(held) > 0).all()
    np.testing.assert_array_equal(held, balanced(units, targets, 23))
    np.testing.assert_array_equal(balanced(units[::-1], targets, None), units)


def test_a_part_has_embeddings_of_the_first_checkpoint_alone_and_they_change_nothing(
    checkpoint_path: Path, store_path: Path
) -> None:
    plain = predict_part([checkpoint_path], store_path, "all", accelerator="cpu")
    some = predict_part([checkpoint_path], store_path, "all", accelerator="cpu", embedded=9)
    all_of = predict_part([checkpoint_path], store_path, "all", accelerator="cpu", embedded=None)
    assert plain.embeddings is None and plain.table.equals(some.table)
    assert some.embeddings is not None and all_of.embeddings is not None
    assert some.table.loc[some.embeddings.index, "language"].value_counts().tolist() == [3, 3, 3]
    assert sorted(all_of.embeddings.index) == sorted(all_of.table.index)
    both = all_of.embeddings.loc[some.embeddings.index]
    np.testing.assert_allclose(some.embeddings, both, rtol=1e-6)
    twice = [checkpoint_path, checkpoint_path]
    pooled = predict_part(
        twice, store_path, "all", ensemble=True, accelerator="cpu", embedded=None
    ).embeddings
    np.testing.assert_allclose(pooled, all_of.embeddings, rtol=1e-6)


def test_a_network_without_one_layer_of_logits_has_no_embeddings(
    checkpoint_path: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langid.training.embedding.output_layer", lambda _: None)
    found = predict_part([checkpoint_path], store_path, "test", accelerator="cpu", embedded=None)
    assert found.embeddings is None and len(found.table)
