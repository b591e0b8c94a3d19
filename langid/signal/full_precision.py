"""Arithmetic in all bits of float32, so that one device gives what another does."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def without_tf32(device: str) -> Iterator[None]:
    """Let a GPU of CUDA compute in all bits of float32, so that states are those of a processor.

    By default its convolutions round to TF32, and states of Whisper differ by up to 0.8. The
    settings of everything else are put back.
    """
    if device != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    places = cudnn.conv, torch.backends.cuda.matmul
    held = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, value in zip(places, held, strict=True):
            place.fp32_precision = value


def in_full(device: str) -> contextlib.AbstractContextManager[Any]:
    """Return a context of no autocast; one that changes nothing would hide layers from exports."""
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()
