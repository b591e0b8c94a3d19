"""The card of a real checkpoint, read by the hub's own library and by a reader of Markdown."""

import json
from dataclasses import replace
from html import unescape
from pathlib import Path

from conftest import variant
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from langid.sharing.model_card import model_card
from langid.terminal import interval
from langid.training.identifier import LanguageIdentifier
from langid.training.logit_scaling import LogitScaling

RUN = ["langid predict model=m.onnx audio=FILE"]
SECTIONS = [
    "Use", "What it must not be used for", "Training data", "Figures", "Worst slices", "How to run",
    "What it was made of",
]  # fmt: skip


def test_it_is_the_hub_s_card_with_the_figures_of_the_report(
    trained: LanguageIdentifier, report_path: Path
) -> None:
    text = model_card(trained, "my_model", RUN, report_path)
    report = json.loads(report_path.read_text())
    held = ModelCard(text).data
    assert (held.library_name, held.language, held.license) == ("langid", ["en", "hi", "zh"], None)
    found = {one.metric_name: one.metric_value for one in held.eval_results}
    figure = report["accuracy"]
    sure = interval(figure)
    assert found[f"accuracy (95 % interval {sure})"] == round(figure["value"], 6)
    dataset = "cv-corpus-6.1-2020-12-11: test part"
    assert {one.dataset_name for one in held.eval_results} == {dataset}
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    assert f"| accuracy | {figure['value']:.3f} | {sure} |" in text
    assert "6 clips, 6 speakers" in text and RUN[0] in text
    assert " nan " not in text.lower()


def test_it_says_of_the_checkpoint_what_it_holds_and_no_folder(
    trained: LanguageIdentifier,
) -> None:
    text = model_card(trained, "m", RUN)
    assert model_card(trained, "m", RUN) == text
    summary = trained.described.split_summary
    of, minutes = summary["parts"]["train"]["Hindi"], summary["minutes"]["Hindi"]
    assert f"| Hindi | {of['clips']} | {of['speakers']} | 0 | {minutes} |" in text and minutes > 0
    for held in (trained.described.fingerprint, "seed: 0", "units: 24", "torch "):
        assert held in text
    assert str(Path(trained.described.store).parent) not in text
    assert "not calibrated" in text


def test_without_a_report_nothing_was_measured(trained: LanguageIdentifier) -> None:
    text = model_card(trained, "m", RUN)
    assert text.count("Nothing was measured.") == 2  # under figures and worst slices
    assert "`langid evaluate checkpoint=BEST.ckpt store=STORE.h5 output=DIR`" in text
    assert "model-index" not in text


def test_names_of_classes_and_what_was_fitted_are_shown_as_they_are(
    trained: LanguageIdentifier,
) -> None:
    names = ["<script>", "a|b *c*", "Hindi"]
    identifier = variant(trained, classes=names, split_summary={})
    identifier.calibration = LogitScaling(1.25, (), "30 utterances of 12 speakers")
    text = model_card(identifier, "# m", RUN)
    shown = unescape(MarkdownIt("gfm-like", {"linkify": False}).render(text))
    for name in names:
        assert f"<td>{name}</td>" in shown
    assert "<h1># m</h1>" in shown and "which language it is of: <script>, a|b *c*, Hindi" in shown
    assert "a temperature of 1.25, fitted on 30 utterances of 12 speakers" in shown
    assert "<td>not known</td>" in shown
    assert ModelCard(text).data.language == ["hi"]


def test_another_task_has_no_language(trained: LanguageIdentifier) -> None:
    task = trained.described.task | {"column": "age"}
    identifier = variant(trained, classes=["twenties", "sixties", "teens"], task=task)
    identifier.described = replace(identifier.described, split_summary={})
    data = ModelCard(model_card(identifier, "m", RUN)).data
    assert data.language is None and "age-identification" in data.tags
