"""Files that langid did not write, or not like this: each is refused with what is wrong."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from langid.errors import LangidError
from langid.streaming.onnx_file import GRAPH, digest, read_file
from langid.streaming.onnx_model import OnnxModel

from ..conftest import sealed


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
    ("metadata", "schema"),
    [
        (None, "None"),
        ("", "None"),
        ("no json", "None"),
        ("[" * 100_000, "None"),
        ("[1, 2]", "None"),
        ("3", "None"),
        (json.dumps({"schema": "langid-stream-1"}), "langid-stream-1"),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, metadata: str | None, schema: str) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(foreign(metadata))
    message = rf"foreign\.onnx: not exported by this version of langid \(schema {schema}, accepted"
    with pytest.raises(LangidError, match=message):
        OnnxModel(path)


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(foreign(json.dumps({"schema": "langid-stream-2", "classes": ["a"]})))
    with pytest.raises(LangidError, match="sample_rate is missing, expected is a whole number"):
        OnnxModel(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"no model", "byte 0 begins no field"),
        (b"\x00" * 1000, "byte 0 begins no field"),
        (b"\x08\x07" * 500, "it holds no graph"),
        (b"\xff" * 1000, "no number at byte"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "byte|cut off"),
    ],
)
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    message = rf"damaged\.onnx: not a whole ONNX file \(.*({found})"
    with pytest.raises(LangidError, match=message) as error:
        OnnxModel(path)
    assert "\n" not in str(error.value)


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.onnx"
    for size in (1, 2, 10, 100, 10_000):
        for _ in range(50):
            path.write_bytes(random.bytes(size))
            with pytest.raises(LangidError, match=r"damaged\.onnx: not a whole ONNX file"):
                OnnxModel(path)


def test_a_file_that_is_cut_off_is_refused(model_path: Path, tmp_path: Path) -> None:
    whole = model_path.read_bytes()
    path = tmp_path / "damaged.onnx"
    for size in (1, 20, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(LangidError, match=r"damaged\.onnx: (not a whole ONNX file|not export)"):
            OnnxModel(path)


def test_a_bit_that_has_flipped_is_found(model_path: Path, tmp_path: Path) -> None:
    whole = model_path.read_bytes()
    path = tmp_path / "damaged.onnx"
    for place in np.random.default_rng(0).integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(LangidError, match=r"damaged\.onnx: ") as error:
            OnnxModel(path)
        assert "\n" not in str(error.value)


def test_a_file_that_is_only_written_again_is_accepted(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "same.onnx"
    path.write_bytes(onnx.load(model_path).SerializeToString())
    assert OnnxModel(path).metadata == OnnxModel(model_path).metadata


def test_a_weight_or_a_name_that_was_changed_is_found(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "edited.onnx"
    model = onnx.load(model_path)
    tensor = next(t for t in model.graph.initializer if t.name.endswith("dense.0.bias"))
    values = numpy_helper.to_array(tensor) + np.float32(1e-3)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(LangidError, match=r"edited\.onnx: changed or damaged after its export"):
        OnnxModel(path)
    model = onnx.load(model_path)
    entry = model.metadata_props[0]
    entry.value = entry.value.replace("Hindi", "Tamil")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(LangidError, match=r"edited\.onnx: changed or damaged after its export"):
        OnnxModel(path)


def test_the_digest_is_that_of_graph_and_metadata(model_path: Path) -> None:
    content, metadata = read_file(model_path, "langid-stream-2", {})
    assert metadata["sha256"] == digest(content, metadata)
    assert metadata["sha256"] != digest(content, metadata | {"classes": ["a"]})


def with_weights_elsewhere(model: onnx.ModelProto, tmp_path: Path) -> None:
    """Move a weight to a file beside the model, as ONNX allows."""
    tensor = model.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(numpy_helper.to_array(tensor).tobytes())
    onnx.external_data_helper.set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL


def test_weights_in_another_file_are_refused(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = onnx.load(model_path)
    with_weights_elsewhere(model, tmp_path)
    path = sealed(model, tmp_path / "outside.onnx")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LangidError, match=r"outside\.onnx: its weights are in another file"):
        OnnxModel(path)


def test_weights_in_another_file_are_found_inside_an_operator(
    model_path: Path, tmp_path: Path
) -> None:
    inner = helper.make_node("Constant", [], ["value"], value=numpy_helper.from_array(np.ones(3)))
    inner.attribute[0].t.data_location = TensorProto.EXTERNAL
    body = helper.make_graph([inner], "body", [], [helper.make_empty_tensor_value_info("value")])
    model = onnx.load(model_path)
    model.graph.node.append(
        helper.make_node("If", ["condition"], ["value"], then_branch=body, else_branch=body)
    )
    path = sealed(model, tmp_path / "outside.onnx")
    with pytest.raises(LangidError, match=r"outside\.onnx: its weights are in another file"):
        OnnxModel(path)


def test_numbers_of_fields_that_readers_take_differently_are_refused(
    model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "hidden.onnx"
    for number in (0, 1 << 29, (1 << 32) + GRAPH):  # protobuf cuts the last one down to GRAPH
        field = _tag(number << 3 | 2) + b"\x00"
        path.write_bytes(model_path.read_bytes() + field)
        with pytest.raises(LangidError, match=r"not a whole ONNX file \(byte \d+ begins no field"):
            OnnxModel(path)


def _tag(value: int) -> bytes:
    """Return a number in seven bits a byte, the lowest first."""
    *rest, last = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*(part | 128 for part in rest), last])


def test_an_operator_of_others_is_refused(model_path: Path, tmp_path: Path) -> None:
    model = onnx.load(model_path)
    model.graph.node.append(helper.make_node("Evil", ["samples"], ["out"], domain="custom"))
    model.opset_import.append(helper.make_opsetid("custom", 1))
    path = sealed(model, tmp_path / "custom.onnx")
    message = r"custom\.onnx: its operator Evil of custom is not one of onnxruntime's own"
    with pytest.raises(LangidError, match=message):
        OnnxModel(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    found = {tmp_path / "absent.onnx": "no such", tmp_path: "is a folder, expected a"}
    for path, words in found.items():
        with pytest.raises(LangidError, match=f"model={path}: {words} file; langid export"):
            OnnxModel(path)
