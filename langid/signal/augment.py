"""Changes to normalised features that a network hears in training alone."""

import torch
from torch import Tensor, nn

from langid.errors import LangidError

WIDEST_SHARE = 0.2  # of a sequence that one time mask may cover; the paper's p


class SpecAugment(nn.Module):
    """Masks random stretches of time and bands of bins (SpecAugment, Park et al. 2019).

    Every sequence has masks of its own; widths are uniform from 0 to ``time_width`` frames and
    ``frequency_width`` bins, and no time mask covers more than a fifth of its sequence. The
    defaults are the paper's policy SM (Switchboard mild) without time warping, by which it gained
    least. Of MFCC the bands are of cepstral coefficients, not of frequencies. Draws come from
    torch's generator; in evaluation mode, or without masks, features pass as they are.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 70,
        frequency_masks: int = 2,
        frequency_width: int = 15,
    ):
        super().__init__()
        for name, value in (
            ("time_masks", time_masks),
            ("time_width", time_width),
            ("frequency_masks", frequency_masks),
            ("frequency_width", frequency_width),
        ):
            if type(value) is not int or value < 0:
                raise ValueError(f"augment.{name}={value}: accepted are whole numbers from 0")
        self.time_masks = time_masks
        self.time_width = time_width
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """``features (batch, time, bins), lengths (batch,) -> features (batch, time, bins)``.

        ``features`` are normalised: masked ones become 0, their mean. Raises LangidError where
        a band could be wider than the number of bins.
        """
        if not self.training or not (self.time_masks or self.frequency_masks):
            return features
        time, bins = features.shape[1:]
        if self.frequency_masks and self.frequency_width > bins:
            raise LangidError(
                f"augment.frequency_width={self.frequency_width}: accepted are 0 to {bins}, the"
                " number of bins"
            )
        widest = (lengths * WIDEST_SHARE).floor().clamp(max=self.time_width)
        in_time = _masks(time, self.time_masks, widest, lengths)
        every = torch.full_like(lengths, bins)
        widest = torch.full_like(lengths, self.frequency_width)
        in_frequency = _masks(bins, self.frequency_masks, widest, every)
        return features.masked_fill(in_time[:, :, None] | in_frequency[:, None, :], 0.0)


def _masks(size: int, masks: int, widest: Tensor, extent: Tensor) -> Tensor:
    """Return what ``masks`` random masks cover, ``(batch, size) bool``.

    Widths are 0 to ``widest (batch,)``; every mask lies inside the first ``extent (batch,)``.
    """
    draws = torch.rand(2, len(extent), masks, device=extent.device)
    widths = (draws[0] * (widest[:, None] + 1)).floor()
    starts = (draws[1] * (extent[:, None] - widths + 1)).floor()
    places = torch.arange(size, device=extent.device)
    covered = (places >= starts[..., None]) & (places < (starts + widths)[..., None])
    return covered.any(1)
