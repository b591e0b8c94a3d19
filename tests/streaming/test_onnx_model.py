"""An exported file under onnxruntime, and files that are none."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from langid.errors import LangidError
from langid.streaming.onnx_model import OnnxModel


def test_initial_state_has_streams_on_the_first_axis(model_path: Path) -> None:
    model = OnnxModel(model_path)
    assert model.inputs[0] == "samples"
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


def foreign(metadata: str | None) -> bytes:
    """Return a sound ONNX file that langid did not export."""
    value = helper.make_tensor_value_info("samples", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("posteriors", TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["samples"], ["posteriors"])
    graph = helper.make_graph([node], "foreign", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata is not None:
        model.metadata_props.add(key="langid", value=metadata)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "no json",
        "[1, 2]",
        "3",
        json.dumps({"schema": "langid-stream-0"}),
        json.dumps({"schema": "langid-stream-1"}),  # the other keys are missing
        json.dumps(
            {
                "schema": "langid-stream-1",
                "classes": ["a"],
                "sample_rate": 16000,
                "hop_samples": 160,
                "state": [[5]],
                "initial_state": [0.0],
            }
        ),  # the graph has no state
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, metadata: str | None) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(foreign(metadata))
    with pytest.raises(LangidError, match=r"foreign\.onnx: not exported by this version of langid"):
        OnnxModel(path)


def test_a_damaged_file_is_refused(model_path: Path, tmp_path: Path) -> None:
    whole = model_path.read_bytes()
    path = tmp_path / "damaged.onnx"
    for content in (b"", b"no model", whole[: len(whole) // 2], whole[:-100]):
        path.write_bytes(content)
        with pytest.raises(LangidError, match=r"damaged\.onnx: not a whole ONNX file") as error:
            OnnxModel(path)
        assert "\n" not in str(error.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(LangidError, match=f"model={path}: no such file; langid export"):
            OnnxModel(path)


def test_a_file_of_langid_is_one_file(model_path: Path) -> None:
    model = onnx.load(model_path, load_external_data=False)
    assert not [tensor.name for tensor in model.graph.initializer if tensor.data_location]
