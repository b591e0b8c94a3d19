"""Identifiers with random weights, which do the work of trained ones."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from synthetic_sound import synthetic_sound

from langid.commands.configuration import compose
from langid.export.onnx import export_onnx
from langid.streaming.onnx_model import OnnxModel
from langid.training.checkpoint import build_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import RunDescription

BEST_STREAM = "best_stream"  # the experiment of the best streaming network


def random_identifier(
    model: str = "gru",
    sizes: Sequence[str] = (),
    features: str = "mfcc",
    silence: str = "mask",
    encoder: Path | None = None,
    detector: str = "energy",
    layer: str = "last",
) -> LanguageIdentifier:
    """Return an identifier of three languages with the network of ``model=``, by default GRU 200.

    ``sizes`` are overrides of its settings; ``encoder`` is that of ``features="pretrained"``, and
    ``layer`` the one of its layers whose states count.
    """
    made = [f"features={features}", f"detector={detector}"]
    made += [f"features.encoder={encoder}", f"features.layer={layer}"] if encoder else []
    train = compose("train", [f"model={model}", "store=-", *sizes])
    prepare = compose("prepare", ["corpus=folders", *made])
    return _untrained(train, prepare.features, prepare.detector, silence)


def random_experiment(name: str = BEST_STREAM) -> LanguageIdentifier:
    """Return the identifier of ``experiment=NAME``, which names its features, for three languages.

    The detector is the one that ``langid prepare`` takes.
    """
    train = compose("train", [f"experiment={name}", "store=-"])
    detector = compose("prepare", ["corpus=folders"]).detector
    return _untrained(train, train.features, detector, train.silence.policy)


def _untrained(
    train: DictConfig, features: DictConfig, detector: DictConfig, silence: str
) -> LanguageIdentifier:
    plain: Any = OmegaConf.to_container(train)
    plain["model"] = OmegaConf.to_container(train.model, resolve=True)
    groups = ("task", "model", "split", "data", "balance", "augment", "loss", "optimizer",
              "scheduler", "seed", "select")  # fmt: skip
    made: Any = {"features": features, "detector": detector}
    description = RunDescription(
        **{name: plain[name] for name in groups},
        **{name: OmegaConf.to_container(config) for name, config in made.items()},
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


def export_random(
    path: Path, make: Callable[[], LanguageIdentifier] = random_identifier
) -> LanguageIdentifier:
    """Write what ``make`` returns, the GRU 200, with random weights as ONNX, and return it.

    It is to run on one thread.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logging.disable(logging.WARNING)
    identifier = make()
    export_onnx(identifier, path, [synthetic_sound(3.0)])
    return identifier


def random_model(make: Callable[[], LanguageIdentifier] = random_identifier) -> OnnxModel:
    """Return the file of ``export_random``, on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_random(path, make)
        return OnnxModel(path)
