"""What is said of a whole utterance, for numpy's arrays and torch's tensors alike."""

from typing import Any


def counted_frames(speech: Any, there: Any = True) -> Any:
    """Return which frames count for their utterance: those of speech, or all where none are.

    ``speech (..., time) bool`` -> ``(..., time) bool``. ``there (..., time) bool`` are the frames
    that are no padding.
    """
    return speech | (there & ~speech.any(axis=-1, keepdims=True))


def utterance_posterior(posteriors: Any, speech: Any, there: Any = True) -> Any:
    """Return the mean over the frames that count: the official score of the EE599 course.

    ``posteriors (..., time, classes), speech (..., time) bool -> (..., classes)``.
    """
    weight = counted_frames(speech, there)[..., None]
    return (posteriors * weight).sum(axis=-2) / weight.sum(axis=-2)
