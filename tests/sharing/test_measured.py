"""Reports that a card can be made of, and those that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import variant

from langid.errors import LangidError
from langid.sharing.measured import measured
from langid.streaming.onnx_model import OnnxModel
from langid.training.identifier import LanguageIdentifier
from langid.training.weights_digest import weights_sha256


def test_a_report_a_file_and_a_checkpoint_are_told_by_one_hash(
    trained: LanguageIdentifier, report_path: Path, model_path: Path
) -> None:
    held = json.loads(report_path.read_text())["checkpoints"]
    assert held == [weights_sha256(trained)]
    assert OnnxModel(model_path).metadata["weights_sha256"] == held[0]


def test_the_report_of_another_checkpoint_is_refused(
    trained: LanguageIdentifier, report_path: Path
) -> None:
    with pytest.raises(LangidError, match=r"report.json: is of another checkpoint, and not of"):
        measured(report_path, variant(trained))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checkpoints": ["a", "b"]}, "is of 2 checkpoints together"),
        ({"checkpoints": None}, "not written by langid evaluate of this version"),
        ({"schema": "langid-report-2"}, r"schema langid-report-2, accepted is langid-report-3"),
        ({"accuracy": {"value": float("nan")}}, "NaN is no figure"),
        ({"accuracy": {}}, r"not whole \(KeyError: 'value'\); run langid evaluate again"),
        ({"slices": None}, "not whole"),
    ],
)
def test_a_report_that_will_not_do_is_refused(
    changes: dict[str, Any],
    message: str,
    trained: LanguageIdentifier,
    report_path: Path,
    tmp_path: Path,
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(json.loads(report_path.read_text()) | changes))
    with pytest.raises(LangidError, match=message):
        measured(path, trained)


@pytest.mark.parametrize(("text", "message"), [("[1", "not a report"), ("[1]", "schema None")])
def test_what_is_no_report_is_named(
    text: str, message: str, trained: LanguageIdentifier, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(LangidError, match=message):
        measured(path, trained)
    with pytest.raises(LangidError, match=r"is a folder, expected its report.json"):
        measured(tmp_path, trained)


def test_what_is_taken_for_what_has_an_interval_or_none(
    trained: LanguageIdentifier, report_path: Path, tmp_path: Path
) -> None:
    report = json.loads(report_path.read_text())
    pair = {"true": "Hindi", "predicted": "English", "units": 2, "share": 0.25}
    judged, not_judged = pair | {"low": 0.125, "high": 0.5}, pair | {"low": None, "high": None}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report | {"confused": [judged, not_judged]}))
    said = "Hindi for English, 0.250 of it"
    told = f"Most often taken: {said} (95 % interval 0.125–0.500); {said}."
    assert told in measured(path, trained).figures


def test_slices_and_unknown_languages_are_told(
    trained: LanguageIdentifier, report_path: Path, tmp_path: Path
) -> None:
    report = json.loads(report_path.read_text())
    first, *_ = report["slices"]
    told = first | {"by": "accent", "value": "a|b", "too_small": False, "speakers": 25}
    figure = {"value": 0.75, "low": 0.5, "high": 0.9}
    unknown = {"labels": {"Thai": 4}, "clips": 4, "speakers": 4, "unknown_speakers": 0}
    unknown |= {"auroc": figure, "false_acceptance": figure, "accepted": 0.95}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report | {"slices": [told, first], "open_set": unknown}))
    found = measured(path, trained)
    assert "accent: a\\|b" in found.worst[0] and "25 speakers" in found.worst[0]
    assert "fewer than 20 speakers, which say too little: 1." in found.worst[1]
    assert "(Thai; 4 clips, 4 speakers): AUROC 0.750 (0.500–0.900)" in found.figures[-1]
    assert "Languages that were never trained on (Thai" in found.figures[-1]
    path.write_text(json.dumps(report | {"encoder": "whisper", "open_set": unknown}))
    told = measured(path, trained).figures[-1]
    assert "Languages of no class of it, but maybe trained on (Thai" in told
    assert "what its pretrained encoder has heard is not known." in told
