"""Tests of langid/search/space.py."""

from typing import Any

import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from langid.commands.configuration import compose, groups, options
from langid.commands.override_check import check_overrides
from langid.errors import LangidError
from langid.search.space import overrides_of, read_space, samples, told


def space(entries: dict[str, Any]) -> Any:
    return read_space(entries)


def test_ranges_and_choices_are_read_by_dotted_key() -> None:
    read = space(
        {
            "optimizer": {"lr": {"low": 1e-4, "high": 1e-2, "log": True}},
            "model": {"choices": ["gru", None], "network": {"units": {"low": 64, "high": 256}}},
            "data.batch_size": {"low": 16, "high": 64, "step": 16},
            "loss.label_smoothing": {"low": 0, "high": 0.3, "step": 0.1},
        }
    )
    assert read == {
        "optimizer.lr": FloatDistribution(1e-4, 1e-2, log=True),
        "model": CategoricalDistribution(("gru", None)),
        "model.network.units": IntDistribution(64, 256),
        "data.batch_size": IntDistribution(16, 64, step=16),
        "loss.label_smoothing": FloatDistribution(0, 0.3, step=0.1),
    }
    assert [told(distribution) for distribution in read.values()] == [
        "0.0001 to 0.01, log", "gru, None", "64 to 256", "16 to 64, step 16", "0.0 to 0.3, step 0.1"
    ]  # fmt: skip


def test_values_are_typed_as_hydra_reads_them() -> None:
    values = {"a": 1e-05, "b": None, "c": True, "d": "x y", "e": 1e22}
    assert overrides_of(values) == ["a=1e-05", "b=null", "c=True", 'd="x y"', "e=1e+22"]


def test_each_choice_of_a_group_is_among_the_samples_and_the_first_value_of_other_keys() -> None:
    read = space({"model": {"choices": ["gru", "tcn"]}, "seed": {"low": 3, "high": 9}})
    found = list(samples(read, {"model", "silence"}))
    assert found == [{"model": "gru", "seed": 3}, {"model": "tcn", "seed": 3}]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"low": 2, "high": 1}, "low is above high"),
        ({"low": 0, "high": 1, "log": True}, "log needs low above 0"),
        ({"low": 0.1, "high": 1, "log": True, "step": 0.1}, "log and step do not go together"),
        ({"low": 0.1, "high": 1, "log": "yes"}, "log is true or false"),
        ({"low": 0, "high": 1, "step": 0}, "step must be above 0"),
        ({"low": 64, "high": 250, "step": 64}, "no number of steps leads from low to high"),
        ({"low": "a", "high": 1}, "expected numbers"),
        ({"low": 0.0, "high": float("inf")}, "expected numbers"),
        ({"low": True, "high": 2}, "expected numbers"),
        ({"low": 1}, "accepted are low and high (with log or step), or choices"),
        ({"lo": 1, "high": 2}, "accepted are low and high"),
        ({}, "accepted are low and high"),
        ({"choices": [1], "low": 1}, "choices stand alone"),
        ({"choices": []}, "expected a list of single values"),
        ({"choices": [[1, 2]]}, "expected a list of single values"),
        ({"choices": "mask"}, "expected a list of single values"),
    ],
)
def test_a_bad_entry_is_named_with_what_is_accepted(entry: dict[str, Any], expected: str) -> None:
    with pytest.raises(LangidError) as error:
        space({"optimizer": {"lr": entry}})
    assert str(error.value).startswith("tune.optimizer.lr")
    assert expected in str(error.value)


def test_a_key_without_fields_is_named() -> None:
    with pytest.raises(LangidError, match=r"^tune=.*seed.*accepted are low and high"):
        space({"seed": 3})


def test_the_spaces_that_come_with_langid_fit_their_networks() -> None:
    models = {"default": ("gru", "ecapa_tdnn"), "recurrent": ("bilstm",)}
    assert set(models) == set(options("tune", "tune"))
    for name, fitting in models.items():
        read = read_space(OmegaConf.to_container(compose("tune", [f"tune={name}"]).tune))
        assert "optimizer.lr" in read
        for model in fitting:
            for values in samples(read, groups("train")):
                check_overrides("train", ["store=a.h5", f"model={model}", *overrides_of(values)])
