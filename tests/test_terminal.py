"""Texts of the user's are no markup."""

import pytest

from langid.terminal import console


@pytest.mark.parametrize("text", ["[bold]de", "2024[v2]", ":smile:", "[/x]", "[link=a]b[/link]"])
def test_texts_are_printed_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(text)
    assert capsys.readouterr().out.strip() == text
