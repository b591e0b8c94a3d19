"""Tests of langid/differences.py."""

from langid.differences import differing, flatten


def test_nested_keys_become_dotted_ones() -> None:
    config = {"a": {"b": {"c": 1}, "d": [{"e": 2}]}, "f": None, "g": {}}
    assert flatten(config) == {"a.b.c": 1, "a.d": [{"e": 2}], "f": None}
    assert flatten({"a": 1}, "corpus.") == {"corpus.a": 1}


def test_what_differs_is_told_by_both_values() -> None:
    held, asked = {"a": 1, "b": 2, "gone": 3}, {"a": 1, "b": 5, "new": 4}
    assert differing(held, asked, "the store") == [
        "b: the store has 2, asked is 5",
        "gone: the store has 3, asked is None",
        "new: the store has None, asked is 4",
    ]
    assert differing(held, dict(held), "the store") == []
