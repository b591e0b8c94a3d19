"""What a file must show before it gets its name: the posteriors of offline PyTorch, on speech."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from langid.atomic_file import replaced
from langid.audio.decode import read_audio
from langid.data.store import Store
from langid.errors import LangidError
from langid.networks.network import SampleNetwork
from langid.streaming.streamer import StreamingIdentifier, StreamingModel
from langid.training.identifier import LanguageIdentifier

TOLERANCE = 1e-4
ENCODER_TOLERANCE = 1e-3  # of a file with a pretrained encoder, through whose layers errors add up
CLIPS = 4
CHUNKS = (160, 1000, 1_000_000)


def training_clips(identifier: LanguageIdentifier) -> list[np.ndarray]:
    """Return ``samples (samples,)`` of some clips that a store was made of, evenly spread.

    Raises LangidError where store or clips are not where they were.
    """
    try:
        store = Store(identifier.described.store)
        rows = np.linspace(0, len(store.offsets) - 2, CLIPS).astype(int)
        return [read_audio(store.excerpt(row), identifier.front_end.sample_rate) for row in rows]
    except LangidError as error:
        raise LangidError(
            f"export compares the file with PyTorch on real speech, and the training clips are not"
            f" where they were ({error}); give a recording: audio=FILE"
        ) from error


def speech_to_check(
    identifier: LanguageIdentifier, files: Sequence[str | Path] | None
) -> list[np.ndarray]:
    """Return ``samples (samples,)`` of files of speech, or of training clips where there are none.

    Raises LangidError for what cannot be heard.
    """
    if files is None:
        return training_clips(identifier)
    return [read_audio(path, identifier.front_end.sample_rate) for path in files]


def tolerance_of(identifier: LanguageIdentifier) -> float:
    """Return by how much posteriors of its exported file may differ from those of PyTorch."""
    encoder = identifier.front_end.features.held or isinstance(identifier.network, SampleNetwork)
    return ENCODER_TOLERANCE if encoder else TOLERANCE


def write_checked(
    path: Path,
    identifier: LanguageIdentifier,
    content: Callable[[], bytes | memoryview],
    clips: Sequence[np.ndarray],
    differences: Callable[[Path], dict[str, float]],
) -> dict[str, float]:
    """Write an identifier's file, and return by how much it differs from offline PyTorch.

    ``content`` makes what is written, ``differences`` measures that of posteriors on the clips,
    before the file gets its name. Raises LangidError where the clips are empty, before anything is
    made, and where posteriors are not PyTorch's.
    """
    if not sum(len(clip) for clip in clips):
        raise LangidError("export: no samples to compare PyTorch and the file on; give audio=FILE")
    made = content()
    with replaced(path, "output") as partial:
        partial.write_bytes(made)
        found = differences(partial)
        worst, accepted = max(found.values()), tolerance_of(identifier)
        if not worst <= accepted:
            raise LangidError(
                f"{path}: not written, the exported graph differs from PyTorch by {worst:.1e} on"
                f" real speech; accepted is {accepted:.0e} ({found})"
            )
    return found


def compare(
    identifier: LanguageIdentifier,
    runtimes: Mapping[str, StreamingModel],
    clips: Sequence[np.ndarray],
) -> dict[str, float]:
    """Return the largest difference from the offline posteriors, per runtime and chunk size."""
    offline = [posteriors_and_speech(identifier, clip)[0] for clip in clips]
    differences: dict[str, float] = {}
    for name, model in runtimes.items():
        stream = StreamingIdentifier(model)
        for chunk in CHUNKS:
            size = f"{chunk} samples" if chunk < CHUNKS[-1] else "whole clip"
            differences[f"{name}, {size}"] = max(
                largest_difference(feed_clip(stream, clip, chunk), expected)
                for clip, expected in zip(clips, offline, strict=True)
            )
    return differences


def posteriors_and_speech(
    identifier: LanguageIdentifier, samples: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``samples (samples,) -> posteriors (time, classes), speech (time,)`` of offline PyTorch.

    Raises LangidError where they are NaN.
    """
    posteriors, speech = identifier.posteriors(torch.from_numpy(samples)[None])
    if not posteriors.isfinite().all():
        raise LangidError("export: the model's posteriors are NaN: its training has diverged")
    return posteriors[0].numpy(), speech[0].numpy()


def feed_clip(stream: StreamingIdentifier, clip: np.ndarray, chunk: int) -> np.ndarray:
    """Return all posteriors of a clip that is fed in chunks of so many samples, from the start."""
    stream.reset()
    pieces = [stream.feed(clip[i : i + chunk]) for i in range(0, len(clip), chunk)]
    return np.concatenate([*pieces, stream.flush()])


def largest_difference(streamed: np.ndarray, offline: np.ndarray) -> float:
    """Return the largest difference of posteriors; infinity where one is absent or NaN."""
    if streamed.shape != offline.shape or not np.isfinite(streamed).all():
        return float("inf")
    return float(np.abs(streamed - offline).max(initial=0.0))
