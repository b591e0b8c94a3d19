"""A trained identifier to one ONNX file: PCM and state in, posteriors and state out."""

import contextlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import opset20 as op

from langid.errors import LangidError
from langid.streaming.fused import FusedModule
from langid.streaming.onnx_file import KEY, digest
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.streaming_module import StreamingModule, TorchModel
from langid.training.identifier import LanguageIdentifier

TOLERANCE = 1e-4
CHUNKS = (160, 1000, 1_000_000)
EXAMPLE_STREAMS, EXAMPLE_FRAMES = 2, 10


def export_onnx(
    identifier: LanguageIdentifier, path: Path, clips: list[np.ndarray]
) -> dict[str, float]:
    """Write the identifier as one file and return the largest differences of posteriors found.

    ``clips`` are real speech, ``(samples,)`` each, at the identifier's sample rate: before the file
    gets its name, offline PyTorch, PyTorch in steps and the ONNX session must agree on every frame
    of them. Raises LangidError for an identifier that cannot be streamed, and where they disagree.
    """
    module = StreamingModule(identifier)
    if not sum(len(clip) for clip in clips):
        raise LangidError("export: no samples to compare PyTorch and ONNX on; give audio=FILE")
    fused = FusedModule(identifier)
    model = _to_onnx(fused)
    _declare_shapes(model, fused)
    metadata = fused.metadata()
    metadata["sha256"] = digest(model.SerializeToString(), metadata)
    model.metadata_props.add(key=KEY, value=json.dumps(metadata))
    onnx.checker.check_model(model)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(model.SerializeToString())
        differences = compare(identifier, module, OnnxModel(partial), clips)
        worst = max(differences.values())
        if not worst <= TOLERANCE:
            raise LangidError(
                f"{path}: not written, the exported graph differs from PyTorch by {worst:.1e} on"
                f" real speech; accepted is {TOLERANCE:.0e} ({differences})"
            )
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return differences


def compare(
    identifier: LanguageIdentifier,
    module: StreamingModule,
    session: OnnxModel,
    clips: list[np.ndarray],
) -> dict[str, float]:
    """Return the largest difference from the offline posteriors, per runtime and chunk size."""
    differences: dict[str, float] = {}
    streams = {
        "PyTorch": StreamingIdentifier(TorchModel(module)),
        "ONNX": StreamingIdentifier(session),
    }
    for clip in clips:
        offline = identifier.posteriors(torch.from_numpy(clip)[None])[0][0].numpy()
        if not np.isfinite(offline).all():
            raise LangidError("export: the model's posteriors are NaN: its training has diverged")
        for name, stream in streams.items():
            for chunk in CHUNKS:
                size = f"{chunk} samples" if chunk < CHUNKS[-1] else "whole clip"
                largest = difference(stream, clip, chunk, offline)
                differences[f"{name}, {size}"] = max(
                    differences.get(f"{name}, {size}", 0.0), largest
                )
    return differences


def difference(
    stream: StreamingIdentifier, clip: np.ndarray, chunk: int, offline: np.ndarray
) -> float:
    """Return the largest difference on one clip; infinity where a frame is absent or NaN."""
    stream.reset()
    pieces = [stream.feed(clip[i : i + chunk]) for i in range(0, len(clip), chunk)]
    heard = np.concatenate([*pieces, stream.flush()])
    if heard.shape != offline.shape or not np.isfinite(heard).all():
        return float("inf")
    return float(np.abs(heard - offline).max(initial=0.0))


def _to_onnx(module: StreamingModule) -> onnx.ModelProto:
    state = module.initial_state(EXAMPLE_STREAMS)
    samples = torch.zeros(EXAMPLE_STREAMS, EXAMPLE_FRAMES * module.front_end.hop_samples)
    streams, frames = torch.export.Dim("streams"), torch.export.Dim("frames")
    names = [f"state_{number}" for number in range(len(state))]
    # torch 2.13 caches the decomposition of the first export, and a second one fails on it.
    for operator in RECURRENT:
        operator._dispatch_cache.clear()
    with _quiet():
        program = torch.onnx.export(
            module,
            (samples, *state),
            dynamo=True,
            custom_translation_table=RECURRENT | OWN,
            verbose=False,
            input_names=["samples", *names],
            output_names=["posteriors", "speech", *(f"next_{name}" for name in names)],
            dynamic_shapes=(
                {0: streams, 1: module.front_end.hop_samples * frames},
                tuple({0: streams} for _ in state),
            ),
        )
    assert program is not None
    return program.model_proto


def _recurrent(operator: Any, order: tuple[int, ...], **options: Any) -> Any:
    """Return the translation of one layer: ONNX's operator, with torch's gates in its order.

    The exporter's own has 14 nodes more a step.
    """

    def translate(
        x: Any, state: Any, weights: Any, biases: bool, layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        assert biases and layers == 1 and not bidirectional and batch_first
        w, r, *b = (_reordered(weight, order) for weight in weights)
        outputs, *after = operator(
            op.Transpose(x, perm=[1, 0, 2]),
            op.Unsqueeze(w, [0]),
            op.Unsqueeze(r, [0]),
            op.Unsqueeze(op.Concat(*b, axis=0), [0]),
            None,
            *(state if isinstance(state, list | tuple) else [state]),
            hidden_size=weights[1].shape[1],
            **options,
        )
        return op.Transpose(op.Squeeze(outputs, [1]), perm=[1, 0, 2]), *after

    return translate


def _reordered(weight: Any, order: tuple[int, ...]) -> Any:
    if len(order) == 1:
        return weight
    gates = op.Split(weight, num_outputs=len(order), axis=0)
    return op.Concat(*(gates[gate] for gate in order), axis=0)


RECURRENT: dict[Any, Any] = {
    torch.ops.aten.rnn_tanh.input: _recurrent(op.RNN, (0,)),
    torch.ops.aten.gru.input: _recurrent(op.GRU, (1, 0, 2), linear_before_reset=1),
    torch.ops.aten.lstm.input: _recurrent(op.LSTM, (0, 3, 1, 2)),
}


def _unfold(x: Any, dimension: int, size: int, step: int) -> Any:
    """Translate unfold of samples into hops that do not overlap: one node instead of ten."""
    assert (dimension, size) == (1, step)
    return op.Reshape(x, [0, -1, size])


OWN: dict[Any, Any] = {
    torch.ops.aten.unfold.default: _unfold,
    torch.ops.langid.reshape.default: lambda x, sizes: op.Reshape(x, sizes),
}


def _declare_shapes(model: onnx.ModelProto, module: StreamingModule) -> None:
    """Name the axes of inputs and outputs; the exporter leaves the example's frames in some."""
    state = [[*tensor.shape[1:]] for tensor in module.initial_state(1)]
    languages = len(module.identifier.classes)
    hop = module.front_end.hop_samples
    shapes: dict[str, list[str | int]] = {
        "samples": ["streams", f"{hop}*frames"],
        "posteriors": ["streams", "frames", languages],
        "speech": ["streams", "frames"],
    }
    for number, shape in enumerate(state):
        shapes[f"state_{number}"] = shapes[f"next_state_{number}"] = ["streams", *shape]
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape
        del dimensions.dim[:]
        for size in shapes[value.name]:
            if isinstance(size, str):
                dimensions.dim.add(dim_param=size)
            else:
                dimensions.dim.add(dim_value=size)
    del model.graph.value_info[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and advice off the user's terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
