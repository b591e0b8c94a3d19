"""Tests of langid/training/run_description.py: plain both ways, and whole or refused."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint
from langid.training.run_description import LATER, RunDescription, data_of, versions

from ..conftest import described


@pytest.fixture
def trained_on(checkpoint_path: Path) -> RunDescription:
    """Return the description in the checkpoint of a real run."""
    description: RunDescription = read_checkpoint(checkpoint_path)["langid"]
    return description


def test_it_is_plain_both_ways(checkpoint_path: Path, trained_on: RunDescription) -> None:
    held = torch.load(checkpoint_path, weights_only=True)["langid"]
    assert trained_on.to_plain() == held
    assert RunDescription.from_plain(json.loads(json.dumps(held))) == trained_on
    with pytest.raises(FrozenInstanceError):
        trained_on.seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", [field.name for field in fields(RunDescription)])
def test_a_part_that_is_missing_or_odd_is_named(name: str) -> None:
    plain = described().to_plain()
    expected = "schema" if name == "schema" else f"its description has {name}=4.5; expected"
    with pytest.raises(LangidError, match=expected):
        RunDescription.from_plain(plain | {name: 4.5})
    del plain[name]
    if name in LATER:
        assert getattr(RunDescription.from_plain(plain), name) == LATER[name]
        return
    with pytest.raises(LangidError, match="schema" if name == "schema" else f"has no {name}"):
        RunDescription.from_plain(plain)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, "its description has colour; accepted are schema, .*store"),
        ({"classes": ["a", 3]}, r"classes=\['a', 3\]; expected a list of texts"),
        ({"schema": "langid-checkpoint-2"}, "schema langid-checkpoint-2, this version reads"),
        ({"schema": "another-3"}, "not written by langid train"),
    ],
)
def test_what_no_run_has_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LangidError, match=message):
        RunDescription.from_plain(described().to_plain() | changes)


@pytest.mark.parametrize("plain", [None, [], "text", {}])
def test_what_is_no_description_is_refused(plain: Any) -> None:
    with pytest.raises(LangidError, match="not written by langid train"):
        RunDescription.from_plain(plain)


def test_the_data_of_a_run_are_dealt_as_they_were(
    trained_on: RunDescription, store_path: Path
) -> None:
    for data in (data_of(trained_on), data_of(replace(trained_on, store="gone.h5"), store_path)):
        assert data.summary() == trained_on.split_summary
        assert data.classes == trained_on.classes
        assert data.sequence_frames == 200


def test_parts_are_compared_without_the_way_they_are_carried_out(
    trained_on: RunDescription,
) -> None:
    workers = replace(trained_on, data=trained_on.data | {"workers": 5})
    assert workers.flat(["data"]) == trained_on.flat(["data"])
    frames = replace(trained_on, data=trained_on.data | {"sequence_frames": 50})
    assert frames.flat(["data"])["data.sequence_frames"] == 50 != trained_on.flat(["data"])


def test_others_are_told_of_files_and_not_of_folders() -> None:
    encoder, noise = {"encoder": "/home/me/enc", "layer": 2}, [{"folder": "/x/musan"}, "a/b"]
    classes = {"task": {"classes": ["/a/b"]}, "classes": ["/a/b", "c"]}
    held = described(features=encoder, waveform={"noise": noise}, store="/x/s.h5", **classes)
    bare = held.without_folders()
    assert bare.features == {"encoder": "enc", "layer": 2} and bare.store == "s.h5"
    assert replace(held, store="../me/t.h5").without_folders().store == "t.h5"
    assert bare.waveform == {"noise": [{"folder": "musan"}, "a/b"]}
    assert replace(bare, features=encoder, waveform=held.waveform, store="/x/s.h5") == held


def test_packages_to_trust_are_those_of_somebody_else() -> None:
    network = {"_target_": "theirs.networks.Net", "x": 1}
    model = {"_target_": "langid.training.identifier.LanguageIdentifier", "network": network}
    held = described(model=model, detector={"_target_": "mine.Detector"})
    assert held.packages == ["mine", "theirs"] and described().packages == []


def test_versions_are_known() -> None:
    held = versions()
    assert {"python", "langid-speech", "torch", "numpy", "h5py"} <= set(held)
    assert all(held.values())
