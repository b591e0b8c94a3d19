"""Identifiers with random weights, which do the work of trained ones."""

from collections.abc import Sequence

from omegaconf import OmegaConf

from langid.commands.configuration import compose
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
