"""On what speech precisions are compared."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from langid.errors import LangidError
from langid.export import validation_clips as module
from langid.export.form import Form
from langid.export.validation_clips import validation_clips
from langid.streaming.decision import MEAN
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import data_of


def test_they_are_spread_over_the_validation_part(trained: LanguageIdentifier) -> None:
    every = validation_clips(trained, 200, math.inf)
    assert len(every) == len(data_of(trained.described).pieces["validation"]) >= 6
    seconds = [len(clip.samples) / 16000 for clip in every]
    for most, most_s in ((3, math.inf), (200, 3.5 * float(np.mean(seconds)))):
        found = validation_clips(trained, most, most_s)
        ends = [(clip.samples.shape, clip.target) for clip in (every[0], every[-1])]
        assert [(clip.samples.shape, clip.target) for clip in (found[0], found[-1])] == ends
        assert len(found) == 3
    assert len(validation_clips(trained, 200, 0.1)) == 1


@pytest.mark.parametrize(("mode", "most_s"), [("streaming", math.inf), ("offline", 120)])
def test_windows_are_compared_on_less(
    mode: str,
    most_s: float,
    trained: LanguageIdentifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def none(*arguments: Any) -> None:
        asked.append(arguments)
        raise LangidError("none")

    monkeypatch.setattr(module, "validation_clips", none)
    with pytest.raises(LangidError, match="what it changes is measured on clips"):
        Form("onnx", mode, "int8", None, None).write(trained, tmp_path / "m.onnx", [], MEAN)
    assert asked == [(trained, 200, most_s)]
