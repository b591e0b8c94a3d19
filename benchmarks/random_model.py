"""Identifiers with random weights, which do the work of trained ones."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from synthetic_sound import synthetic_sound

from langid.commands.configuration import compose
from langid.export.onnx import export_onnx
from langid.streaming.onnx_model import OnnxModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import RunDescription


def random_identifier(
    model: str = "gru",
    sizes: Sequence[str] = (),
    features: str = "mfcc",
    silence: str = "mask",
    encoder: Path | None = None,
    detector: str = "energy",
) -> LanguageIdentifier:
    """Return an identifier of three languages with the network of ``model=``, by default GRU 200.

    ``sizes`` are overrides of its settings; ``encoder`` is that of ``features="pretrained"``.
    """
    made = [f"features={features}", f"detector={detector}"]
    made += [f"features.encoder={encoder}"] if encoder else []
    train = compose("train", [f"model={model}", "store=-", *sizes])
    prepare = compose("prepare", ["corpus=folders", *made])
    plain: Any = OmegaConf.to_container(train), OmegaConf.to_container(prepare)
    groups = ("task", "model", "split", "data", "balance", "augment", "loss", "optimizer",
              "scheduler", "seed", "select")  # fmt: skip
    description = RunDescription(
        **{name: plain[0][name] for name in groups},
        **{name: plain[1][name] for name in ("features", "detector")},
        classes=["English", "Hindi", "Mandarin"],
        silence=silence,
        versions={},
        left_out={},
        split_summary={},
        init=None,
        fingerprint="",
        store="-",
    )
    return build_identifier(description).eval()


def export_random(path: Path, detector: str = "energy") -> LanguageIdentifier:
    """Write the GRU 200 with random weights as ONNX, on one thread, and return it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logging.disable(logging.WARNING)
    identifier = random_identifier(detector=detector)
    export_onnx(identifier, path, [synthetic_sound(3.0)])
    return identifier


def random_model() -> OnnxModel:
    """Return the file of ``export_random``, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gru.onnx"
        export_random(path)
        return OnnxModel(path)
