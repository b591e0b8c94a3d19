"""Files with smaller weights: what is measured, written and refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from langid.streaming import precision
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.precision import Piece, reduce_precision

from .conftest import Exported


@pytest.fixture(scope="module")
def pieces(clips: list[np.ndarray]) -> list[Piece]:
    """Return seconds of real clips; of what language does not matter here."""
    return [Piece(clip[16000:48000], number % 3) for number, clip in enumerate(clips[:6])]


def test_float16_is_smaller_and_says_the_same(
    exported: Exported, pieces: list[Piece], tmp_path: Path
) -> None:
    path = tmp_path / "half.onnx"
    comparison = reduce_precision(exported.path, path, "float16", pieces)
    assert list(tmp_path.iterdir()) == [path]
    assert comparison.bytes == (exported.path.stat().st_size, path.stat().st_size)
    weights = [tensor for tensor in onnx.load(path).graph.initializer]
    large = [tensor for tensor in weights if np.prod(tensor.dims) >= precision.LEAST]
    assert large
    assert not [tensor.name for tensor in large if tensor.data_type == onnx.TensorProto.FLOAT]
    assert comparison.pieces == 6
    assert comparison.same == 6
    assert comparison.right[0] == comparison.right[1]
    assert 0 < comparison.largest <= precision.LIMITS["float16"]
    assert list(comparison.factors) == ["10 ms at a time", "100 ms at a time"]
    assert all(factor > 0 for pair in comparison.factors.values() for factor in pair)
    metadata = OnnxModel(path).metadata
    assert metadata.pop("precision") == "float16"
    whole = OnnxModel(exported.path).metadata
    assert whole.pop("precision") == "float32"
    assert {**metadata, "sha256": 0} == {**whole, "sha256": 0}
    json.dumps(metadata, allow_nan=False)
