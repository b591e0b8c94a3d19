"""A pretrained encoder as a teacher: its hidden states, of which a student tells the clusters."""

import math
from typing import Any

import torch
from torch import Tensor

from langid.errors import LangidError
from langid.signal.encoder_files import names_encoder, pinned
from langid.signal.pretrained import Pretrained


def encoder_of(teacher: dict[str, Any]) -> dict[str, Any] | None:
    """Return encoder, revision and SHA-256 that ``teacher`` names; None where it is a checkpoint.

    An encoder on the Hugging Face hub is fetched where it is not there yet. Raises LangidError for
    one that cannot be had.
    """
    if teacher["checkpoint"] is None or not names_encoder(str(teacher["checkpoint"])):
        return None
    asked = {"encoder": str(teacher["checkpoint"]), "revision": None, "sha256": None}
    try:
        return pinned(asked)
    except LangidError as error:
        raise LangidError(str(error).replace("features.encoder=", "teacher=", 1)) from error


class EncoderTeacher:
    """What an encoder hears in clips, at each of its frames, of which it has so many a second.

    It has heard all languages that there are, knows none by name, and so has no posteriors.
    """

    def __init__(self, encoder: dict[str, Any], device: torch.device):
        self.features = Pretrained(**encoder)
        self.sample_rate, self.hop_samples = self.features.sample_rate, self.features.hop_samples
        self.device = device

    @property
    def frames_per_second(self) -> float:
        """Return the rate of its frames, in hertz."""
        return self.sample_rate / self.hop_samples

    @torch.no_grad()
    def outputs(self, samples: Tensor) -> Tensor:
        """``samples (samples,)`` at its sample rate -> states ``(frames, width)``.

        There are as many frames as hops begin.
        """
        states = self.features(samples[None].to(self.device))[0]
        frames = math.ceil(len(samples) / self.hop_samples)
        every: Tensor = states[torch.arange(frames).clamp(max=len(states) - 1)]
        return every
