"""Tests of langid/build.py: what each role may be, and what is said of the rest."""

import importlib
from typing import Any

import pytest

from langid.build import ROLES, build, factory
from langid.errors import LangidError

GRU = {"_target_": "langid.networks.recurrent.GRU"}


@pytest.mark.parametrize("role", ROLES)
def test_the_base_class_of_a_role_is_there(role: str) -> None:
    module, _, name = ROLES[role][0].rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), name), type)


def test_an_object_is_made_of_configuration_and_arguments() -> None:
    network = build(GRU | {"units": 7}, "network", bins=3, num_classes=2)
    assert next(iter(network.state_dict().values())).shape == (21, 3)


def test_a_factory_takes_the_rest_of_the_arguments_later() -> None:
    make = factory(GRU | {"units": 7}, "network")
    assert make(3, num_classes=2) is not make(3, num_classes=2)


@pytest.mark.parametrize(
    ("target", "role"),
    [
        ("os.system", "network"),
        ("langid.corpora.folders.Folders", "features"),
        ("langid.signal.features.MFCC", "detector"),
        ("langid.networks.recurrent.nn", "network"),
        ("langid.networks.recurrent.Tensor", "network"),
        ("torch.optim.Adam", "scheduler"),
        ("torch.optim.lr_scheduler.ConstantLR", "optimizer"),
        ("pytorch_lightning.callbacks.EarlyStopping", "logger"),
        ("pytorch_lightning.LightningModule", "trainer"),
        ("pytorch_lightning.Trainer", "callback"),
        ("GRU", "network"),
        ("", "network"),
        (3, "network"),
        (["os.system"], "network"),
    ],
)
def test_a_class_that_is_none_of_the_role_is_refused(target: Any, role: str) -> None:
    with pytest.raises(LangidError, match=rf"^{role}\._target_=.*: refused, "):
        factory({"_target_": target}, role)


@pytest.mark.parametrize("config", [None, "text", {}, [GRU], {"units": 3}])
def test_what_names_no_class_is_refused(config: Any) -> None:
    with pytest.raises(LangidError, match=r"^network=.*: expected a _target_"):
        build(config, "network")


def test_a_wrong_argument_is_answered_with_the_accepted_ones() -> None:
    with pytest.raises(LangidError, match=r"GRU takes no unitss; accepted are bins, .*units"):
        build(GRU | {"unitss": 5}, "network", bins=3, num_classes=2)


def test_a_refused_value_is_told_in_one_line() -> None:
    with pytest.raises(LangidError, match="GRU: units=0: accepted are 1 and more"):
        build(GRU | {"units": 0}, "network", bins=3, num_classes=2)


def test_arguments_are_plain_and_the_place_of_what_is_not_is_named() -> None:
    for value in ({"_target_": "os.system"}, "${oc.env:HOME}"):
        config = {"_target_": "torch.optim.Adam", "a": [{}, {"b": value}]}
        with pytest.raises(LangidError, match=r"^optimizer\.a\[1\]\.b.*: refused"):
            factory(config, "optimizer")


@pytest.mark.parametrize(
    ("target", "role", "key", "value"),
    [
        ("langid.signal.features.LogMel", "features", "n_mels", "many"),
        ("langid.signal.features.LogMel", "features", "hop_ms", 0),
        ("langid.corpora.manifest_file.ManifestFile", "corpus", "path", 3),
        ("langid.corpora.folders.Folders", "corpus", "root", None),
        ("pytorch_lightning.Trainer", "trainer", "precision", 33),
        ("pytorch_lightning.Trainer", "trainer", "accelerator", "abacus"),
        ("pytorch_lightning.Trainer", "trainer", "devices", "many"),
        ("pytorch_lightning.callbacks.ModelCheckpoint", "callback", "dirpath", 3),
    ],
)
def test_a_value_of_another_kind_is_answered(
    target: str, role: str, key: str, value: object
) -> None:
    with pytest.raises(LangidError, match=rf"^{target}: |^corpus\.root"):
        build({"_target_": target, key: value}, role)


@pytest.mark.parametrize("error", [AttributeError, KeyError, RuntimeError, AssertionError])
def test_a_mistake_inside_a_class_is_raised_as_it_is(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object, **__: object) -> None:
        raise error("a mistake")

    monkeypatch.setattr("langid.networks.recurrent.Head", mistaken)
    with pytest.raises(error, match="a mistake"):
        build(GRU, "network", bins=3, num_classes=2)
