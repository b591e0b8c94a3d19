"""Tests of langid/training/logit_scaling.py; what it is made and used for: test_calibrate.py."""

import re
from typing import Any

import pytest
import torch

from langid.errors import LangidError
from langid.training.logit_scaling import LogitScaling


def test_logits_are_scaled_and_shifted() -> None:
    logits = torch.tensor([[2.0, 4.0]])
    assert LogitScaling(2.0)(logits).tolist() == [[1, 2]]
    assert LogitScaling(2.0, (0.5, -0.5))(logits).tolist() == [[1.5, 1.5]]


def test_it_comes_back_from_plain_data() -> None:
    for scaling in (LogitScaling(1.5, (), "9 utterances"), LogitScaling(0.7, (0.1, -0.1))):
        assert LogitScaling.from_plain(scaling.to_plain(), 2) == scaling


@pytest.mark.parametrize(
    "plain",
    [
        3.0,
        {},
        {"temperature": 0.0, "bias": []},
        {"temperature": "1", "bias": []},
        {"temperature": float("nan"), "bias": []},
        {"temperature": 1.0, "bias": [0.1]},
        {"temperature": 1.0, "bias": [0.1, float("inf")]},
        {"temperature": 1.0},
    ],
)
def test_what_is_no_calibration_is_refused(plain: Any) -> None:
    with pytest.raises(LangidError, match=re.escape(f"its calibration is {plain!r}; expected")):
        LogitScaling.from_plain(plain, 2)
