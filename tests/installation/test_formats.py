"""Formats are decoded as files of them are, and one that is not says why."""

import numpy as np
import pytest
import soundfile

from langid.installation import formats
from langid.installation.formats import FORMATS, reason_against


@pytest.mark.parametrize("name", FORMATS)
def test_all_formats_are_decoded_here(name: str) -> None:
    assert reason_against(name) == ""


def test_a_library_without_a_format_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object, **__: object) -> None:
        raise ValueError("Unknown format: 'MP3'")

    monkeypatch.setattr(soundfile, "write", write)
    assert reason_against("MP3") == "Unknown format: 'MP3'"


def test_silence_in_place_of_a_tone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "blocks_of", lambda *_: iter([np.zeros(16000, np.float32)]))
    assert reason_against("FLAC") == "of the power of a tone 0% is left"
