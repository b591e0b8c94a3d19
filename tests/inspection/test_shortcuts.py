"""Tests of langid/inspection/shortcuts.py: what is there is found, and what is not is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from langid.inspection.measurements import BANDS
from langid.inspection.shortcuts import shortcut_test

CLASSES = ["x", "y", "z"]


def drawn(clips: int = 240, speakers: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return clips of three classes that differ in nothing, by speakers that differ in all."""
    random = np.random.default_rng(seed)
    speaker = np.arange(clips) % speakers
    own = random.standard_normal((speakers, 6))[speaker]
    table = pd.DataFrame(
        {
            "utterance_id": [f"u{number}" for number in range(clips)],
            "class": np.array(CLASSES, object)[speaker % 3],
            "speaker": [f"s{number}" for number in speaker],
            "codec": "MP3",
            "sample_rate": 48000,
            "bandwidth_hz": 7000 + 300 * own[:, 0] + 50 * random.standard_normal(clips),
            "loudness_db": -20 + 3 * own[:, 1],
            "noise_floor_db": -60 + 5 * own[:, 2],
            "leading_silence_s": np.abs(own[:, 3]),
        }
    )
    quiet = own[:, 4:5] + random.standard_normal((clips, 2 * BANDS))
    return table, quiet


def gives_away(report: dict[str, Any]) -> list[str]:
    return [name for name, test in report["tests"].items() if test["gives_away"]]


@pytest.mark.parametrize("seed", range(2))
def test_where_nothing_differs_all_is_quiet(seed: int) -> None:
    report = shortcut_test(*drawn(seed=seed), CLASSES)
    assert gives_away(report) == []
    assert (report["clips"], report["speakers"], report["chance"]) == (240, 120, 1 / 3)


@pytest.mark.parametrize(
    ("column", "told", "tests"),
    [
        ("bandwidth_hz", "bandwidth", ["file and recording", "recording"]),
        ("leading_silence_s", "leading silence", ["file and recording", "recording"]),
        ("codec", "codec", ["file and recording"]),
        ("sample_rate", "sample rate", ["file and recording"]),
    ],
)
def test_what_gives_a_class_away_is_named(column: str, told: str, tests: list[str]) -> None:
    table, quiet = drawn()
    of_y = table["class"] == "y"
    strange: dict[str, object] = {"codec": "FLAC", "sample_rate": 16000}
    middle = strange[column] if column in strange else table[column].mean()
    table[column] = table[column].where(~of_y, middle)  # where no line divides
    report = shortcut_test(table, quiet, CLASSES)
    assert gives_away(report) == tests
    for name in tests:
        assert next(iter(report["tests"][name]["alone"])) == told
        assert report["tests"][name]["recall"]["y"]["value"] > 0.9


def test_quiet_frames_that_give_a_class_away_are_found_in_their_bands() -> None:
    table, quiet = drawn()
    quiet[table["class"] == "z", BANDS - 5 : BANDS] -= 2
    report = shortcut_test(table, quiet, CLASSES)
    assert gives_away(report) == ["quietest frames"]
    assert next(iter(report["tests"]["quietest frames"]["alone"])).endswith("to 8.0 kHz")


def test_a_speaker_is_in_one_fold_alone() -> None:
    """What tells speakers and not classes is of no use."""
    table, quiet = drawn(clips=600, speakers=15)
    quiet[:, :15] = 10 * np.eye(15)[np.arange(600) % 15]
    assert gives_away(shortcut_test(table, quiet, CLASSES)) == []


def test_classes_of_few_speakers_are_left_out() -> None:
    table, quiet = drawn()
    table.loc[table["class"] == "x", "speaker"] = "one"
    report = shortcut_test(table, quiet, CLASSES)
    assert report["left_out"] == {"x": 1} and report["classes"] == ["y", "z"]
    table.loc[table["class"] == "y", "speaker"] = "two"
    assert shortcut_test(table, quiet, CLASSES)["tests"] == {}
    table["speaker"] = ""  # each clip stands for a speaker
    assert shortcut_test(table, quiet, CLASSES)["speakers"] == 240
