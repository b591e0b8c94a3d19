"""What a stream remembers, saved and looked at before another stream goes on from it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from langid.errors import LangidError

TEXTS = ("model", "settings")
MOST = 2**53  # frames; what floats count exactly


def check_state(state: Any, fresh: Mapping[str, Any], hop_samples: int, classes: int) -> None:
    """Raise LangidError for a state that a stream cannot go on from.

    ``fresh`` is its state before the first sample, ``classes`` the number that it considers.
    """
    if not isinstance(state, Mapping):
        raise LangidError(
            f"state of type {type(state).__name__}: expected the mapping that .state of a stream is"
        )
    if wrong := sorted(set(fresh) ^ set(state)):
        problem = "is missing" if wrong[0] in fresh else "is not known"
        raise LangidError(f"state: not one of a stream of this model; {wrong[0]} {problem}")
    for name in TEXTS:
        if str(state[name]) != fresh[name]:
            theirs, own = f"{name} {state[name]}", fresh[name]
            raise LangidError(f"state: made with {theirs}, this stream has {own}; use the same")
    for name in [name for name in fresh if name not in TEXTS]:
        expected = np.asarray(fresh[name])
        try:
            found = np.asarray(state[name])
        except ValueError as error:  # rows of different lengths
            raise LangidError(f"state: {name} is no array ({error})") from None
        if name == "pending" and found.ndim == 1 and len(found) < hop_samples:
            expected = np.zeros(len(found), expected.dtype)
        if (found.dtype.kind, found.shape) != (expected.dtype.kind, expected.shape):
            raise LangidError(
                f"state: {name} has type {found.dtype} and shape {found.shape}, this stream's has"
                f" {expected.dtype} and {expected.shape}; use one that .state gave"
            )
        lowest, highest = (-1, classes - 1) if name == "decided" else (0, MOST)
        if found.dtype.kind == "f":
            lowest, highest = np.finfo(found.dtype).min, np.finfo(found.dtype).max
        outside = found[~((found >= lowest) & (found <= highest))]  # nothing of NaN is true
        if outside.size:
            raise LangidError(
                f"state: {name} holds {outside[0]}, accepted are {lowest:g} to {highest:g}; use one"
                " that .state gave"
            )
