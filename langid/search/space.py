"""The search space of ``langid tune``: read from configuration, checked before the first trial."""

import math
from collections.abc import Container, Iterator, Mapping
from decimal import Decimal
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from langid.errors import LangidError
from langid.typed import in_grammar

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution
Space = dict[str, Distribution]
FIELDS = ("low", "high", "log", "step", "choices")
ACCEPTED = "low and high (with log or step), or choices"


def read_space(entries: Mapping[str, Any]) -> Space:
    """Return what is searched, by dotted key of ``langid train``; a group is a key of choices.

    ``optimizer: {lr: {low: 1e-4, high: 1e-2, log: true}}`` and ``optimizer.lr: {...}`` are the
    same. Whole bounds make whole numbers. Raises LangidError for an entry that is neither a range
    nor a list of choices.
    """
    return {
        key.removeprefix("tune."): _distribution(key, entry)
        for key, entry in _entries("tune", entries)
    }


def _entries(key: str, node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    entry = {name: value for name, value in node.items() if not isinstance(value, dict)}
    if entry or not node:
        yield key, entry
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _entries(f"{key}.{name}", value)


def _distribution(key: str, entry: dict[str, Any]) -> Distribution:
    if set(entry) - set(FIELDS) or not ("choices" in entry or {"low", "high"} <= set(entry)):
        raise LangidError(f"{key}={entry}: accepted are {ACCEPTED}")
    if "choices" not in entry:
        return _range(key, entry)
    choices = entry["choices"]
    if len(entry) > 1:
        raise LangidError(f"{key}={entry}: choices stand alone; accepted are {ACCEPTED}")
    if not isinstance(choices, list) or not choices or any(isinstance(c, list) for c in choices):
        raise LangidError(f"{key}.choices={choices}: expected a list of single values")
    return CategoricalDistribution(choices)


def _range(key: str, entry: dict[str, Any]) -> Distribution:
    low, high, step = entry["low"], entry["high"], entry.get("step")
    numbers = [low, high] if step is None else [low, high, step]
    if any(type(value) not in (int, float) or not math.isfinite(value) for value in numbers):
        raise LangidError(f"{key}={entry}: expected numbers for low, high and step")
    log = entry.get("log", False)
    for wrong, reason in (
        (not isinstance(log, bool), "log is true or false"),
        (low > high, "low is above high; swap them"),
        (log and low <= 0, "log needs low above 0"),
        (log and step is not None, "log and step do not go together; leave one out"),
        (step is not None and step <= 0, "step must be above 0"),
    ):
        if wrong:
            raise LangidError(f"{key}={entry}: {reason}")
    if step is not None and (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)):
        raise LangidError(f"{key}={entry}: no number of steps leads from low to high")
    if all(isinstance(value, int) for value in numbers):
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)


def told(distribution: Distribution) -> str:
    """Return a range or choices in words."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(map(str, distribution.choices))
    log = ", log" if distribution.log else ""
    step = f", step {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low} to {distribution.high}{log}{step}"


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Return values by key as overrides of ``langid train``."""
    return [f"{key}={in_grammar(value)}" for key, value in values.items()]


def samples(space: Space, groups: Container[str]) -> Iterator[dict[str, Any]]:
    """Yield values of a space with which each of its keys can be checked.

    Each choice of a group is among them, because groups bring their own keys; of other keys the
    first value. What a class thinks of its values shows in the trials.
    """
    values: dict[str, list[Any]] = {
        key: list(kind.choices) if isinstance(kind, CategoricalDistribution) else [kind.low]
        for key, kind in space.items()
    }
    first = {key: held[0] for key, held in values.items()}
    yield first
    for key in [key for key in space if key in groups]:
        yield from (first | {key: value} for value in values[key][1:])
