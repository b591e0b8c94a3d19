"""Real-time factors: of which chunks there is one."""

from pathlib import Path

import numpy as np

from langid.streaming.onnx_model import OnnxModel
from langid.streaming.speed import real_time_factors


def test_models_have_a_factor_each_by_what_comes_at_a_time(
    model_path: Path, clips: list[np.ndarray]
) -> None:
    models = [OnnxModel(model_path), OnnxModel(model_path)]
    factors = real_time_factors(models, clips[0][:4000])
    assert list(factors) == ["10 ms at a time", "100 ms at a time"]
    assert all(len(pair) == 2 and min(pair) > 0 for pair in factors.values())


def test_chunks_that_are_long_or_not_filled_are_left_out(
    model_path: Path, clips: list[np.ndarray]
) -> None:
    model = OnnxModel(model_path)
    assert list(real_time_factors([model], clips[0][:1599])) == ["10 ms at a time"]
    assert real_time_factors([model], clips[0][:40000], hops=[200]) == {}
