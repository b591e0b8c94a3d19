"""Tests of langid/evaluation/slices.py."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from langid.commands.main import main
from langid.data.store import Store
from langid.evaluation.predictions import Predictions
from langid.evaluation.slices import sliced

from ..conftest import described


def predictions(count: int = 60, unit: str = "utterance") -> Predictions:
    """Return those of clips of a speaker each, of whom women are worse understood than men."""
    gender = np.repeat(["female", "male", ""], [25, 25, count - 50])
    right = np.where(gender == "female", np.arange(count) % 2 == 0, np.arange(count) % 5 > 0)
    table = pd.DataFrame({
        "utterance_id": [f"u{number}" for number in range(count)],
        "speaker": [f"s{number}" for number in range(count)], "language": "x", "corpus": "cv",
        "age": "", "gender": gender, "accent": "", "p(x)": np.where(right, 0.9, 0.2),
        "speech_s": np.resize([0.5, 1.0, 1.5, 20.0], count),
    })  # fmt: skip
    table["p(y)"] = 1 - table["p(x)"]
    return Predictions(table, unit, ["x", "y"], [described()], "f")


def test_slices_are_ordered_worst_first_and_small_ones_last() -> None:
    found = sliced(predictions())
    slices = found["slices"]
    assert [(one["too_small"], one["accuracy"]["value"]) for one in slices] == sorted(
        (one["too_small"], one["accuracy"]["value"]) for one in slices
    )
    assert (slices[0]["by"], slices[0]["value"]) == ("gender", "female")
    assert slices[0]["accuracy"]["value"] == pytest.approx(13 / 25)
    assert slices[0]["accuracy"]["low"] < 13 / 25 < slices[0]["accuracy"]["high"]
    assert (slices[0]["clips"], slices[0]["speakers"], slices[0]["classes"]) == (25, 25, ["x"])
    sizes = {(one["by"], one["value"]): (one["clips"], one["too_small"]) for one in slices}
    assert sizes == {
        ("gender", "female"): (25, False), ("gender", "male"): (25, False),
        ("gender", "not known"): (10, True), ("speech", "0 to 1 s"): (30, False),
        ("speech", "1 to 3 s"): (15, True), ("speech", "over 10 s"): (15, True),
    }  # fmt: skip
    assert found["not_sliced"] == {
        "age": "not known of any clip", "accent": "not known of any clip",
        "corpus": "cv of all clips",
    }  # fmt: skip


def test_clips_of_one_speaker_are_too_few_speakers() -> None:
    held = predictions()
    held.table["speaker"] = "one"
    assert all(one["too_small"] for one in sliced(held)["slices"])
    assert {one["accuracy"]["reason"] for one in sliced(held)["slices"]} == {"1 speaker"}
    held.table["speaker"] = ""  # of each another one, for all that is known
    assert not sliced(held)["slices"][0]["too_small"]


@pytest.fixture
def store_of(tmp_path: Path) -> Callable[..., Store]:
    """Return a function that makes a store of three clips: loud, soft and noisy, and too short."""
    generator = np.random.default_rng(0)
    tone = np.sin(np.arange(16000) / 7)
    for name, level, noise, rate in (("loud", 0.3, 1e-4, 16000), ("soft", 0.02, 6e-3, 48000)):
        sound = np.concatenate([np.zeros(16000), level * tone, np.zeros(8000)])
        sound += noise * generator.standard_normal(len(sound))
        soundfile.write(tmp_path / f"{name}.wav", sound, rate)
    soundfile.write(tmp_path / "short.wav", 0.1 * tone[:9600], 16000)
    rows = "\n".join(f"{name}\t{tmp_path}/{name}.wav\tx" for name in ("loud", "soft", "short"))
    (tmp_path / "clips.tsv").write_text(f"utterance_id\tpath\tlanguage\n{rows}\n")

    def prepare(content: str) -> Store:
        store = tmp_path / f"{content}.h5"
        parts = ["corpus=manifest", f"corpus.path={tmp_path}/clips.tsv", f"store={store}"]
        assert main(["prepare", "detector=energy", *parts, "workers=1", f"content={content}"]) == 0
        return Store(store)

    return prepare


def told(found: dict[str, list[dict[str, str]]], by: str) -> set[str]:
    return {one["value"] for one in found["slices"] if one["by"] == by}


def test_what_files_and_samples_say(store_of: Callable[..., Store], tmp_path: Path) -> None:
    held = predictions()
    held.table = held.table[:3]
    found = sliced(held, store_of("samples"))
    assert told(found, "sample rate") == {"16000 Hz", "48000 Hz"}
    assert told(found, "loudness") >= {"-15 to -5 dB"} or "over -15 dB" in told(found, "loudness")
    assert "not known" in told(found, "SNR") and "over 30 dB" in told(found, "SNR")
    (tmp_path / "soft.wav").unlink()
    found = sliced(held, store_of("samples"))
    assert told(found, "sample rate") == {"16000 Hz", "not known"}


def test_what_cannot_be_known_is_said(store_of: Callable[..., Store]) -> None:
    held = predictions()
    held.table = held.table[:3]
    reasons = sliced(held, store_of("features"))["not_sliced"]
    assert reasons["SNR"] == "the store holds features and no samples (content=samples)"
    held.unit = "sequence"
    assert sliced(held, store_of("features"))["not_sliced"]["SNR"] == "of sequences, not of clips"
