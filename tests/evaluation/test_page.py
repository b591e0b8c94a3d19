"""Tests of report.html: in a real browser, and of what it says where there is little to say."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from langid import markup
from langid.commands.main import main
from langid.evaluation.embedding_map import nearness
from langid.evaluation.first_screen import first_screen, summary
from langid.evaluation.mistakes import Mistake, most_confident
from langid.evaluation.page import write_page
from langid.evaluation.predictions import Predictions
from langid.evaluation.report import make_report
from langid.evaluation.streamed_page import decision_rows, since_rows, speech_rows
from langid.plots import figure_svg
from langid.training.logit_scaling import LogitScaling

from ..conftest import described
from ..demo.page.chromium import Chromium
from ..demo.page.conftest import require_chromium
from ..pages import PAPER, READY, assert_accessible


@pytest.fixture(scope="module")
def folder(
    checkpoint_path: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the report on the test part, with streams and players."""
    output = tmp_path_factory.mktemp("page")
    keys = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={output}"]
    assert main(["evaluate", *keys, "streaming=true", "audio=true", "seconds=[1]"]) == 0
    return output


def test_the_page_in_a_browser(folder: Path, tmp_path: Path) -> None:
    require_chromium()
    browser = Chromium(tmp_path)
    try:
        page = browser.open((folder / "report.html").as_uri(), ready=READY)
        assert_accessible(page)
        assert page.text(".verdict").startswith("It recognises ")
        assert page.text(".verdict").endswith("6 speakers; no speaker was heard in training.")
        assert f"output={folder}" in page.text("dl")
        assert page.run("document.querySelectorAll('article').length") == page.run(
            "document.querySelectorAll('audio').length"
        )
    finally:
        browser.close()


def test_the_page_holds_every_section_and_no_nan(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    for heading in ("Figures", "Classes", "Confusion", "How far posteriors can be believed",
                    "Detection", "On whom and on what", "Seconds heard",
                    "What the network hears", "The most confident mistakes",
                    "Streamed"):  # fmt: skip
        assert f">{heading}</h2>" in text
    assert "streamed without reset, classes mixed" in text
    assert "nan" not in visible(text).split()
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_the_numbers_of_the_picture_of_streams_are_on_the_page(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    streams = json.loads((folder / "streaming.json").read_text())
    assert "streaming.csv" not in page
    tables = (since_rows(streams), speech_rows(streams), decision_rows(streams))
    assert [len(rows[0]) for rows in tables] == [5, 6, 8]
    for name, *cells in (row for rows in tables for row in rows):
        row = page.partition(f'<th scope="row">{name}</th>')[2].partition("</tr>")[0]
        assert re.findall(r"<td[^>]*>([^<]*)</td>", row) == cells


def test_decisions_that_are_never_made_have_no_time() -> None:
    measured = {"clips": 9, "decided": 0, "speech_s": None, "error": None}
    rows = [
        {"error_rate": 0.01, "decide_at": None, "measured": None},
        {"error_rate": 0.1, "decide_at": 0.9, "measured": measured},
    ]
    told = decision_rows({"decisions": rows})
    assert told[0] == ["1%", "none gives it", *["–"] * 6]
    assert told[1] == ["10%", "0.9", "9", "0", *["–"] * 4]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def visible(page: str) -> str:
    """Return the text of a page in small letters."""
    parser = _Text()
    parser.feed(page)
    return " ".join(parser.words).lower()


def made(targets: list[int], said: list[int], speakers: list[str], unit: str) -> Predictions:
    """Return predictions of clips in three classes, of which the last may be absent."""
    classes = ["x<b>", "y", "z"]
    table = pd.DataFrame({
        "utterance_id": [f"u{number}" for number in range(len(targets))], "corpus": "cv",
        "speaker": speakers, "language": [classes[one] for one in targets], "age": "",
        "gender": "", "accent": "", "duration_s": "", "frames": 10, "right_frames": 5,
        "speech_s": 1.0, "predicted": [classes[one] for one in said], "no_speech": False,
    })  # fmt: skip
    table[[f"p({name})" for name in classes]] = np.eye(3)[said] * 0.7 + 0.1
    shared = {"speakers": 0, "utterances": 0, "unknown_speakers": 0}
    runs = [described(classes=classes, split_summary={"shared": shared})]
    return Predictions(table, unit, classes, runs, "f")


def report_of(predictions: Predictions, part: str = "test") -> dict[str, Any]:
    more = {"by_seconds": [], "not_by_seconds": "seconds=[]", "embeddings": nearness(predictions)}
    return make_report(predictions, part) | more


Page = Callable[..., str]


@pytest.fixture
def page_of(tmp_path: Path) -> Page:
    def write(predictions: Predictions, mistakes: tuple[Mistake, ...] = (), **more: Any) -> str:
        command = "langid evaluate <x>"
        write_page(tmp_path, report_of(predictions), command, predictions, mistakes, **more)
        return (tmp_path / "report.html").read_text()

    return write


CASES = {
    "one speaker": ([0, 0, 1], [0, 1, 1], ["a"] * 3, "utterance", "no interval, x<b>: 1 speaker"),
    "unknown": ([0, 1], [0, 1], ["", ""], "utterance", "is not known"),
    "one class": ([1] * 6, [1] * 6, list("abcdef"), "utterance", "One class alone occurs, y"),
    "one clip": ([0], [2], ["a"], "utterance", "1 clip, 1 speaker"),
    "absent": ([0, 1] * 5, [0, 2] * 5, list("abcdefghij"), "utterance", "no clip of z"),
    "sequences": ([0, 1], [1, 1], ["a", "b"], "sequence", "sequences of 2 clips"),
}


@pytest.mark.parametrize("name", CASES)
def test_where_there_is_little_to_say_a_sentence_says_so(name: str, page_of: Page) -> None:
    targets, said, speakers, unit, told = CASES[name]
    text = page_of(made(targets, said, speakers, unit))
    assert told.lower() in visible(text)
    assert "nan" not in visible(text).split()
    assert "<b>" not in text and "<x>" not in text
    assert "no property divides these clips" in visible(text)
    assert "not measured: seconds=[]" in visible(text)


@pytest.mark.parametrize("judged", [0, 2])
def test_slices_of_few_speakers_are_folded_where_others_are_seen(
    tmp_path: Path, judged: int
) -> None:
    held = made([0, 1] * 3, [0, 1] * 3, list("abcdef"), "utterance")
    figure = {"value": 0.5, "low": None, "high": None, "reason": "made up"}
    of = {
        "by": "age",
        "accuracy": figure,
        "clips": 9,
        "speakers": 9,
        "unknown_speakers": 0,
        "classes": ["y"],
    }
    slices = [of | {"value": f"a{one}", "too_small": one >= judged} for one in range(5)]
    write_page(tmp_path, report_of(held) | {"slices": slices}, "", held, ())
    text = (tmp_path / "report.html").read_text()
    seen, _, folded = text.partition("<details>")
    assert [f"age: a{one}<" in folded for one in range(5)] == [
        bool(judged) and one >= judged for one in range(5)
    ]
    assert [f"age: a{one}<" in seen for one in range(5)] == [
        not judged or one < judged for one in range(5)
    ]
    assert text.count("too small to judge</caption>") == 1
    assert text.count("<summary>3 slices of under 20 speakers") == bool(judged)


def test_what_is_folded_is_printed(tmp_path: Path) -> None:
    require_chromium()
    page_path = tmp_path / "page.html"
    table = markup.table("Few", ["slice"], [["young"]])
    page_path.write_text(markup.page("Report", "", {"Slices": markup.folded("1 slice", table)}))
    browser = Chromium(tmp_path)
    try:
        page = browser.open(page_path.as_uri(), ready="document.readyState === 'complete'")
        seen = "document.querySelector('details table').checkVisibility()"
        assert not page.run(seen)
        page.print()
        assert page.run(seen)
    finally:
        browser.close()


def test_no_word_of_a_folded_table_is_broken(tmp_path: Path) -> None:
    require_chromium()
    head = ("slice", "accuracy", "95 % interval", "clips and speakers", "classes")
    rows = [["accent: India and South Asia", "0.182", "–", "11 clips, 3 speakers", "1"]]
    folded = markup.folded("1 slice", markup.table("Few", head, rows))
    (tmp_path / "page.html").write_text(markup.page("Report", "", {"All": folded}))
    browser = Chromium(tmp_path)
    try:
        page = browser.open((tmp_path / "page.html").as_uri(), ready=READY)
        page.resize(360)
        page.run("document.querySelector('details').open = true")
        accuracy = "document.querySelector('th:nth-child(2)').offsetWidth"
        assert page.run(accuracy) > 60  # pixels, of the word on one line
    finally:
        browser.close()


def test_what_scrolls_can_be_reached_by_keyboard_and_nothing_else(tmp_path: Path) -> None:
    require_chromium()
    short = markup.table("Short", ["slice"], [["young"]])
    long = markup.table("Long", ["slice"] * 30, [["young"] * 30])
    drawn = markup.picture(figure_svg(Figure((6, 1)), "picture"), "A picture")
    folded = markup.folded("more", long)
    (tmp_path / "page.html").write_text(markup.page("Report", "", {"All": short + drawn + folded}))
    browser = Chromium(tmp_path)
    try:
        page = browser.open((tmp_path / "page.html").as_uri(), ready=READY)
        seen = "[...document.querySelectorAll('.scroll, figure')].filter(e => e.checkVisibility())"
        stops = f"{seen}.map(e => e.tabIndex).join()"
        page.resize(1280)
        assert page.wait_for(f"{stops} === '-1,-1'")
        page.resize(360)
        assert page.wait_for(f"{stops} === '-1,0'")
        page.run("document.querySelector('details').open = true")
        assert page.wait_for(f"{stops} === '-1,0,0'")
    finally:
        browser.close()


def test_a_table_of_twenty_classes_fits_on_paper_and_paper_is_light(tmp_path: Path) -> None:
    require_chromium()
    names = [f"Language {number}" for number in range(20)]
    rows = [[name, *["123 (100%)"] * 20] for name in names]
    cells = markup.table("Confusion", ("is", *names), rows, np.ones((20, 20)))
    drawn = markup.picture(figure_svg(Figure((13, 2)), "wide"), "")
    (tmp_path / "page.html").write_text(markup.page("Report", "", {"All": cells + drawn}))
    browser = Chromium(tmp_path)
    try:
        page = browser.open((tmp_path / "page.html").as_uri(), ready=READY)
        page.resize(690)  # of A4, in pixels
        page.print("dark")
        for part in ("table", "svg"):
            width = f"document.querySelector('{part}').getBoundingClientRect().width"
            assert page.run(width) <= 690, part
        assert page.run("getComputedStyle(document.body).color") == "rgb(28, 28, 28)"
        assert page.run("getComputedStyle(document.body).backgroundColor") == PAPER["light"]
    finally:
        browser.close()


def test_rows_of_the_confusion_add_up_where_not_all_classes_are_shown(page_of: Page) -> None:
    classes = [f"c{number}" for number in range(25)]
    targets = np.repeat(np.arange(25), 3)
    said = np.where(np.arange(75) % 3, targets, (targets + 9) % 25)
    table = pd.concat([made([0], [0], ["a"], "utterance").table] * 75, ignore_index=True)
    table["language"], table["predicted"] = np.array(classes)[targets], np.array(classes)[said]
    table[[f"p({name})" for name in classes]] = np.eye(25)[said] * 0.5 + 0.02
    shared = {"speakers": 0, "utterances": 0, "unknown_speakers": 0}
    runs = [described(classes=classes, split_summary={"shared": shared})]
    text = page_of(Predictions(table, "utterance", classes, runs, "f"))
    cells = text.partition('<table class="cells">')[2].partition("</table>")[0]
    assert '<th scope="col">5 others</th>' in cells
    rows = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", cells)
    assert [sum(map(int, re.findall(r">(\d+) \(", row))) for row in rows] == [3] * 20


def test_pairs_that_are_confused_have_an_interval_or_say_why_not(page_of: Page) -> None:
    speakers = [*"abcdef", *"ghijgh"]
    text = page_of(made([0] * 6 + [1] * 6, [1, 0, 0] * 2 + [0, 1, 1] * 2, speakers, "utterance"))
    pairs = text.partition("The pairs that are most often confused")[2].partition("</table>")[0]
    of_x, of_y = re.findall(r"<tr>(<th scope=\"row\">.*?)</tr>", pairs)
    assert re.search(r'<td class="n">33\.3%</td><td class="n">\d+\.\d%–\d+\.\d%</td>$', of_x)
    assert of_y.endswith('<td class="n">33.3%</td><td>– 4 speakers</td>')


def test_bands_of_curves_are_drawn_or_the_page_says_why_not(page_of: Page) -> None:
    several, few = [*"abcdefghijkl"], [*"abcdef", *"ghijgh"]
    targets, said = [0] * 6 + [1] * 6, [1, 0, 0, 1, 0, 0] + [0, 1, 1] * 2
    band, none = "Bands are 95 % intervals between speakers", "No band of "
    text = page_of(made(targets, said, several, "utterance"))
    assert band in text and none not in text
    text = page_of(made(targets, said, few, "utterance"))
    assert band in text and "No band of y: 4 speakers." in text
    text = page_of(made([0, 0, 1], [0, 1, 1], ["a"] * 3, "utterance"))
    assert band not in text and "No band of x&lt;b&gt;: 1 speaker; y: 1 speaker." in text


@pytest.mark.filterwarnings("error")
def test_clips_without_speech_are_counted(page_of: Page) -> None:
    held = made([0, 1] * 3, [0, 1] * 3, list("abcdef"), "utterance")
    assert "speech in" not in visible(page_of(held)) and report_of(held)["no_speech"] == 0
    held.table.loc[0, ["frames", "right_frames"]] = 0
    assert "1 clip has no speech in it, and is scored by all frames" in page_of(held)
    held.table[["frames", "right_frames"]] = 0
    assert "6 clips have no speech in them, and are scored by all frames" in page_of(held)
    figure = report_of(held)["frame_accuracy"]
    assert (figure["value"], figure["reason"]) == (None, "no frame of speech")


def test_mistakes_are_the_surest_first_and_shown_without_their_sound(page_of: Page) -> None:
    held = made([0, 1, 1, 0], [1, 0, 1, 1], list("abcd"), "utterance")
    held.table.loc[1, "p(x<b>)"], held.table.loc[1, "p(y)"] = 0.9, 0.05
    assert most_confident(held).tolist() == [1, 0, 3]
    posteriors, speech = np.full((50, 3), 1 / 3), np.ones(50, bool)
    heard = (posteriors, speech, 0.5)
    gone = Mistake("u1", "y", "x<b>", 0.9, *heard, np.zeros(0, np.float32), "u1.mp3: no such file")
    there = Mistake("u0", "x<b>", "y", 0.7, *heard, np.zeros(8000, np.float32))
    text = page_of(held, (gone, there), audio=True)
    assert "Its sound is not there: u1.mp3: no such file." in text
    assert text.count("<audio ") == 1 and text.count("<article>") == 2
    assert "y, taken for x&lt;b&gt; with 90.0%" in text
    assert page_of(held, (there,)).count("<audio ") == 0


def test_the_sentence_says_what_was_heard_in_training() -> None:
    report = report_of(made([0, 1] * 5, [0, 1] * 5, list("abcdefghij"), "utterance"))
    assert summary(report).startswith(
        "It recognises 100.0% of a class's clips, on average over 2 classes (95 % interval "
    )
    shared = {"speakers": 2, "utterances": 0, "unknown_speakers": 0}
    assert "so that it is too good" in summary(report | {"shared_with_training": shared})
    assert "is not known" in summary(report | {"shared_with_training": None})
    unknown = {"speakers": None, "recordings": 3, "utterances": 0}
    assert "so that it is too good" in summary(report | {"shared_with_training": unknown})
    started = report | {"began_from": ["a.ckpt"]}
    assert "in training, but what the networks that it began from, or" in summary(started)
    assert "no speaker was heard in training." in summary(started | {"heard_alike": True})
    before = {"speakers": 4, "recordings": 4, "utterances": 28, "unknown_speakers": 0}
    heard = started | {"shared_with_start": before}
    assert "no speaker was heard in training, but 4 by what it began from." in summary(heard)
    none = dict.fromkeys(before, 0)
    alone = started | {"shared_with_start": none}
    assert "no speaker was heard in training." in summary(alone)
    assert "but what its pretrained encoder has" in summary(alone | {"encoder": "w"})
    some = started | {"shared_with_start": none | {"recordings": 2}}
    assert "in training, but some by what it began from." in summary(some)
    assert "in training, but what its pretrained encoder has" in summary(report | {"encoder": "w"})


def test_the_first_screen_names_what_it_began_from_without_folders_of_a_machine() -> None:
    report = report_of(made([0, 1], [0, 1], ["a", "b"], "utterance"))
    began = [
        "/home/ann/runs/sounds/checkpoints/last.ckpt", "/models/whisper-base", "runs/a/best.ckpt"
    ]  # fmt: skip
    screen = first_screen(report | {"began_from": began}, "")
    assert "<code>sounds/checkpoints/last.ckpt, whisper-base, runs/a/best.ckpt</code>" in screen
    assert "/home" not in screen and "/models" not in screen


def test_the_first_screen_says_how_much_of_each_clip_was_heard() -> None:
    held = made([0, 1], [0, 1], ["a", "b"], "utterance")
    whole, short = (report_of(replace(held, heard_s=seconds)) for seconds in (None, 1.5))
    alone = ", heard for 1.5 s from the first speech on"
    assert f"of a class's clips{alone}, on average over" in summary(short)
    screen = first_screen(short, "")
    assert screen.count(alone) == 2 and f"0.0 minutes{alone}; x&lt;b&gt;: 1 clip" in screen
    assert "heard for" not in first_screen(whole, "")


def test_the_first_screen_says_what_was_chosen_and_fitted_on_the_part() -> None:
    held = made([0, 1], [0, 1], ["a", "b"], "utterance")
    plain, fitted = (
        replace(held, fingerprint=held.descriptions[0].fingerprint, calibrations=[one])
        for one in (None, LogitScaling(1.25, (0.1, -0.1, 0.0), "9 utterances of 5 speakers"))
    )
    epoch, calibration = "The best epoch was chosen on this part", "The calibration was fitted on"

    def screen(predictions: Predictions, part: str) -> str:
        return first_screen(report_of(predictions, part), "")

    assert "none, posteriors are those of the training" in screen(plain, "test")
    told = "1.25 and a bias of each class, fitted on the validation part (9 utterances of 5 speak"
    for part in ("test", "validation", "all"):
        assert told in screen(fitted, part)
        assert (epoch in screen(plain, part)) == (part == "validation")
        assert (calibration in screen(fitted, part)) == (part != "test")
        assert calibration not in screen(plain, part)
    assert calibration not in screen(replace(fitted, fingerprint="of another store"), "all")


def test_seconds_that_are_none_are_refused(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={tmp_path}/out"]
    assert main(["evaluate", *keys, "seconds=[0]"]) == 2
    assert "seconds=[0]: accepted are numbers above 0" in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.html").exists()


def test_the_splits_of_folds_are_told_once(page_of: Page) -> None:
    predictions = made([0, 1], [0, 1], ["a", "b"], "utterance")
    folds = [
        replace(
            predictions.descriptions[0],
            split={"_target_": "langid.corpora.splits.KFoldSplit", "fold": fold, "folds": 5}
            | {"train_only": ["c", "d"], "unlabelled": []},
        )
        for fold in (0, 1)
    ]
    text = page_of(replace(predictions, descriptions=folds))
    assert "KFoldSplit, fold 0, 1, folds 5, train_only c, d" in text and "unlabelled" not in text
