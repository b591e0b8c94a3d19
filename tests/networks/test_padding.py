"""Tests of langid/networks/padding.py, alone and in the networks that norm over frames."""

import copy

import pytest
import torch
from torch import Tensor, nn

from langid.networks.cnn import CNN
from langid.networks.ecapa_tdnn import ECAPATDNN
from langid.networks.padding import RealFrames, frame_mask, norm_frames

LENGTHS = [9, 1, 4, 6]


def norm_of(bins: tuple[int, ...]) -> nn.BatchNorm1d | nn.BatchNorm2d:
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(3) if bins else nn.BatchNorm1d(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


def statistics(frames: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and variance, corrected as running ones are, of ``(channels, time, ...)``."""
    values = torch.cat([some.double().flatten(1) for some in frames], dim=1)
    return values.mean(1), values.var(1)


@pytest.mark.parametrize("bins", [(), (5,)], ids=["vectors", "pictures"])
def test_real_frames_are_normed_as_if_there_were_no_others(bins: tuple[int, ...]) -> None:
    norm, mask = norm_of(bins), frame_mask(torch.tensor(LENGTHS), 11)
    hidden = torch.randn(4, 3, 11, *bins) * 2 + 7
    real = [row[:, :length].double() for row, length in zip(hidden, LENGTHS, strict=True)]
    hidden.transpose(1, 2)[~mask] = 1e3
    hidden.requires_grad_()
    normed = norm_frames(norm, hidden, RealFrames(mask))
    mean, variance = statistics(real)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean.float())
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * variance.float())
    reference = copy.deepcopy(norm).double()
    together = torch.cat(real, dim=1).transpose(0, 1).unsqueeze(2)  # (frames, channels, 1, ...)
    together.requires_grad_()
    expected = reference(together)
    found = normed.transpose(1, 2)
    torch.testing.assert_close(found[mask], expected.squeeze(2).float(), rtol=0, atol=1e-5)
    assert torch.count_nonzero(found[~mask]) == 0
    (slope,) = torch.autograd.grad(expected.pow(3).sum(), together)
    (found,) = torch.autograd.grad(normed.pow(3).sum(), hidden)
    found = found.transpose(1, 2)
    torch.testing.assert_close(found[mask], slope.squeeze(2).float(), rtol=0, atol=1e-5)
    assert torch.count_nonzero(found[~mask]) == 0


def test_in_evaluation_padding_becomes_zero_and_nothing_else_changes() -> None:
    norm, hidden = norm_of(()).eval(), torch.randn(4, 3, 9)
    mask = frame_mask(torch.tensor(LENGTHS), 9)
    normed = norm_frames(norm, hidden, RealFrames(mask))
    torch.testing.assert_close(normed, norm(hidden) * mask[:, None])


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 2), (1, 3, 1, 1)])
def test_a_single_value_is_scaled_by_the_running_statistics(shape: tuple[int, ...]) -> None:
    norm, values = norm_of(shape[3:]), torch.randn(shape)
    for _ in range(200):
        norm_frames(norm, torch.randn(6, *shape[1:]) * 4 + 2)
    before = [value.clone() for value in norm.state_dict().values()]
    real = RealFrames(frame_mask(torch.tensor([1]), shape[2])) if shape[2:] else None
    single = norm_frames(norm, values, real)
    assert all(map(torch.equal, norm.state_dict().values(), before))
    first = values[:, :, :1] if shape[2:] else values
    expected = norm.eval()(first)
    torch.testing.assert_close(single[:, :, :1] if shape[2:] else single, expected)


NETWORKS = {
    "cnn": (lambda: CNN(6, 3, channels=[4, 5], dense=4), "blocks.convolutions.0", "blocks.norms.0"),
    "ecapa_tdnn": (
        lambda: ECAPATDNN(6, 3, channels=16, aggregated=8, embedding=4, bottleneck=4),
        "stem.convolution",
        "stem.norm",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_running_statistics_are_those_of_utterances_heard_alone(name: str) -> None:
    make, convolution, normed = NETWORKS[name]
    torch.manual_seed(4)
    network = make()
    lengths, features = torch.tensor([30, 7, 2, 19]), torch.randn(4, 30, 6)
    alone: list[Tensor] = []
    hook = network.get_submodule(convolution).register_forward_hook(
        lambda _, __, outputs: alone.append(outputs[0].detach())
    )
    silent = copy.deepcopy(network).eval()  # its hook is that of the first as well
    for row, length in zip(features, lengths, strict=True):
        silent(row[None, :length], length[None])
    hook.remove()
    network(features, lengths)
    mean, variance = statistics([torch.relu(some) if name != "cnn" else some for some in alone])
    norm = network.get_submodule(normed)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean.float())
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * variance.float())


@pytest.mark.parametrize("name", NETWORKS)
def test_norms_may_be_synchronised_between_processes(name: str) -> None:
    network = NETWORKS[name][0]()
    state = copy.deepcopy(network.state_dict())
    lengths, features = torch.tensor([30, 7, 2, 19]), torch.randn(4, 30, 6)
    expected = network(features, lengths)
    network.load_state_dict(state)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    assert any(isinstance(module, nn.SyncBatchNorm) for module in converted.modules())
    torch.testing.assert_close(converted(features, lengths), expected)
