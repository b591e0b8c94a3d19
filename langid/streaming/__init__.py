"""Streams of an exported file: one by ``StreamingIdentifier``, many at once by ``MultiStream``."""

from langid.streaming.multi_stream import MultiStream
from langid.streaming.streamer import StreamingIdentifier

__all__ = ["MultiStream", "StreamingIdentifier"]
