"""Streams of an exported file: one by ``StreamingIdentifier``, many at once by ``MultiStream``."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langid.streaming.multi_stream import MultiStream
    from langid.streaming.streamer import StreamingIdentifier

__all__ = ["MultiStream", "StreamingIdentifier"]
_MODULES = {"MultiStream": "multi_stream", "StreamingIdentifier": "streamer"}


def __getattr__(name: str) -> Any:
    """Return a class with its first use: the decision's settings, say, need no onnxruntime."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
