"""A trained identifier to one ONNX file: PCM and state in, posteriors and state out."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import opset20 as op

from langid.export.graph.fused_graph import FusedModule
from langid.export.graph.recurrent_layers import TRANSLATIONS, WholeLayers
from langid.export.parity import compare, write_checked
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.decision import MEAN, DecisionSettings
from langid.streaming.onnx_file import KEY, digest
from langid.streaming.onnx_model import OnnxModel, Ports, ports
from langid.training.identifier import LanguageIdentifier

EXAMPLE_STREAMS, EXAMPLE_FRAMES = 2, 4  # torch runs layers over every frame of the example


def export_onnx(
    identifier: LanguageIdentifier,
    path: Path,
    clips: Sequence[np.ndarray],
    decision: DecisionSettings = MEAN,
) -> dict[str, float]:
    """Write the identifier as one file and return the largest differences of posteriors found.

    ``clips`` are real speech, ``(samples,)`` each, at the identifier's sample rate, on every frame
    of which offline PyTorch, PyTorch in steps and the ONNX session must agree. ``decision`` is how
    the file's streams decide where nothing else is asked for. Raises LangidError for an identifier
    that cannot be streamed, and where they disagree.
    """
    module = FusedModule(identifier)
    metadata = module.metadata(decision)

    def content() -> bytes:
        return content_of(module, *example(module), ports(metadata), metadata)

    def differences(written: Path) -> dict[str, float]:
        pytorch = TorchModel(StreamingModule(identifier))
        return compare(identifier, {"PyTorch": pytorch, "ONNX": OnnxModel(written)}, clips)

    return write_checked(path, identifier, content, clips, differences)


def described(model: onnx.ModelProto, metadata: dict[str, Any]) -> bytes:
    """Return the file of a graph and its metadata, with the SHA-256 of both."""
    del model.metadata_props[:]
    signed = metadata | {"sha256": digest(model.SerializeToString(), metadata)}
    model.metadata_props.add(key=KEY, value=json.dumps(signed))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def example(module: StreamingModule) -> tuple[tuple[torch.Tensor, ...], tuple[Any, ...]]:
    """Return arguments to trace the module on, and which of their axes have any length."""
    state = module.initial_state(EXAMPLE_STREAMS)
    samples = torch.zeros(EXAMPLE_STREAMS, EXAMPLE_FRAMES * module.front_end.hop_samples)
    streams, frames = torch.export.Dim("streams"), torch.export.Dim("frames")
    lengths = {0: streams, 1: module.front_end.hop_samples * frames}
    return (samples, *state), (lengths, tuple({0: streams} for _ in state))


def content_of(
    module: torch.nn.Module,
    arguments: tuple[torch.Tensor, ...],
    dynamic_shapes: tuple[Any, ...],
    ports: Ports,
    metadata: dict[str, Any],
) -> bytes:
    """Return the file of a module, traced on example arguments, with its metadata."""
    names = list(ports)
    with quiet(), WholeLayers(), torch.no_grad():  # asked for here, or it would hide layers
        program = torch.onnx.export(
            module,
            arguments,
            dynamo=True,
            custom_translation_table=TRANSLATIONS | OWN,
            verbose=False,
            input_names=names[: len(arguments)],
            output_names=names[len(arguments) :],
            dynamic_shapes=dynamic_shapes,
        )
    assert program is not None
    model = program.model_proto
    for value in (*model.graph.input, *model.graph.output):  # of the example some have its lengths
        kind, axes = value.type.tensor_type.elem_type, ports[value.name][1]
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, axes))
    del model.graph.value_info[:]
    return described(model, metadata)


def _unfold(x: Any, dimension: int, size: int, step: int) -> Any:
    """Translate unfold of samples: into hops that do not overlap by one node instead of ten."""
    assert dimension == 1
    if size == step:
        return op.Reshape(x, [0, -1, size])
    behind_last = op.Sub(op.Squeeze(op.Shape(x, start=1, end=2)), size - 1)
    starts = op.Unsqueeze(op.Range(0, behind_last, step), [1])
    return op.Gather(x, op.Add(starts, [*range(size)]), axis=1)


def _view(x: Any, sizes: Any) -> Any:
    """Translate view: sizes that are no numbers by 0, as before, and one of them by -1."""
    told = [
        size if isinstance(size, int) else -1 * (not _is_that_of(size, x, axis))
        for axis, size in enumerate(sizes)
    ]
    if told.count(-1) > 1:
        told = op.Concat(*(op.Reshape(size, [1]) for size in sizes), axis=0)
    return op.Reshape(x, told)


def _is_that_of(size: Any, x: Any, axis: int) -> bool:
    """Return whether a size was read off an input, and is that of this axis, too."""
    last = size.producer()
    first = last.inputs[0].producer() if last is not None and last.inputs else None
    if first is None or (first.op_type, last.op_type) != ("Shape", "Squeeze"):
        return False
    place: int = first.attributes["start"].value
    return bool(first.inputs[0].shape[place] == x.shape[axis])


def _gather(x: Any, dimension: int, index: Any, sparse_grad: bool = False) -> Any:
    """Translate gather: where the index is the same for all units, by whole frames."""
    node = index.producer()
    if dimension == 1 and node is not None and node.op_type == "Expand":
        return op.GatherND(x, node.inputs[0], batch_dims=1)
    return op.GatherElements(x, index, axis=dimension)


def _sort(x: Any, *, stable: bool, dim: int, descending: bool) -> Any:
    """Translate a stable sort, as TopK is one."""
    return op.TopK(x, op.Shape(x, start=dim, end=dim + 1), axis=dim, largest=int(descending))


OWN: dict[Any, Any] = {
    torch.ops.aten.sort.stable: _sort,
    torch.ops.aten.gather.default: _gather,
    torch.ops.aten.view.default: _view,
    torch.ops.aten._unsafe_view.default: _view,
    torch.ops.aten.unfold.default: _unfold,
    torch.ops.langid.reshape.default: lambda x, sizes: op.Reshape(x, sizes),
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Let torch export anew, with its progress and advice off the user's terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
