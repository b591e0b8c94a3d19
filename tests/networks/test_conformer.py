"""Tests of langid/networks/conformer.py. What holds for every network of frames: test_parity.py."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from langid.networks.conformer import PIECE, Conformer


def conformer(**keys: Any) -> Conformer:
    torch.manual_seed(0)
    sizes = {"width": 8, "layers": 1, "heads": 2, "kernel": 3, "context_frames": 5}
    return Conformer(bins=4, num_classes=3, **(sizes | keys)).eval()


@pytest.mark.parametrize(("layers", "kernel", "context"), [(1, 2, 5), (1, 3, 9), (2, 4, 3)])
def test_a_frame_hears_as_far_back_as_context_and_kernel_reach(
    layers: int, kernel: int, context: int
) -> None:
    network = conformer(layers=layers, kernel=kernel, context_frames=context)
    features = torch.randn(1, 60, 4, requires_grad=True)
    logits = network(features, torch.tensor([60]))
    (gradient,) = torch.autograd.grad(logits[0, -1].square().sum(), features)
    heard = torch.nonzero(gradient[0].abs().sum(-1)).flatten()
    assert 60 - int(heard.min()) == 1 + layers * (context + kernel - 1)


def test_what_was_never_heard_is_not_attended_to() -> None:
    network = conformer(kernel=2, context_frames=9)
    features = torch.randn(1, 4, 4)
    state = list(network.initial_state(1))
    expected, after = network.step(features, tuple(state))
    assert after[-2][0, :, 0].tolist() == [0] * 5 + [1] * 4
    state[0], state[1] = torch.randn(1, 9, 8), torch.randn(1, 9, 8)  # keys and values of nothing
    torch.testing.assert_close(network.step(features, tuple(state))[0], expected)


def test_heads_tell_distances_apart() -> None:
    network = conformer(context_frames=4)
    attention = network.blocks[0].attention
    assert attention.bias.shape == (2, 5)  # type: ignore[union-attr]
    features = torch.randn(1, 12, 4)
    expected = network(features, torch.tensor([12]))
    with torch.no_grad():
        attention.bias[:, 0] = 1e4  # type: ignore[index, operator, union-attr]
    alone = network(features, torch.tensor([12]))
    assert not torch.allclose(alone, expected)
    # Each frame now attends to itself alone, as with a past that was never heard.
    kernel = network.step(features[:, :1], network.initial_state(1))[0]
    torch.testing.assert_close(alone[:, :1], kernel)
    torch.testing.assert_close(alone[:, :1], expected[:, :1])


@pytest.mark.parametrize("share", [None, 0.6, 0.01])
def test_pieces_give_what_the_whole_gives(share: float | None) -> None:
    network = conformer(layers=2)
    features, state = torch.randn(2, 2 * PIECE + 30, 4), network.initial_state(2)
    advance = None if share is None else torch.rand(2, 2 * PIECE + 30) < share
    expected, memory = network._process(features, state, advance)
    logits, after = network.step(features, state, advance)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(after, memory, rtol=0, atol=1e-5)
    if advance is None:
        forward = network(features, torch.tensor([230, 100]))
        torch.testing.assert_close(forward, expected, rtol=0, atol=1e-5)


class Largest(TorchDispatchMode):
    """Notes the most numbers that any tensor had that was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(
        self, operator: Any, _: Any, arguments: Any = (), keys: Any = None
    ) -> Any:
        computed = operator(*arguments, **(keys or {}))
        tensors = [leaf for leaf in tree_leaves(computed) if isinstance(leaf, Tensor)]
        self.numbers = max([self.numbers, *(tensor.numel() for tensor in tensors)])
        return computed


@pytest.mark.parametrize("masked", [False, True])
def test_a_long_call_needs_no_more_than_its_features_and_a_piece(masked: bool) -> None:
    network = conformer(context_frames=100)
    for frames in (6000, 12000):  # one and two minutes
        features = torch.randn(1, frames, 4)
        advance = torch.rand(1, frames) < 0.7 if masked else None
        with torch.inference_mode(), Largest() as largest:
            network.step(features, network.initial_state(1), advance)
        assert largest.numbers <= max(features.numel(), 2 * PIECE * (PIECE + 100 + 1))


def test_dropout_is_there_in_training_only() -> None:
    network = conformer(dropout=0.5)
    features, lengths = torch.randn(2, 9, 4), torch.tensor([9, 9])
    assert torch.equal(network(features, lengths), network(features, lengths))
    network.train()
    assert not torch.equal(network(features, lengths), network(features, lengths))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"width": 0}, "width=0: accepted are 1 and more"),
    ({"layers": 0}, "layers=0: accepted are 1 and more"),
    ({"heads": 0}, "heads=0: accepted are 1 and more"),
    ({"context_frames": 0}, "context_frames=0: accepted are 1 and more"),
    ({"kernel": 1}, "kernel=1: accepted are 2 and more"),
    ({"heads": 3}, "heads=3: accepted are divisors of width=8"),
]


@pytest.mark.parametrize(("keys", "message"), WRONG)
def test_sizes_that_make_no_network_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conformer(**keys)
