"""Tests of langid/data/sound_store.py: stores of sounds are what prepare makes of them."""

from pathlib import Path

import numpy as np
import pytest

from langid.corpora.manifest import COLUMNS
from langid.data.sound_store import Sounds, make_store
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples


def sounds_of(store: Store, rows: range) -> Sounds:
    samples = StoredSamples(store, store.description["sample_rate"])
    cells = [{name: str(store.columns[name][row]) for name in COLUMNS} for row in rows]
    return [(of, samples(row)) for of, row in zip(cells, rows, strict=True)]


@pytest.mark.parametrize("kind", ["store_path", "samples_path"])
def test_sounds_as_they_were_make_the_store_that_they_are_of(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    store = Store(request.getfixturevalue(kind))
    rows = range(4)
    make_store(tmp_path / "made.h5", store, sounds_of(store, rows), "as it was")
    made = Store(tmp_path / "made.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["made.h5"]
    assert made.description == store.description and made.fingerprint != store.fingerprint
    assert made.offsets.tolist() == store.offsets[:5].tolist()
    assert made.utterances.equals(store.utterances.iloc[:4])
    (values, speech), (held, marks) = (of.read(0, int(store.offsets[4])) for of in (made, store))
    assert np.array_equal(speech, marks)
    if kind == "samples_path":
        assert np.array_equal(values, held)
    else:  # prepare hears blocks, here the whole is heard: sums of another order
        assert np.abs(values.astype(float) - held).max() <= 0.01 * np.abs(held).max()


def test_what_is_silent_is_kept_and_marked_so(store_path: Path, tmp_path: Path) -> None:
    store = Store(store_path)
    row = dict.fromkeys(COLUMNS, "") | {"utterance_id": "nothing"}
    make_store(tmp_path / "made.h5", store, [(row, np.zeros(16000, np.float32))], "silence")
    made = Store(tmp_path / "made.h5")
    assert made.utterances["utterance_id"].tolist() == ["nothing"]
    assert made.offsets.tolist() == [0, 100] and not made.read_speech(0, 100).any()
