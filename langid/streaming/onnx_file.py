"""An exported file as data: read, and checked before anything of it is run; needs numpy at most."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langid.errors import LangidError
from langid.streaming.decision import DecisionSettings

KEY = "langid"  # of the metadata, which are JSON
Expected = Mapping[str, tuple[Callable[[Any], bool], str]]

# Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, where protobuf's binary
# form is that of https://protobuf.dev/programming-guides/encoding.
GRAPH, METADATA = 7, 14  # of the model
ENTRY_KEY, ENTRY_VALUE = 1, 2  # of an entry of the metadata
TYPE, DOMAIN = 4, 7  # of an operator
ELSEWHERE = (13, 14)  # of a tensor: the file that it is in, and that it is in one
NESTED = {
    "model": {GRAPH: "graph", 25: "function"},
    "function": {7: "operator", 11: "attribute"},
    "graph": {1: "operator", 5: "tensor", 15: "sparse tensor"},
    "operator": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}  # fmt: skip
LENGTHS = {2: None, 1: 8, 5: 4}  # of values in bytes by their wire type; None: written before them
DOMAINS = ("", "ai.onnx", "com.microsoft")  # of operators that are part of onnxruntime


def read_file(path: Path, schema: str, expected: Expected) -> tuple[bytes, dict[str, Any]]:
    """Return the content of a file that ``langid export`` wrote, and its metadata.

    ``expected`` gives for each key of the metadata what tells whether a value will do, and in words
    what will. Raises LangidError for a file that is absent or damaged, that was changed after its
    export, that something else wrote, or that needs other files or other code.
    """
    check_is_file(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LangidError(f"model={path}: cannot be read ({error.strerror})") from error
    try:
        metadata = checked_metadata(path, _metadata(content).get(KEY, ""), schema, expected)
        if digest(content, metadata) != metadata.get("sha256"):
            raise LangidError(
                f"model={path}: changed or damaged after its export (its SHA-256 is not the one it"
                " was written with); fetch it again, or run langid export"
            )
        if foreign := _foreign_part(content):
            raise LangidError(f"model={path}: {foreign}; use a file of langid export")
    except ValueError as error:
        raise LangidError(
            f"model={path}: not a whole ONNX file ({error}); fetch it again, or run langid export"
        ) from error
    return content, metadata


def check_is_file(path: Path) -> None:
    """Raise LangidError for a model that is absent or a folder."""
    if not path.is_file():
        found = "is a folder, expected a" if path.is_dir() else "no such"
        raise LangidError(f"model={path}: {found} file; langid export writes one")


def schema_of(path: Path) -> Any:
    """Return the schema that a file says it has, None where it says none."""
    try:
        return json.loads(_metadata(path.read_bytes())[KEY])["schema"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def digest(content: bytes, metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a model file: of its graph with all weights, and of the metadata.

    The file's own metadata are left out, for the digest stands there. Raises ValueError for what
    is no whole file.
    """
    whole = hashlib.sha256()
    start = 0
    for field, _, end in _fields(memoryview(content)):
        if field != METADATA:
            whole.update(content[start:end])
        start = end
    described = {key: value for key, value in metadata.items() if key != "sha256"}
    whole.update(json.dumps(described, sort_keys=True).encode())
    return whole.hexdigest()


def checked_metadata(path: Path, text: str, schema: str, expected: Expected) -> dict[str, Any]:
    """Return the metadata of a text of JSON; raise LangidError as ``read_file`` does."""
    try:
        metadata = dict(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        metadata = {}
    if metadata.get("schema") != schema:
        raise LangidError(
            f"model={path}: not exported by this version of langid (schema"
            f" {metadata.get('schema')}, accepted is {schema}); use a file of langid export"
        )
    for key, (right, words) in expected.items():
        if not right(metadata.get(key)):
            found = repr(metadata[key])[:60] if key in metadata else "missing"
            raise LangidError(
                f"model={path}: its metadata are not those of langid export: {key} is {found},"
                f" expected is {words}"
            )
    try:
        DecisionSettings.of(metadata)
    except LangidError as error:
        raise LangidError(f"model={path}: its decision settings: {error}") from error
    return metadata


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata's texts by key; raise ValueError for what is no whole ONNX file."""
    texts, graphs = {}, 0
    for field, value, _ in _fields(memoryview(content)):
        graphs += field == GRAPH
        if field == METADATA:
            entry = {number: _bytes(part) for number, part, _ in _fields(_bytes(value))}
            key, text = (str(entry.get(n, b""), "utf-8") for n in (ENTRY_KEY, ENTRY_VALUE))
            texts[key] = text
    if graphs != 1:
        raise ValueError("it holds no graph" if len(content) else "it is empty")
    return texts


def _foreign_part(content: bytes) -> str | None:
    """Return what in the file would need more than this file and onnxruntime; None if nothing."""
    waiting = [("model", memoryview(content))]
    while waiting:  # a loop, for a file may nest graphs as deeply as it likes
        kind, message = waiting.pop()
        named = {TYPE: "", DOMAIN: ""}
        for field, value, _ in _fields(message):
            if field in NESTED[kind]:
                waiting.append((NESTED[kind][field], _bytes(value)))
            elif kind == "tensor" and field in ELSEWHERE and value != 0:
                return "its weights are in another file, which langid does not open"
            elif kind == "operator" and field in named:
                named[field] = str(_bytes(value), "utf-8", "replace")
        if named[DOMAIN] not in DOMAINS:
            return f"its operator {named[TYPE]} of {named[DOMAIN]} is not one of onnxruntime's own"
    return None


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview, int]]:
    """Yield number, value and end of each field of a protobuf message.

    A value is a number, or bytes. Raises ValueError where the message's bytes are none.
    """
    end = 0
    while (start := end) < len(message):
        key, end = _varint(message, start)
        # Readers differ in what they make of other numbers of fields.
        if not 8 <= key < 1 << 32 or key & 7 not in (0, *LENGTHS):
            raise ValueError(f"byte {start} begins no field")
        value: int | memoryview
        if key & 7 == 0:
            value, end = _varint(message, end)
        else:
            length = LENGTHS[key & 7]
            if length is None:
                length, end = _varint(message, end)
            value, end = message[end : end + length], end + length
        if end > len(message):
            raise ValueError(f"cut off: a field ends at byte {end} of {len(message)}")
        yield key >> 3, value, end


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = 0
    for shift, byte in enumerate(message[place : place + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, place + shift + 1
    raise ValueError(f"no number at byte {place}")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number is where bytes should be")
    return value
