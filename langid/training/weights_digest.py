"""The SHA-256 of what an identifier has learnt, by which its files and reports are told apart."""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from torch import Tensor

from langid.networks.network import SampleNetwork

if TYPE_CHECKING:  # what digests a file alone does without Lightning
    from langid.training.identifier import LanguageIdentifier

PARTS = ("front_end.", "normaliser.", "network.")


def digest(description: dict[str, Any], weights: dict[str, Tensor]) -> str:
    """Return the SHA-256 of a description, without its own, and of weights with their names."""
    plain = {key: value for key, value in description.items() if key != "sha256"}
    whole = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(weights):
        values = weights[name].detach().cpu().contiguous()
        whole.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        whole.update(values.numpy().tobytes())
    return whole.hexdigest()


def weights_sha256(identifier: "LanguageIdentifier") -> str:
    """Return the SHA-256 of an identifier's weights, of its calibration and of its encoder."""
    weights = {k: v for k, v in identifier.state_dict().items() if k.startswith(PARTS)}
    return digest(frozen_encoder(identifier) | calibration_of(identifier), weights)


def frozen_encoder(identifier: "LanguageIdentifier") -> dict[str, Any]:
    """Return which ``encoder`` its features are of, whose weights are elsewhere; empty for none."""
    features = identifier.described.without_folders().features
    own = isinstance(identifier.network, SampleNetwork)  # of a network that takes samples
    if own or "sha256" not in features:
        return {}
    told = {key: features[key] for key in ("revision", "sha256")}
    return {"encoder": {"name": str(features["encoder"]), **told}}


def calibration_of(identifier: "LanguageIdentifier") -> dict[str, Any]:
    """Return its ``calibration`` as plain data; empty for none."""
    scaling = identifier.calibration
    return {"calibration": scaling.to_plain()} if scaling else {}
