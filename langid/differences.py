"""Nested configuration as dotted keys, and what differs between two of them."""

from typing import Any


def flatten(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested configuration as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def differing(held: dict[str, Any], asked: dict[str, Any], holder: str) -> list[str]:
    """Return a phrase for every key of flat configuration that is not the same in both."""
    return [
        f"{key}: {holder} has {held.get(key)}, asked is {asked.get(key)}"
        for key in held | asked
        if held.get(key) != asked.get(key)
    ]
