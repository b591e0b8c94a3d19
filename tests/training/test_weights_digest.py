"""One hash tells what was learnt: the same wherever it lies, another where anything changes."""

from dataclasses import replace
from pathlib import Path

from conftest import variant

from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.logit_scaling import LogitScaling
from langid.training.weights_digest import frozen_encoder, weights_sha256


def test_weights_and_calibration_change_it(trained: LanguageIdentifier) -> None:
    calibrated = variant(trained)
    plain = weights_sha256(calibrated)
    assert plain not in ("", weights_sha256(trained))
    calibrated.calibration = LogitScaling(2.0)
    assert weights_sha256(calibrated) != plain


def test_the_folder_of_an_encoder_does_not_and_its_weights_do(probe_path: Path) -> None:
    probe = load_identifier(probe_path)
    features = probe.described.features
    assert frozen_encoder(probe)["encoder"] == {
        "name": Path(features["encoder"]).name, "revision": None, "sha256": features["sha256"]
    }  # fmt: skip
    own = weights_sha256(probe)
    moved = features | {"encoder": f"/x/{Path(features['encoder']).name}"}
    probe.described = replace(probe.described, features=moved)
    assert weights_sha256(probe) == own
    probe.described = replace(probe.described, features=features | {"sha256": "0" * 64})
    assert weights_sha256(probe) != own
