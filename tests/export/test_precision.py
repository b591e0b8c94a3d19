"""Files with smaller weights: what is measured, written and refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from langid.errors import LangidError
from langid.export import precision
from langid.export.onnx import export_onnx
from langid.export.precision import Comparison, figures, reduce_precision
from langid.export.validation_clips import LabelledClip
from langid.streaming.onnx_model import OnnxModel

from ..conftest import Exported, Once
from .test_export_networks import untrained


@pytest.fixture(scope="module")
def labelled(clips: list[np.ndarray]) -> list[LabelledClip]:
    """Return seconds of real clips; of what language does not matter here."""
    return [LabelledClip(clip[16000:48000], number % 3) for number, clip in enumerate(clips[:6])]


def test_float16_is_smaller_and_says_the_same(
    exported: Exported, labelled: list[LabelledClip], tmp_path: Path
) -> None:
    path = tmp_path / "half.onnx"
    comparison = reduce_precision(exported.path, path, "float16", labelled)
    assert list(tmp_path.iterdir()) == [path]
    assert comparison.bytes == (exported.path.stat().st_size, path.stat().st_size)
    graph = onnx.load(path).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    casts = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}
    *_, layer = (node for node in graph.node if node.op_type in ("GRU", "LSTM"))  # the network's
    weights = [casts.get(name, name) for name in layer.input[1:3]]
    assert [types[name] for name in weights] == [onnx.TensorProto.FLOAT16] * 2
    half = {name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT16}
    assert not [name for name in half if name.startswith("front_end")]
    assert comparison.clips == 6
    assert comparison.same == 6
    assert comparison.right[0] == comparison.right[1]
    assert 0 < comparison.score <= precision.LIMITS["float16"]
    assert 0 < comparison.frame < 1
    assert list(comparison.factors) == ["10 ms at a time", "100 ms at a time"]
    assert all(factor > 0 for pair in comparison.factors.values() for factor in pair)
    metadata = OnnxModel(path).metadata
    assert metadata.pop("precision") == "float16"
    whole = OnnxModel(exported.path).metadata
    assert whole.pop("precision") == "float32"
    assert {**metadata, "sha256": 0} == {**whole, "sha256": 0}
    json.dumps(metadata, allow_nan=False)


@pytest.fixture(scope="module")
def lstm(clips: list[np.ndarray], once: Once) -> Path:
    """Return the file of an LSTM, the recurrent layer that onnxruntime has in int8."""
    identifier = untrained("recurrent.LSTM", "mask", clips[0])

    def export(folder: Path) -> None:
        export_onnx(identifier, folder / "model.onnx", [clips[0][16000:24000]])

    return once("lstm", export) / "model.onnx"


def operators(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_int8_quantises_the_network_and_not_the_front_end(
    lstm: Path, labelled: list[LabelledClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(precision.LIMITS, "int8", 1.0)  # this network is not trained
    path = tmp_path / "small.onnx"
    comparison = reduce_precision(lstm, path, "int8", labelled)
    assert 0 < comparison.score <= comparison.frame < 1
    small, whole = operators(path), operators(lstm)
    assert small.count("DynamicQuantizeLSTM") == whole.count("LSTM") == 2
    assert small.count("MatMulInteger") == 2  # the two layers of the head
    assert small.count("MatMul") == whole.count("MatMul") - 2
    assert OnnxModel(path).metadata["precision"] == "int8"


def test_int8_that_is_not_faster_is_written_with_the_figures(
    lstm: Path, labelled: list[LabelledClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "real_time_factors", lambda *_: {"10 ms at a time": [0.2, 0.3]})
    monkeypatch.setitem(precision.LIMITS, "int8", 1.0)
    path = tmp_path / "small.onnx"
    path.write_text("an older file")
    told = figures(reduce_precision(lstm, path, "int8", labelled))
    assert "10 ms at a time: real-time factor 0.30000, float32 0.20000 (1.50 x)" in told
    assert OnnxModel(path).metadata["precision"] == "int8"
    assert list(tmp_path.iterdir()) == [path]


def test_scores_that_differ_too_much_are_refused(
    lstm: Path, labelled: list[LabelledClip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(precision.LIMITS, "float16", 1e-9)
    with pytest.raises(LangidError, match="not written, scores in float16 are too far") as error:
        reduce_precision(lstm, tmp_path / "half.onnx", "float16", labelled)
    assert "accepted 1e-09" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_figures_name_both_precisions() -> None:
    comparison = Comparison(
        precision="int8",
        clips=200,
        bytes=(2_000_000, 500_000),
        factors={"10 ms at a time": [0.008, 0.006]},
        right=(120, 119),
        same=197,
        score=0.0123,
        frame=0.0456,
    )
    assert figures(comparison) == [
        "size 0.50 MB, float32 2.00 MB",
        "10 ms at a time: real-time factor 0.00600, float32 0.00800 (0.75 x)",
        "accuracy 0.595, float32 0.600; the same class for 197 of 200 clips",
        "largest difference of a clip's score 1.2e-02, accepted 1e-01; of a frame's posteriors"
        " 4.6e-02",
    ]
