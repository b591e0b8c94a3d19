"""The settings of a decision: where they come from and what is refused."""

import math
from typing import Any

import numpy as np
import pytest

from langid.errors import LangidError
from langid.streaming.decision import DecisionSettings, columns_of

CLASSES = ["English", "Hindi", "Mandarin"]


def test_settings_come_from_the_model_where_none_are_given() -> None:
    metadata = {"decision": {"half_life_s": 2.0, "decide_at": None, "unknown_below": 0.4}}
    settings = DecisionSettings.of(metadata, half_life_s=None, unknown_below=0.0)
    assert settings == DecisionSettings(half_life_s=2.0)
    assert DecisionSettings.of({"decision": None}) == DecisionSettings.of({}) == DecisionSettings()
    assert DecisionSettings.of({}, languages=["Hindi"]).languages == ["Hindi"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"half_life_s": -1},
            "half_life_s=-1: accepted are seconds of speech, 0 for the last frame",
        ),
        ({"half_life_s": math.nan}, "half_life_s=nan"),
        ({"half_life_s": "long"}, "half_life_s=long"),
        ({"decide_at": 1.1}, r"decide_at=1\.1: accepted are posteriors from 0 \(off\) to 1"),
        ({"decide_at": math.nan}, "decide_at=nan"),
        ({"unknown_below": -0.1}, r"unknown_below=-0\.1: accepted are posteriors"),
        ({"unknown_below": True}, "unknown_below=True"),
        ({"languages": []}, r"languages=\[\]: expected a list of the model's classes"),
        ({"languages": "Hindi"}, "languages=Hindi: expected a list"),
        ({"languages": 3}, "languages=3: expected a list"),
        ({"languages": [["Hindi"], 1]}, r"languages=\[\['Hindi'\], 1\]: expected a list"),
        ({"languages": ["Hindi", "Klingon"]}, "no Klingon; it knows English, Hindi, Mandarin"),
        ({"half_time": 1.0}, "no decision setting half_time; accepted are half_life_s, decide_at"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    for metadata, changes in (({}, settings), ({"decision": settings}, {})):
        with pytest.raises(LangidError, match=message):
            columns_of(CLASSES, DecisionSettings.of(metadata, **changes).languages)


def test_numbers_of_numpy_are_numbers() -> None:
    settings = DecisionSettings(decide_at=np.float32(0.5), half_life_s=np.int64(3))
    assert settings.plain() == {
        "half_life_s": 3.0, "decide_at": 0.5, "unknown_below": 0.0, "languages": None
    }  # fmt: skip
    assert not isinstance(settings.plain()["decide_at"], np.floating)
    with pytest.raises(LangidError, match="decide_at=True"):
        DecisionSettings(decide_at=np.True_)
