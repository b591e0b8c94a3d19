"""Upper layers of an encoder learn, the rest stays, and a clip of a batch is as if alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from langid.build import build
from langid.errors import LangidError
from langid.networks.pretrained import PretrainedNetwork
from langid.networks.probes import LinearProbe
from langid.signal.encoder_files import pinned
from langid.signal.pretrained import Pretrained

Saved = Callable[..., Path]
TARGET = "langid.networks.pretrained.PretrainedNetwork"


def features_of(folder: Path, layer: str | int = "last", **values: Any) -> dict[str, Any]:
    asked = {"encoder": str(folder), "layer": layer, "revision": None, "sha256": None}
    return pinned(asked | values)


def begun(folder: Path, layer: str | int = "last", **values: Any) -> PretrainedNetwork:
    """Return a network of three classes with the weights of an encoder."""
    features = features_of(folder, layer)
    told = PretrainedNetwork.pinned({"_target_": TARGET} | values, features)
    network: PretrainedNetwork = build(told, "network", num_classes=3)
    network.begin(features)
    return network


def hops(*seconds: float, sizes: int = 320) -> tuple[Tensor, Tensor]:
    """Return a batch of noise in hops, and the lengths of its clips."""
    torch.manual_seed(1)
    clips = [0.1 * torch.randn(round(50 * of), sizes) for of in seconds]
    lengths = torch.tensor([len(clip) for clip in clips])
    return torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), lengths


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "wavlm", "wav2vec2-bert"])
@pytest.mark.parametrize("values", [{}, {"checkpoint_gradients": True}, {"head": "attentive"}])
def test_upper_layers_learn_and_the_rest_stays(
    kind: str, values: dict[str, Any], saved_encoder: Saved
) -> None:
    network = begun(saved_encoder(kind), tuned_layers=1, **values)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features, lengths = hops(1.2, 0.7, 0.9)
    groups = [{"params": of, "lr": 0.01 * factor} for of, factor in network.parameter_groups()]
    optimizer, losses = torch.optim.AdamW(groups), []
    for _ in range(8):
        logits = network(features, lengths)[:, 0]
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    moved = {name for name, value in network.state_dict().items() if not value.equal(before[name])}
    top = {name for name, _ in network.named_parameters() if ".layers.1." in name}
    assert {name for name in moved if name.startswith("encoder.")} <= top
    assert len(moved & top) > len(top) / 2 and "layer_weights" in moved


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "wavlm", "wav2vec2-bert"])
@torch.no_grad()
def test_a_clip_of_a_padded_batch_is_as_if_alone(
    kind: str, together: bool, saved_encoder: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, as on a processor, and together, as on a GPU."""
    if together:
        monkeypatch.setattr(PretrainedNetwork, "_states", PretrainedNetwork.together)
    network = begun(saved_encoder(kind)).eval()
    features, lengths = hops(1.2, 0.7)
    alone = [network(features[row : row + 1, :length], lengths[row : row + 1])
             for row, length in enumerate(lengths.tolist())]  # fmt: skip
    torch.testing.assert_close(network(features, lengths), torch.cat(alone), atol=1e-4, rtol=1e-3)
    assert network(features[:, :0], lengths * 0).isfinite().all()


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
@pytest.mark.parametrize("layer", ["last", "mean", 1])
@torch.no_grad()
def test_it_begins_with_the_states_of_the_features(
    kind: str, layer: str | int, saved_encoder: Saved
) -> None:
    """Of short clips, and of those that are heard in windows."""
    folder = saved_encoder(kind)
    network = begun(folder, layer, tuned_layers=1).eval()
    probe, features = LinearProbe(16, 3).eval(), Pretrained(str(folder), layer)
    network.head.load_state_dict(probe.state_dict())
    for seconds in (1.0, 65.0):
        samples, lengths = hops(seconds)
        states = features(samples.flatten(1))
        expected = probe(states, torch.tensor([states.shape[1]]))
        torch.testing.assert_close(network(samples, lengths), expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("filled_s", [None, 0, 2.0])
def test_short_clips_are_filled_as_those_of_the_store(
    filled_s: float | None, saved_encoder: Saved
) -> None:
    features = features_of(saved_encoder("whisper"), filled_s=filled_s)
    network = PretrainedNetwork(3, **PretrainedNetwork.pinned({}, features))
    assert network.encoder.filled_s == (5.0 if filled_s is None else filled_s)


def test_deeper_layers_learn_slower(saved_encoder: Saved) -> None:
    network = begun(saved_encoder("whisper"), encoder_lr=0.1, layer_decay=0.5)
    head, *layers = network.parameter_groups()
    assert [factor for _, factor in (head, *layers)] == [1.0, 0.1, 0.05]
    for (parameters, _), layer in zip(layers, reversed(network.tuned), strict=True):
        assert {id(of) for of in parameters} == {id(of) for of in layer.parameters()}
    learnt = {id(of) for parameters, _ in (head, *layers) for of in parameters}
    assert learnt == {id(of) for of in network.parameters() if of.requires_grad}


def test_all_but_what_learns_is_always_in_evaluation_mode(saved_encoder: Saved) -> None:
    network = begun(saved_encoder("wav2vec2"), tuned_layers=1).eval().train()
    encoder = network.encoder
    assert [layer.training for layer in encoder.layers] == [False, True]
    assert network.head.training and not encoder.training
    assert not any(module.training for module in encoder.layers[0].modules())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"tuned_layers": 9}, "network.tuned_layers=9: 2 layers are processed; accepted are 0 to"),
        ({"tuned_layers": -1}, "accepted are 0 to 2"),
        ({"head": "cubic"}, "network.head=cubic: accepted are linear, attentive"),
        ({"encoder_lr": 0}, "network.encoder_lr=0: accepted are more than 0, up to 1"),
        ({"layer_decay": 1.5}, "network.layer_decay=1.5: accepted are more than 0, up to 1"),
    ],
)
def test_values_that_it_does_not_take(
    values: dict[str, Any], reason: str, saved_encoder: Saved
) -> None:
    with pytest.raises(LangidError, match=reason):
        begun(saved_encoder("whisper"), **values)


@pytest.mark.parametrize("architecture", [None, {}, {"config": {"model_type": "bert"}}, "x"])
def test_what_is_no_architecture_is_refused(architecture: Any) -> None:
    with pytest.raises(LangidError, match=r"network\.architecture: "):
        PretrainedNetwork(num_classes=3, architecture=architecture)


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "wavlm", "wav2vec2-bert"])
def test_low_rank_changes_alone_learn(kind: str, saved_encoder: Saved) -> None:
    """And are nothing to begin with."""
    folder = saved_encoder(kind)
    network, plain = begun(folder, tuned_layers=1, lora_rank=2), begun(folder, tuned_layers=1)
    plain.head.load_state_dict(network.head.state_dict())
    features, lengths = hops(1.2, 0.7)
    with torch.no_grad():
        expected = plain.eval()(features, lengths)
        torch.testing.assert_close(network.eval()(features, lengths), expected)
    network.train()
    of_layer = {name for name, value in network.named_parameters() if value.requires_grad}
    of_layer -= {"layer_weights", *(name for name in of_layer if name.startswith("head."))}
    assert len(of_layer) == 4 and all("lora_" in name for name in of_layer)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    _, (learnt, factor) = network.parameter_groups()
    assert len(learnt) == 4 and factor == 0.05
    optimizer = torch.optim.SGD(learnt, lr=1.0)
    for _ in range(2):  # the first step moves one of both factors, of which the other is 0
        optimizer.zero_grad()
        logits = network(features, lengths)[:, 0]
        torch.nn.functional.cross_entropy(logits, torch.arange(2)).backward()
        optimizer.step()
    moved = {name for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert {name for name in moved if "encoder." in name} == of_layer


def test_low_rank_changes_need_their_extra(
    saved_encoder: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved_encoder("whisper")
    with pytest.raises(LangidError, match="lora_rank=-1: accepted are whole numbers from 0"):
        begun(folder, lora_rank=-1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "peft" else name)
    with pytest.raises(LangidError, match=r"peft is not installed; run pip install"):
        PretrainedNetwork(3, PretrainedNetwork.pinned({}, features_of(folder))["architecture"],
                          lora_rank=2)  # fmt: skip
