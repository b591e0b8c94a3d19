"""Tests of langid/evaluation/calibrating.py on logits whose best temperature is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from langid.errors import LangidError
from langid.evaluation.calibrating import Calibrator, FrameLogits
from langid.evaluation.predictions import Predictions
from langid.metrics import surprise

CLASSES = ["x", "y", "z"]
SHIFT = torch.tensor([0.5, -0.75, 0.25])


def part(units: int, speakers: int, seed: int = 0) -> tuple[Tensor, Predictions]:
    """Return logits ``(units, 1, 3)`` that are as sure as right, and the table of their units."""
    generator = torch.Generator().manual_seed(seed)
    logits = 1.5 * torch.randn(units, 1, 3, generator=generator)
    targets = torch.multinomial(logits[:, 0].softmax(-1), 1, generator=generator)[:, 0]
    table: dict[str, Any] = {"utterance_id": [f"u{unit}" for unit in range(units)]}
    table["speaker"] = [f"s{unit % speakers}" for unit in range(units)]
    table["language"] = [CLASSES[target] for target in targets]
    table |= {f"p({name})": 1 / 3 for name in CLASSES}
    return logits, Predictions(pd.DataFrame(table), "utterance", CLASSES, [], "f")


def calibrator(logits: Tensor, predictions: Predictions, with_bias: bool = False) -> Calibrator:
    there = torch.ones(len(logits), 4, dtype=torch.bool)  # the one answer is of four frames
    found = FrameLogits(3)
    found.update(logits, torch.arange(len(logits)), there, there)
    return Calibrator(found, predictions, with_bias)


def test_the_temperature_of_what_is_too_sure_is_found_and_makes_others_likelier() -> None:
    logits, predictions = part(3000, 300)
    fitted = calibrator(4 * logits, predictions)
    assert fitted.fit().temperature == pytest.approx(4, rel=0.1)
    assert fitted.fit().bias == ()
    assert fitted.fit().validation == "3000 utterances of 300 speakers"
    targets = predictions.targets
    before, after = (surprise(targets, of.posteriors).mean() for of in
                     (fitted.before(), fitted.after()))  # fmt: skip
    best = surprise(targets, logits[:, 0].softmax(-1).numpy()).mean()
    assert before > 1.5 * best
    assert after == pytest.approx(best, rel=0.01)


def test_a_bias_is_found_where_it_is_asked_for() -> None:
    logits, predictions = part(3000, 300)
    scaling = calibrator(2 * (logits - SHIFT), predictions, with_bias=True).fit()
    assert scaling.temperature == pytest.approx(2, rel=0.1)
    np.testing.assert_allclose(scaling.bias, SHIFT, atol=0.15)


def test_speakers_are_judged_by_what_was_fitted_on_others() -> None:
    """One speaker's labels are turned: what is said of this one alone does not change by it."""
    logits, predictions = part(400, 20)
    table = predictions.table.copy()
    of_one = (table["speaker"] == "s3").to_numpy()
    table.loc[of_one, "language"] = table.loc[of_one, "language"].map(
        {"x": "y", "y": "z", "z": "x"}
    )
    turned = Predictions(table, "utterance", CLASSES, [], "f")
    both = [calibrator(3 * logits, of).after().posteriors for of in (predictions, turned)]
    np.testing.assert_array_equal(both[0][of_one], both[1][of_one])
    assert np.abs(both[0] - both[1])[~of_one].max() > 1e-3


@pytest.mark.parametrize("cumulative", [False, True])
def test_posteriors_are_those_that_are_scored(cumulative: bool) -> None:
    """Means over speech, or over all where there is none; of cumulative answers the last."""
    _, predictions = part(5, 5)
    logits = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))  # and silence
    there = torch.tensor([[True, True, True]] * 4 + [[True, True, False]])
    speech = torch.tensor([[True, False, True]] * 3 + [[False] * 3, [False, True, False]])
    found = FrameLogits(3, cumulative)
    for rows in ([0, 1, 2, 3], [4]):
        found.update(logits[rows], torch.tensor(rows), speech[rows], there[rows])
    said = Calibrator(found, predictions, False).before().posteriors
    frames = logits[..., :3].softmax(-1).double()
    expected = [frames[n, [0, 2]].mean(0) for n in range(3)] + [frames[3].mean(0), frames[4, 1]]
    if cumulative:
        expected = [*frames[:4, 2], frames[4, 1]]
    np.testing.assert_allclose(said, torch.stack(expected), atol=1e-6)


def test_a_part_without_mistakes_keeps_a_finite_temperature() -> None:
    _, predictions = part(50, 10)
    sure = torch.eye(3)[predictions.targets.copy()][:, None]
    assert calibrator(sure, predictions).fit().temperature == pytest.approx(0.05)


def test_too_few_speakers_are_refused() -> None:
    logits, predictions = part(40, 4)
    with pytest.raises(LangidError, match="validation part has 4 speakers, too few to calibrate"):
        calibrator(logits, predictions)


def test_a_bias_of_a_class_that_is_hardly_there_is_refused() -> None:
    logits, predictions = part(300, 30)
    table = predictions.table
    rare = (table["language"] == "z") & (table["speaker"] != "s0")
    kept = replace(predictions, table=table.assign(language=table["language"].mask(rare, "x")))
    with pytest.raises(LangidError, match=r"bias=true: .* fewer than two speakers of z"):
        calibrator(logits, kept, with_bias=True)
    assert calibrator(logits, kept).fit().bias == ()
