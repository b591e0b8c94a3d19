"""What is printed as KEY=VALUE is read back by the shell and by Hydra's grammar."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from langid.typed import override, quoted

TEXTS = (
    "runs/a.b-c", "a b", "out[/x]/s.h5", "it's", 'say "x"', "a\\", 'a\\"', "a\\\\", "\\'", "$HOME",
    "#1", "a,b", "[a]", "{a: b}", "café (1)", "a=b", "*", "~", "", "2024_11_27", "1e3", "0x10",
    ".5", "-7", "nan", "-Inf", "true", "Null", "2024-11-27", "1.h5", "a:b", "`x`", "\tx ", "1_0",
)  # fmt: skip


def read(typed: str) -> object:
    (argument,) = shlex.split(typed)
    return OverridesParser.create().parse_override(argument).value()


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_back(text: str) -> None:
    assert read(override("key", text)) == text
    assert OverridesParser.create().parse_override(f"key={quoted(text)}").value() == text


@pytest.mark.parametrize("value", [None, True, False, 0, -3, 0.5, 1e-7, ["a", "1 b,", None, 2], []])
def test_what_is_no_text_is_read_back_as_it_is(value: object) -> None:
    got = read(override("key", value))
    assert got == value
    assert type(got) is type(value)


def test_what_needs_no_quotes_has_none() -> None:
    assert override("store", "data/2024-11/trio.h5") == "store=data/2024-11/trio.h5"
