"""Tests of langid/networks/recurrent.py and the streaming contract of network.py."""

import pytest
import torch
from torch import Tensor

from langid.networks.network import Normaliser
from langid.networks.recurrent import GRU

CHUNKS = ([1] * 23, [7, 7, 9], [22, 1], [5, 0, 18], [23])


def network(layers: int = 1) -> GRU:
    torch.manual_seed(1)
    return GRU(bins=6, num_classes=3, units=10, layers=layers, dense=5, dropout=0.3).eval()


def in_chunks(gru: GRU, features: Tensor, sizes: list[int], advance: Tensor | None) -> Tensor:
    state, outputs, start = gru.initial_state(len(features)), [], 0
    for size in sizes:
        stop = start + size
        heard = None if advance is None else advance[:, start:stop]
        logits, state = gru.step(features[:, start:stop], state, heard)
        outputs.append(logits)
        start = stop
    return torch.cat(outputs, dim=1)


def test_the_default_network_has_the_parameters_of_the_published_baseline() -> None:
    parameters = GRU(bins=64, num_classes=3).parameters()
    assert sum(parameter.numel() for parameter in parameters) == 180_003


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("sizes", [sizes for sizes in CHUNKS if 0 not in sizes])
def test_steps_equal_forward(layers: int, sizes: list[int]) -> None:
    gru, features = network(layers), torch.randn(4, 23, 6)
    whole = gru(features, torch.full((4,), 23))
    assert whole.shape == (4, 23, 3)
    torch.testing.assert_close(in_chunks(gru, features, sizes, None), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_no_gradient_reaches_a_later_input(layers: int, masked: bool) -> None:
    gru, features = network(layers), torch.randn(1, 12, 6, requires_grad=True)
    advance = torch.tensor([[1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1]]).bool() if masked else None
    logits = gru.step(features, gru.initial_state(1), advance)[0]
    for frame in (0, 5, 8):
        (gradient,) = torch.autograd.grad(logits[:, frame].sum(), features, retain_graph=True)
        assert torch.count_nonzero(gradient[:, frame + 1 :]) == 0
        assert torch.count_nonzero(gradient[:, : frame + 1]) > 0


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("sizes", CHUNKS[:3] + CHUNKS[4:])
def test_advance_is_the_same_as_cutting_frames_out(layers: int, sizes: list[int]) -> None:
    gru, features = network(layers), torch.randn(4, 23, 6)
    advance = torch.rand(4, 23) > 0.5
    advance[1] = True
    advance[2] = False  # never hears anything
    advance[3, :8] = False  # the first chunks hold nothing
    logits = in_chunks(gru, features, sizes, advance)
    for row, heard in enumerate(advance):
        cut = features[row : row + 1, heard]
        if heard.any():
            expected = gru(cut, torch.tensor([cut.shape[1]]))[0]
            torch.testing.assert_close(logits[row, heard], expected, rtol=0, atol=1e-6)
        for frame in range(1, 23):
            if not heard[frame]:  # what was said before is said again
                torch.testing.assert_close(logits[row, frame], logits[row, frame - 1])


def test_state_after_unheard_frames_is_the_state_before_them() -> None:
    gru = network(2)
    state = gru.step(torch.randn(2, 5, 6), gru.initial_state(2))[1]
    after = gru.step(torch.randn(2, 4, 6), state, torch.zeros(2, 4).bool())[1]
    assert all(torch.equal(old, new) for old, new in zip(state, after, strict=True))


@pytest.mark.parametrize("name", ["units", "layers", "dense"])
def test_a_size_below_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: accepted are 1 and more"):
        GRU(bins=4, num_classes=2, **{name: 0})


def test_normaliser_gives_mean_zero_and_deviation_one() -> None:
    features = torch.randn(50, 40, 3) * torch.tensor([1.0, 5.0, 0.1]) + torch.tensor([0.0, 9.0, -3])
    normaliser = Normaliser(3)
    assert torch.equal(normaliser(features), features)
    normaliser.fit(features.mean((0, 1)), features.std((0, 1), correction=0))
    scaled = normaliser(features)
    torch.testing.assert_close(scaled.mean((0, 1)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std((0, 1), correction=0), torch.ones(3), atol=1e-4, rtol=0)
    assert set(normaliser.state_dict()) == {"shift", "scale"}  # they travel in the checkpoint
