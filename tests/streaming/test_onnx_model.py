"""An exported file under onnxruntime, and files that are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from langid.errors import LangidError
from langid.streaming.onnx_model import OnnxModel
from langid.streaming.streamer import StreamingIdentifier

from ..conftest import sealed


def test_initial_state_has_streams_on_the_first_axis(model_path: Path) -> None:
    model = OnnxModel(model_path)
    assert model.session.get_inputs()[0].name == "samples"
    for one, three in zip(model.initial_state(1), model.initial_state(3), strict=True):
        assert (one.shape[0], three.shape[0]) == (1, 3)
        np.testing.assert_array_equal(three, np.repeat(one, 3, axis=0))


def test_a_saved_state_goes_on_where_it_was(model_path: Path) -> None:
    stepper = OnnxModel(model_path).stepper(2)
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 9 * 160)).astype(np.float32)
    before, _ = stepper.step(samples)
    kept, saved = before.copy(), stepper.state
    expected, _ = stepper.step(samples[:, :160])
    np.testing.assert_array_equal(before, kept)  # results are not overwritten by the next step
    stepper.step(samples)
    stepper.state = saved
    np.testing.assert_array_equal(stepper.step(samples[:, :160])[0], expected)


def test_a_file_of_langid_is_one_file(model_path: Path) -> None:
    model = onnx.load(model_path, load_external_data=False)
    assert not [tensor.name for tensor in model.graph.initializer if tensor.data_location]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"classes": []}, r"classes is \[\], expected is a list of different names"),
        ({"classes": ["a", "a", "b"]}, "classes is .* expected is a list of different names"),
        ({"classes": "abc"}, "classes is 'abc', expected is a list of different names"),
        ({"sample_rate": "16000"}, "sample_rate is '16000', expected is a whole number of Hz"),
        ({"hop_samples": 160.5}, r"hop_samples is 160\.5, expected is a whole number above 0"),
        ({"hop_samples": True}, "hop_samples is True, expected is a whole number above 0"),
        ({"frames_at_once": 0}, "frames_at_once is 0, expected is a whole number above 0, or null"),
        ({"state": {"state_0": [5]}}, "state is .*, expected is a list of lists of sizes"),
        ({"state": [[-1]]}, "state is .*, expected is a list of lists of sizes"),
        ({"initial_state": [float("nan")]}, "initial_state is .* expected is a list of finite num"),
        ({"temperature": 0}, "temperature is 0, expected is a number above 0"),
        ({"decision": [1]}, r"decision is \[1\], expected is settings by their names"),
        ({"licence": 3}, "licence is 3, expected is a text"),
        ({"decision": {"decide_at": 2}}, "its decision settings: decide_at=2: accepted are"),
        ({"decision": {"half_life": 2}}, "its decision settings: no decision setting half_life"),
        ({"initial_state": [0.0]}, r"describe \d states by shape and 1 by value"),
        ({"hop_samples": 80}, "do not fit: samples is .*160.frames.*described as .*80.frames"),
        ({"classes": ["English", "Hindi"]}, r"do not fit: posteriors is .* 3\].*described as"),
    ],
)
def test_metadata_that_do_not_fit_are_named(
    model_path: Path, tmp_path: Path, change: dict[str, Any], found: str
) -> None:
    path = sealed(onnx.load(model_path), tmp_path / "edited.onnx", **change)
    with pytest.raises(LangidError, match=rf"model=.*edited\.onnx: .*{found}"):
        OnnxModel(path)


def renamed_state(model: onnx.ModelProto) -> None:
    """Give a state another name in the graph than in the metadata."""
    model.graph.output[-1].name = "memory"
    model.graph.node.append(
        helper.make_node("Identity", [model.graph.node[-1].output[0]], ["memory"])
    )


def without_an_operator(model: onnx.ModelProto) -> None:
    del model.graph.node[0]


def other_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 1000


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (renamed_state, "do not fit: memory is .*described as None"),
        (without_an_operator, "onnxruntime does not accept its graph"),
        (other_opset, "onnxruntime does not accept its graph"),
    ],
)
def test_a_graph_that_does_not_fit_is_named(
    model_path: Path, tmp_path: Path, change: Callable[[onnx.ModelProto], None], found: str
) -> None:
    model = onnx.load(model_path)
    change(model)
    path = sealed(model, tmp_path / "edited.onnx")
    with pytest.raises(LangidError, match=rf"model=.*edited\.onnx: .*{found}") as error:
        OnnxModel(path)
    assert "\n" not in str(error.value)


def test_a_sealed_file_is_heard_as_the_one_that_it_was_made_of(
    model_path: Path, tmp_path: Path
) -> None:
    """Without this the refusals of edited files would prove nothing."""
    path = sealed(onnx.load(model_path), tmp_path / "same.onnx")
    samples = np.random.default_rng(0).normal(0, 0.1, 1600).astype(np.float32)
    again, first = (StreamingIdentifier.load(file).feed(samples) for file in (path, model_path))
    np.testing.assert_array_equal(again, first)
