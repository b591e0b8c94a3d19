"""An exported file as data: read, and checked before anything of it is run; needs numpy at most."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langid.errors import LangidError

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
        if digest(content, metadata) != metadata["sha256"]:
            raise LangidError(
                f"model={path}: changed or damaged after its export (its SHA-256 is not the one it"
                " was written with); fetch it again, or run langid export"
            )
        foreign = _foreign_part(content)
    except ValueError as error:
        raise LangidError(
            f"model={path}: not a whole ONNX file ({error}); fetch it again, or run langid export"
        ) from error
    if foreign:
        raise LangidError(f"model={path}: {foreign}; use a file of langid export")
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

    ``content`` is the file, whose own metadata is left out, for the digest stands there. Raises
    ValueError where the file is not whole.
    """
    whole = hashlib.sha256()
    start = 0
    for field, _, end in _fields(content, 0, len(content)):
        if field != METADATA:
            whole.update(content[start:end])
        start = end
    described = {key: value for key, value in metadata.items() if key != "sha256"}
    whole.update(json.dumps(described, sort_keys=True).encode())
    return whole.hexdigest()


def is_count(value: Any, least: int = 1) -> bool:
    """Whether it is a whole number, not below the least."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def are_names(value: Any) -> bool:
    """Whether it is a list of different texts."""
    texts = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
    return texts and len(set(value)) == len(value)


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
    for key, (right, words) in {**expected, "sha256": (_is_text, "a text")}.items():
        if not right(metadata.get(key)):
            found = repr(metadata[key])[:60] if key in metadata else "missing"
            raise LangidError(
                f"model={path}: its metadata are not those of langid export: {key} is {found},"
                f" expected is {words}"
            )
    return metadata


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata's texts by key; raise ValueError for what is no whole ONNX file."""
    texts, graphs = {}, 0
    for field, value, _ in _fields(content, 0, len(content)):
        graphs += field == GRAPH
        if field == METADATA:
            entry = {number: part for number, part, _ in _fields(content, *_extent(value))}
            key, text = (
                content[slice(*_extent(entry.get(number, (0, 0))))].decode()
                for number in (ENTRY_KEY, ENTRY_VALUE)
            )
            texts[key] = text
    if graphs != 1:
        raise ValueError("it holds no graph" if len(content) else "it is empty")
    return texts


def _foreign_part(content: bytes) -> str | None:
    """Return what in the file would need more than this file and onnxruntime; None if nothing."""
    waiting = [("model", 0, len(content))]
    while waiting:  # a loop, for a file may nest graphs as deeply as it likes
        kind, start, stop = waiting.pop()
        named = {TYPE: "", DOMAIN: ""}
        for field, value, _ in _fields(content, start, stop):
            if field in NESTED[kind]:
                waiting.append((NESTED[kind][field], *_extent(value)))
            elif kind == "tensor" and field in ELSEWHERE and value != 0:
                return "its weights are in another file, which langid does not open"
            elif kind == "operator" and field in named:
                named[field] = content[slice(*_extent(value))].decode(errors="replace")
        if named[DOMAIN] not in DOMAINS:
            return f"its operator {named[TYPE]} of {named[DOMAIN]} is not one of onnxruntime's own"
    return None


def _fields(
    content: bytes, start: int, stop: int
) -> Iterator[tuple[int, int | tuple[int, int], int]]:
    """Yield number, value and end of each field of a protobuf message.

    A value is a number, or the extent of its bytes. Raises ValueError where the bytes are none.
    """
    while start < stop:
        key, place = _varint(content, start, stop)
        if not 8 <= key < 1 << 32:  # readers differ in what they make of other numbers of fields
            raise ValueError(f"byte {start} begins no field")
        value: int | tuple[int, int] = 0
        if key & 7 == 0:
            value, end = _varint(content, place, stop)
        elif key & 7 == 2:  # bytes, behind their length
            length, place = _varint(content, place, stop)
            end = place + length
            value = (place, end)
        elif key & 7 in (1, 5):  # eight bytes, or four
            end = place + (8 if key & 7 == 1 else 4)
        else:
            raise ValueError(f"byte {start} begins no field")
        if end > stop:
            raise ValueError(f"cut off: the field at byte {start} ends behind byte {stop}")
        yield key >> 3, value, end
        start = end


def _varint(content: bytes, place: int, stop: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = shift = 0
    while place < stop and shift < 64:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError(f"no number at byte {place}")


def _extent(value: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(value, int):
        raise ValueError("a number is where bytes should be")
    return value
