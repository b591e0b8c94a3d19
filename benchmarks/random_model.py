"""Identifiers with random weights, which do the work of trained ones."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from omegaconf import OmegaConf
from synthetic_sound import synthetic_sound

from langid.commands.configuration import compose
from langid.export.onnx import export_onnx
from langid.streaming.onnx_model import OnnxModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier


def random_identifier(
    model: str = "gru", sizes: Sequence[str] = (), features: str = "mfcc", silence: str = "mask"
) -> LanguageIdentifier:
    """Return an identifier of three languages with the network of ``model=``, by default GRU 200.

    ``sizes`` are overrides of its settings.
    """
    train = compose("train", [f"model={model}", "store=-", *sizes])
    prepare = compose("prepare", ["corpus=folders", f"features={features}"])
    return build_identifier(
        {
            "classes": ["English", "Hindi", "Mandarin"],
            "silence": silence,
            "model": OmegaConf.to_container(train.model),
            "features": OmegaConf.to_container(prepare.features),
            "detector": OmegaConf.to_container(prepare.detector),
        }
    ).eval()


def export_random(path: Path) -> LanguageIdentifier:
    """Write the GRU 200 with random weights as ONNX, on one thread, and return it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logging.disable(logging.WARNING)
    identifier = random_identifier()
    export_onnx(identifier, path, [synthetic_sound(3.0)])
    return identifier


def random_model() -> OnnxModel:
    """Return the file of ``export_random``, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gru.onnx"
        export_random(path)
        return OnnxModel(path, threads=1)
