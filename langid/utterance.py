"""What is said of a whole utterance, for numpy's arrays and torch's tensors alike."""

from typing import Any


def counted_frames(speech: Any, there: Any = True) -> Any:
    """Return which frames count for their utterance: those of speech, or all where none are.

    ``speech (..., time) bool`` -> ``(..., time) bool``. ``there (..., time) bool`` are the frames
    that are no padding.
    """
    return speech | (there & ~speech.any(axis=-1, keepdims=True))


def scored_frames(speech: Any, there: Any = True, cumulative: bool = False) -> Any:
    """Return the frames whose mean is the answer for their utterance: those that count.

    Of a ``cumulative`` network, which says at each frame what all up to it are, the last of them.
    Arguments and result are those of ``counted_frames``.
    """
    counted = counted_frames(speech, there)
    return last_only(counted) if cumulative else counted


def last_only(counted: Any) -> Any:
    """Return of the frames that count, ``(..., time) bool``, the last alone."""
    return counted & (counted.cumsum(-1) == counted.sum(-1)[..., None])


def utterance_posterior(
    posteriors: Any, speech: Any, there: Any = True, cumulative: bool = False
) -> Any:
    """Return the mean over the frames that are scored: the official score of the EE599 course.

    ``posteriors (..., time, classes), speech (..., time) bool -> (..., classes)``.
    """
    weight = scored_frames(speech, there, cumulative)[..., None]
    return (posteriors * weight).sum(axis=-2) / weight.sum(axis=-2)
