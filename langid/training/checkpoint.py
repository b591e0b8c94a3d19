"""Checkpoints as plain data, and the identifiers in them."""

import io
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from langid.atomic_file import replaced
from langid.build import build, class_of
from langid.data.silence_policy import silence_policy
from langid.data.store import Store
from langid.errors import LangidError
from langid.networks.network import Network, SampleNetwork
from langid.signal.front_end import build_front_end
from langid.training.identifier import LanguageIdentifier
from langid.training.logit_scaling import KEY, LogitScaling
from langid.training.run_description import RunDescription, without_folders
from langid.training.shared_folder import read_folder

# What torch says of a pickle that would run code, not of one that is damaged.
CODE = re.compile(r"Unsupported (?:global|class).*|Trying to .*|Can only (?:build|create) .*")


def read_checkpoint(path: Path, key: str = "checkpoint") -> dict[str, Any]:
    """Return the content of a checkpoint, plain but for its RunDescription (``langid``).

    ``path`` may be a folder of ``langid share``, and ``key`` is what the user gave it as. Nothing
    in the file is executed. Raises LangidError for a file that is absent, damaged, holds anything
    but plain data, or was not written by langid.
    """
    path = path.expanduser()
    checkpoint = read_folder(path, key) if path.is_dir() else _read_file(path, key)
    try:
        plain = checkpoint.get("langid") if isinstance(checkpoint, dict) else None
        return checkpoint | {"langid": RunDescription.from_plain(plain)}
    except LangidError as error:
        raise LangidError(f"{key}={path}: {error}") from error


def _read_file(path: Path, key: str) -> dict[str, Any]:
    if not path.is_file():
        raise LangidError(f"{key}={path}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):
            content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise about anything
        raise _unreadable(f"{key}={path}", error) from None
    return content


def _unreadable(place: str, error: Exception) -> LangidError:
    code = CODE.search(str(error))
    if isinstance(error, pickle.UnpicklingError) and code:
        return LangidError(
            f"{place}: refused, it holds more than plain data and could run code"
            f" ({code.group().split('. ')[0]}); use a checkpoint of langid train"
        )
    reason = str(error).strip().partition("\n")[0].split(". ")[0] or type(error).__name__
    return LangidError(f"{place}: damaged or not a checkpoint ({reason}); use one of langid train")


def load_identifier(
    path: Path, key: str = "checkpoint", store: Store | None = None
) -> LanguageIdentifier:
    """Return the trained identifier of a checkpoint, in evaluation mode on the CPU.

    ``path`` and ``key`` are as in ``read_checkpoint``, ``store`` as in ``build_identifier``.
    """
    checkpoint = read_checkpoint(path, key)
    description: RunDescription = checkpoint["langid"]
    flawed = description.augment.get("in_evaluation")  # some protocols change features there too
    try:
        augment = build(description.augment, "augment") if flawed else None
        identifier = build_identifier(description, store, augment=augment)
        if (plain := checkpoint.get(KEY)) is not None:
            identifier.calibration = LogitScaling.from_plain(plain, len(identifier.classes))
    except LangidError as error:
        raise LangidError(f"{key}={path}: {error}") from error
    weights = checkpoint.get("state_dict", {})
    try:  # what a loss has learnt is for going on with the training
        own = {name: of for name, of in weights.items() if not name.startswith("loss.")}
        identifier.load_state_dict(own)
    except (AttributeError, RuntimeError, TypeError) as error:  # a file that was changed by hand
        raise LangidError(
            f"{key}={path}: its weights and its description do not fit ({error})"
        ) from error
    return identifier.eval()


def write_calibrated(source: Path, path: Path, calibration: LogitScaling) -> None:
    """Write a copy of a checkpoint whose posteriors are calibrated; it is there whole or not."""
    checkpoint = read_checkpoint(source)
    plain = {"langid": checkpoint["langid"].to_plain(), KEY: calibration.to_plain()}
    buffer = io.BytesIO()
    torch.save(checkpoint | plain, buffer)
    with replaced(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def build_identifier(
    description: RunDescription, store: Store | None = None, **training: Any
) -> LanguageIdentifier:
    """Return an untrained identifier; ``training``: its loss, optimiser and so on.

    One that hears a ``store`` of its encoder's states alone is built without the encoder.
    """
    features, network = description.features, None
    if takes_samples(description.model):
        if description.stride != 1:
            raise LangidError(
                f"model.stride={description.stride}: stacks frames of features, and the network"
                f" {description.model['network']['_target_']} takes samples; take model.stride=1"
            )
        network = build_network(description)
        features = {
            "_target_": "langid.signal.sample_hops.SampleHops",
            "sample_rate": network.sample_rate,
            "hop_samples": network.hop_samples,
            "detector_hop_samples": network.sample_rate // 100,  # 10 ms, as encoders' features have
        }
    elif store is not None and _holds_states(store, features):
        features = {
            "_target_": "langid.signal.pretrained.StoredStates",
            "bins": store.bins,
            "sample_rate": store.description["sample_rate"],
            "hop_samples": store.description["hop_samples"],
        }
    front_end = build_front_end(features, description.detector, description.stride)
    ours = ("network", "stride")
    model = {key: value for key, value in description.model.items() if key not in ours}
    identifier: LanguageIdentifier = build(
        model,
        "model",
        network=network or build_network(description, front_end.bins),
        front_end=front_end,
        classes=description.classes,
        silence=silence_policy(description.silence),
        description=description,
        **training,
    )
    return identifier


def _holds_states(store: Store, features: dict[str, Any]) -> bool:
    """Return whether a store holds the states of the encoder that features are made by."""
    held = without_folders(store.description["features"])
    ready = store.content.name == "features" and "sha256" in features
    return ready and bool(held == without_folders(features))


def takes_samples(model: dict[str, Any]) -> bool:
    """Return whether the network of a model makes its features itself."""
    network = model.get("network")
    if not isinstance(network, dict) or "_target_" not in network:
        return False  # build says what is wrong with it
    return issubclass(class_of(network["_target_"], "network"), SampleNetwork)


def pinned_model(model: dict[str, Any], store: Store) -> dict[str, Any]:
    """Return the configuration of a model that can be built without the store's features.

    Raises LangidError where its network takes samples and the store holds features.
    """
    if not takes_samples(model):
        return model
    kind: type[SampleNetwork] = class_of(model["network"]["_target_"], "network")
    if store.content.name != "samples":
        raise LangidError(
            f"model.network._target_={model['network']['_target_']}: takes samples, and"
            f" store={store.path} holds features; prepare one with content=samples"
        )
    return model | {"network": kind.pinned(model["network"], store.description["features"])}


def build_network(description: RunDescription, bins: int | None = None, more: int = 0) -> Any:
    """Return the untrained network of a run, or one that knows some ``more`` classes.

    One that takes samples has no ``bins``.
    """
    outputs = len(description.classes) + silence_policy(description.silence).extra_outputs + more
    sizes: dict[str, Any] = {"num_classes": outputs}
    if not takes_samples(description.model):
        sizes["bins"] = bins
    network: Network = build(description.model.get("network"), "network", **sizes)
    return network
