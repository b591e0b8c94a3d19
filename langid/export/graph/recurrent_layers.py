"""Recurrent layers of an exported graph: each is one operator of ONNX.

torch works out the shapes of its own by running them frame by frame, several times in an export:
of a window of 150 frames in both directions that took a minute and more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from onnxscript import opset20 as op
from torch import Tensor
from torch.overrides import TorchFunctionMode


def _shapes(x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
    outputs = x.new_empty(*x.shape[:2], state[0].shape[-1])
    return outputs, *(torch.empty_like(memory) for memory in state)


for _layer, _results in (("rnn", 2), ("gru", 2), ("lstm", 3)):
    torch.library.define(
        f"langid::{_layer}",
        f"(Tensor x, Tensor[] state, Tensor[] weights) -> ({', '.join(['Tensor'] * _results)})",
    )
    torch.library.register_fake(f"langid::{_layer}", _shapes)

LAYERS: Mapping[Any, Any] = {
    torch.rnn_tanh: torch.ops.langid.rnn,
    torch.gru: torch.ops.langid.gru,
    torch.lstm: torch.ops.langid.lstm,
}


class WholeLayers(TorchFunctionMode):
    """While it is entered, a recurrent layer is one operator, which only an export understands."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        if function not in LAYERS:
            return function(*arguments, **keywords or {})
        x, state, weights, biases, layers, _, _, bidirectional, batch_first = arguments
        assert biases and layers == 1 and not bidirectional and batch_first
        memories = state if isinstance(state, list | tuple) else [state]
        return LAYERS[function](x, memories, weights)


def _translation(operator: Any, order: tuple[int, ...], **options: Any) -> Any:
    """Return the translation of one layer: ONNX's operator, with torch's gates in its order."""

    def translate(x: Any, state: Any, weights: Any) -> Any:
        w, r, *b = (_reordered(weight, order) for weight in weights)
        outputs, *after = operator(
            op.Transpose(x, perm=[1, 0, 2]),
            op.Unsqueeze(w, [0]),
            op.Unsqueeze(r, [0]),
            op.Unsqueeze(op.Concat(*b, axis=0), [0]),
            None,
            *state,
            hidden_size=weights[1].shape[1],
            **options,
        )
        return op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2]), *after

    return translate


def _reordered(weight: Any, order: tuple[int, ...]) -> Any:
    if len(order) == 1:
        return weight
    units = weight.shape[0] // len(order)
    rows = [gate * units + unit for gate in order for unit in range(units)]
    return op.Gather(weight, op.Constant(value_ints=rows), axis=0)


TRANSLATIONS: dict[Any, Any] = {
    torch.ops.langid.rnn.default: _translation(op.RNN, (0,)),
    torch.ops.langid.gru.default: _translation(op.GRU, (1, 0, 2), linear_before_reset=1),
    torch.ops.langid.lstm.default: _translation(op.LSTM, (0, 3, 1, 2)),
}
