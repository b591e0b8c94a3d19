"""Exported files with smaller weights: what they save, and what they cost, is measured."""

import ast
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from langid.atomic_file import replaced
from langid.errors import LangidError
from langid.export.onnx import described, quiet
from langid.export.parity import feed_clip, largest_difference
from langid.export.validation_clips import LabelledClip
from langid.streaming.decision import official
from langid.streaming.onnx_file import KEY
from langid.streaming.samples import whole_hops
from langid.streaming.speed import real_time_factors
from langid.streaming.streamer import StreamingIdentifier
from langid.streaming.windowed_model import load_model

# By how much a clip's score may differ from float32's. Single frames may differ by more: where one
# class takes over from another, posteriors are steep.
LIMITS = {"float16": 5e-2, "int8": 1e-1}
LEAST = 256  # numbers; smaller arrays weigh nothing, and hold levels and limits
FOLDED = 1 << 30  # bytes: all weights of a model
OUTLYING = 64  # standard deviations between the least and the largest input of a product
LISTENED = 4  # clips on which that is measured
SCOPES = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True)
class Comparison:
    """A file beside the same one in float32, whose figures come first in each pair.

    ``factors`` are real-time factors on one thread, by what comes at a time; ``right`` counts
    the clips whose class was told, ``same`` those of which both files say the same. The largest
    differences are those of any posterior, of a clip's score and of a single frame.
    """

    precision: str
    clips: int
    bytes: tuple[int, int]
    factors: dict[str, list[float]]
    right: tuple[int, int]
    same: int
    score: float
    frame: float


def reduce_precision(
    source: Path, path: Path, precision: str, clips: Sequence[LabelledClip]
) -> Comparison:
    """Write the file ``source``, of float32, in another precision, and return what came of it.

    ``float16`` stores the network's weights so; the graph makes float32 of them. ``int8`` is
    onnxruntime's dynamic quantisation of its products, LSTM layers and convolutions (there is none
    of GRU and RNN), but for products in a window's graph whose inputs have outliers. The front end
    stays as it is: the spectrum's quiet bands are differences of loud ones, and drown in coarse
    numbers. Raises LangidError, and writes nothing, where scores (mean posteriors over speech)
    differ by more than LIMITS.
    """
    model = onnx.load_model_from_string(source.read_bytes())
    (metadata,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == KEY)
    reduced = _float16(model) if precision == "float16" else _int8(model, metadata, clips)
    with replaced(path, "output") as partial:
        partial.write_bytes(described(reduced, metadata | {"precision": precision}))
        comparison = _compared(precision, source, partial, clips)
        if not comparison.score <= LIMITS[precision]:
            raise LangidError(
                f"{path}: not written, scores in {precision} are too far from those in float32:"
                f" {'; '.join(figures(comparison))}; take another precision"
            )
    return comparison


def _float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large weights as float16, each behind a Cast that onnxruntime does when it loads."""
    used = {name for node in model.graph.node if _of_network(node) for name in node.input}
    casts = []
    for tensor in model.graph.initializer:
        large = tensor.data_type == TensorProto.FLOAT and math.prod(tensor.dims) >= LEAST
        if large and tensor.name in used:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _int8(
    model: onnx.ModelProto, metadata: dict[str, Any], clips: Sequence[LabelledClip]
) -> onnx.ModelProto:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxscript import optimizer

    # The weights of a layer are made of torch's in the graph; only ready ones can be quantised.
    optimizer.fold_constants(model, input_size_limit=FOLDED, output_size_limit=FOLDED)
    del model.graph.value_info[:]  # the shapes of what was folded would stay, some of them wrong
    outlying = _outlying(model, metadata, clips[:LISTENED])
    with quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul", "LSTM", "Conv"],
            nodes_to_quantize=[node.name for node in model.graph.node if _of_network(node)],
            nodes_to_exclude=outlying,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
        return onnx.load_model_from_string(path.read_bytes())


def _outlying(
    model: onnx.ModelProto, metadata: dict[str, Any], clips: Sequence[LabelledClip]
) -> list[str]:
    """Return the products of a window's graph whose inputs have outliers on some clips.

    With them 256 levels are too coarse for the rest (Dettmers et al. 2022, "LLM.int8()"), as in the
    upper layers of Whisper.
    """
    import onnxruntime

    products = [node for node in model.graph.node if node.op_type == "MatMul" and _of_network(node)]
    names = sorted({node.input[0] for node in products})
    if "frame_samples" not in metadata or not names:
        return []
    inner = onnx.ModelProto()
    inner.CopyFrom(model)
    inner.graph.output.extend(map(helper.make_empty_tensor_value_info, names))
    session = onnxruntime.InferenceSession(
        inner.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found = set()
    for clip in clips:
        heard = clip.samples[: metadata["window_samples"]]
        samples = whole_hops(heard, metadata["frame_samples"])[None]
        values = zip(names, session.run(names, {"samples": samples}), strict=True)
        found |= {name for name, value in values if np.ptp(value) > OUTLYING * value.std()}
    return [node.name for node in products if node.input[0] in found]


def _of_network(node: onnx.NodeProto) -> bool:
    """Whether a node comes of layers of the network or of an encoder before it.

    torch's exporter notes down which; what makes an encoder's input of samples is none of them.
    """
    noted = [entry.value for entry in node.metadata_props if entry.key == SCOPES]
    parts = [part.split(".") for scopes in noted for part in ast.literal_eval(scopes)]
    learned = any(part[0] in ("network", "model") for part in parts)
    return learned and not any("inputs" in part for part in parts)


def _compared(
    precision: str, source: Path, path: Path, clips: Sequence[LabelledClip]
) -> Comparison:
    models = [load_model(source), load_model(path)]
    metadata = models[0].metadata
    settings = vars(official(metadata)) | {"languages": metadata["classes"]}
    streams = [StreamingIdentifier(model, **settings) for model in models]
    right, own_right, same, score, frame = 0, 0, 0, 0.0, 0.0
    for clip in clips:
        posteriors = [feed_clip(stream, clip.samples, len(clip.samples)) for stream in streams]
        scores = [np.array(list(stream.decision.posteriors.values())) for stream in streams]
        before, own = (said.argmax() for said in scores)
        right += before == clip.target
        own_right += own == clip.target
        same += before == own
        score = max(score, largest_difference(*scores))
        frame = max(frame, largest_difference(*posteriors))
    return Comparison(
        precision=precision,
        clips=len(clips),
        bytes=(source.stat().st_size, path.stat().st_size),
        factors=real_time_factors(models, np.concatenate([clip.samples for clip in clips])),
        right=(int(right), int(own_right)),
        same=int(same),
        score=score,
        frame=frame,
    )


def figures(comparison: Comparison) -> list[str]:
    """Return what was measured, a line for each thing, the file's own figures before float32's."""
    (whole, own), (right, own_right) = comparison.bytes, comparison.right
    count = comparison.clips
    return [
        f"size {own / 1e6:.2f} MB, float32 {whole / 1e6:.2f} MB",
        *(
            f"{name}: real-time factor {factor:.5f}, float32 {before:.5f} ({factor / before:.2f} x)"
            for name, (before, factor) in comparison.factors.items()
        ),
        f"accuracy {own_right / count:.3f}, float32 {right / count:.3f}; the same class for"
        f" {comparison.same} of {count} clips",
        f"largest difference of a clip's score {comparison.score:.1e}, accepted"
        f" {LIMITS[comparison.precision]:.0e}; of a frame's posteriors {comparison.frame:.1e}",
    ]
