"""Exported models of both kinds of silence, with weights that give confident posteriors."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import langid
from langid.signal.audio import read_audio
from langid.streaming.export import export_onnx
from langid.streaming.onnx_file import digest
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once


@dataclass
class Exported:
    """An identifier, its file, and the differences that the export found."""

    identifier: LanguageIdentifier
    path: Path
    differences: dict[str, float]


@pytest.fixture(scope="session")
def clips(real_clips: list[Path]) -> list[np.ndarray]:
    """Return the samples of 20 real clips of three languages, float32 at 16 kHz."""
    return [read_audio(path, 16000) for path in real_clips[::9] + real_clips[1::2]][:20]


@pytest.fixture(scope="session")
def trained(checkpoint_path: Path) -> LanguageIdentifier:
    """Return the identifier of ``checkpoint_path``. Tests must not change it."""
    return langid.load(checkpoint_path)


def variant(trained: LanguageIdentifier, **changes: Any) -> LanguageIdentifier:
    """Return a copy with parts of its description changed and with more confident posteriors."""
    identifier = build_identifier(trained.description | changes)
    identifier.load_state_dict(trained.state_dict(), strict=False)
    with torch.no_grad():  # two epochs give nearly equal posteriors, on which little can differ
        identifier.network.output.weight.mul_(10)  # type: ignore[union-attr, operator]
    return identifier.eval()


def sealed(model: onnx.ModelProto, path: Path, **changes: Any) -> Path:
    """Write a changed file of langid with other metadata and the SHA-256 that belongs to it."""
    metadata = json.loads(model.metadata_props[0].value) | changes
    metadata["sha256"] = digest(model.SerializeToString(), metadata)
    model.metadata_props[0].value = json.dumps(metadata)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session", params=["mask", "remove"])
def exported(
    request: pytest.FixtureRequest,
    trained: LanguageIdentifier,
    clips: list[np.ndarray],
    once: Once,
) -> Exported:
    """Return an identifier exported with the silence policy of the parameter."""
    identifier = variant(trained, silence=request.param)

    def export(folder: Path) -> None:
        (folder / "model").mkdir()
        seconds = [clip[16000:32000] for clip in clips[:2]]
        differences = export_onnx(identifier, folder / "model" / "model.onnx", seconds)
        (folder / "differences.json").write_text(json.dumps(differences))

    folder = once(f"exported-{request.param}", export)
    differences = json.loads((folder / "differences.json").read_text())
    return Exported(identifier, folder / "model" / "model.onnx", differences)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Keep PyTorch from sharing two processors among many small operations."""
    torch.set_num_threads(1)
