"""What holds for every network of frames: steps equal forward, and nothing looks ahead."""

import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from langid.networks.conformer import Conformer
from langid.networks.network import Network, State, StreamingNetwork
from langid.networks.recurrent import GRU, LSTM, RNN, BiGRU, BiLSTM
from langid.networks.tcn import TCN

TIME = 110  # more than a Conformer's forward hears at once
STREAMING: dict[str, Callable[[], StreamingNetwork]] = {
    "rnn": lambda: RNN(6, 3, units=[10, 7], dense=5, dropout=0.3),
    "gru": lambda: GRU(6, 3, units=10, layers=2, dense=5, dropout=0.3),
    "lstm": lambda: LSTM(6, 3, units=[10, 7], dense=5, dropout=0.3),
    "gru, no dense layer": lambda: GRU(6, 3, units=10, dense=[], dropout=0.3, head_dropout=0.3),
    "gru, cmvn": lambda: GRU(6, 3, units=[10, 7], dense=5, cmvn_frames=20),
    "lstm, cmvn": lambda: LSTM(6, 3, units=10, dense=5, dropout=0.3, cmvn_frames=20),
    "gru, pooling": lambda: GRU(6, 3, units=[10, 7], dense=5, cmvn_frames=20, pooling_frames=30),
    "lstm, pooling": lambda: LSTM(6, 3, units=10, dense=5, dropout=0.3, pooling_frames=30),
    "gru, convolutions": lambda: GRU(
        6, 3, units=[10, 7], dense=5, cmvn_frames=20, convolutions=[4, 5], stacked=2
    ),
    "lstm, convolutions": lambda: LSTM(
        6, 3, units=10, dense=5, pooling_frames=30, convolutions=[4]
    ),
    "lstm, two of tanh": lambda: LSTM(6, 3, units=[10, 7], dense=[8, 5], activation="tanh"),
    "tcn": lambda: TCN(6, 3, channels=8, layers=3, kernel=3, dense=5, dropout=0.3),
    "conformer": lambda: Conformer(
        6, 3, width=8, layers=2, heads=2, kernel=4, context_frames=9, dropout=0.3
    ),
    "tcn, cmvn": lambda: TCN(6, 3, channels=8, layers=3, dense=5, cmvn_frames=20),
    "conformer, cmvn": lambda: Conformer(
        6, 3, width=8, layers=2, heads=2, kernel=4, context_frames=9, cmvn_frames=20
    ),
}
BOTH_WAYS: dict[str, Callable[[], Network]] = {
    "bigru": lambda: BiGRU(6, 3, units=10, layers=2, dense=5, dropout=0.3),
    "bilstm": lambda: BiLSTM(6, 3, units=[10, 7], dense=5, dropout=0.3),
    "bigru, cmvn": lambda: BiGRU(6, 3, units=10, dense=5, cmvn_frames=20),
    "bigru, convolutions": lambda: BiGRU(6, 3, units=10, dense=5, convolutions=[4, 5], stacked=2),
    "bigru, two of tanh": lambda: BiGRU(6, 3, units=10, dense=[8, 5], activation="tanh"),
}


@pytest.fixture(params=STREAMING)
def network(request: pytest.FixtureRequest) -> StreamingNetwork:
    """Return a small network of each kind, none of whose weights is zero."""
    torch.manual_seed(1)
    built = STREAMING[request.param]().eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return built


@pytest.fixture
def features() -> Tensor:
    return torch.randn(4, TIME, 6, generator=torch.Generator().manual_seed(2))


def lengths(features: Tensor) -> Tensor:
    return torch.full((len(features),), features.shape[1])


@torch.no_grad()
def in_chunks(
    network: StreamingNetwork, features: Tensor, size: int, advance: Tensor | None = None
) -> tuple[Tensor, State]:
    state, outputs = network.initial_state(len(features)), []
    for start in range(0, features.shape[1], size):
        stop = start + size
        heard = None if advance is None else advance[:, start:stop]
        logits, state = network.step(features[:, start:stop], state, heard)
        outputs.append(logits)
    return torch.cat(outputs, dim=1), state


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 3, 7, TIME])
def test_steps_equal_forward(network: StreamingNetwork, features: Tensor, size: int) -> None:
    whole = network(features, lengths(features))
    assert whole.shape == (4, TIME, 3)
    assert whole.std(1).min() > 1e-3  # or there is nothing to compare
    torch.testing.assert_close(in_chunks(network, features, size)[0], whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_no_gradient_reaches_a_later_input(
    network: StreamingNetwork, features: Tensor, masked: bool
) -> None:
    few = features[:1, :12].clone().requires_grad_()
    advance = torch.tensor([[1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1]]).bool() if masked else None
    logits = network.step(few, network.initial_state(1), advance)[0]
    for frame in (0, 5, 8):
        (gradient,) = torch.autograd.grad(logits[:, frame].sum(), few, retain_graph=True)
        assert torch.count_nonzero(gradient[:, frame + 1 :]) == 0
        assert torch.count_nonzero(gradient[:, : frame + 1]) > 0
        if advance is not None:
            assert torch.count_nonzero(gradient[:, ~advance[0]]) == 0


@torch.no_grad()
@pytest.mark.parametrize("name", [*STREAMING, *BOTH_WAYS])
def test_padding_changes_nothing_before_it(name: str, features: Tensor) -> None:
    torch.manual_seed(1)
    network = (STREAMING | BOTH_WAYS)[name]().eval()
    sizes = torch.tensor([TIME, 40, 7, 1])
    expected = network(features, sizes)
    assert expected.shape == (4, TIME, 3)
    padded = features.clone()
    for row, size in enumerate(sizes.tolist()):
        padded[row, size:] = 1e3
        alone = network(features[row : row + 1, :size], torch.tensor([size]))[0]
        torch.testing.assert_close(alone, expected[row, :size], rtol=0, atol=1e-5)
    logits = network(padded, sizes)
    for row, size in enumerate(sizes.tolist()):
        torch.testing.assert_close(logits[row, :size], expected[row, :size], rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 3, 7, TIME])
def test_advance_is_the_same_as_cutting_frames_out(
    network: StreamingNetwork, features: Tensor, size: int
) -> None:
    advance = torch.rand(4, TIME, generator=torch.Generator().manual_seed(3)) > 0.5
    advance[1] = True
    advance[2] = False  # never hears anything
    advance[3, :30] = False  # the first chunks hold nothing
    logits, state = in_chunks(network, features, size, advance)
    for row, heard in enumerate(advance):
        cut = features[row : row + 1, heard]
        after = network.initial_state(1)
        if heard.any():
            expected, after = network.step(cut, after)
            torch.testing.assert_close(logits[row, heard], expected[0], rtol=0, atol=1e-5)
        for one, other in zip(state, after, strict=True):
            torch.testing.assert_close(one[row], other[0], rtol=0, atol=1e-5)
        for frame in torch.nonzero(~heard).flatten().tolist():
            if frame:  # what was said before is said again
                said = logits[row, frame - 1]
                torch.testing.assert_close(logits[row, frame], said, rtol=0, atol=1e-6)


@torch.no_grad()
def test_a_long_silence_leaves_the_memory_to_the_bit(network: StreamingNetwork) -> None:
    state = network.step(torch.randn(2, 20, 6), network.initial_state(2))[1]
    after = network.step(torch.randn(2, 3000, 6), state, torch.zeros(2, 3000).bool())[1]
    assert all(torch.equal(old, new) for old, new in zip(state, after, strict=True))


@torch.no_grad()
def test_state_is_made_for_any_runtime(network: StreamingNetwork, features: Tensor) -> None:
    state = network.initial_state(5)
    after = network.step(features[:1], network.initial_state(1))[1]
    for before, behind in zip(state, after, strict=True):
        assert before.dtype == behind.dtype == torch.float32
        assert (before == before.flatten()[0]).all()  # a file of langid export holds one number
        assert (5, *behind.shape[1:]) == before.shape


@torch.no_grad()
@pytest.mark.parametrize("name", [*STREAMING, *BOTH_WAYS])
def test_weights_alone_make_the_same_network(name: str, features: Tensor) -> None:
    torch.manual_seed(1)
    one, other = ((STREAMING | BOTH_WAYS)[name]().eval() for _ in range(2))
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    expected = one(features, lengths(features))
    assert not torch.allclose(other(features, lengths(features)), expected)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(features, lengths(features)), expected)
