"""Changes to normalised features that a network gets in training, and by rights there alone."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from langid.errors import LangidError

WIDEST_SHARE = 0.2  # of a sequence that one time mask may cover; the paper's p


class Augment(nn.Module):
    """``features (batch, time, bins), lengths (batch,) -> features``, normalised, in any mode."""

    in_evaluation = False

    def __init__(self) -> None:  # takes no arguments, whereas nn.Module says that it takes any
        super().__init__()

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return True


@dataclass(eq=False, repr=False)  # a module equals itself alone
class SpecAugment(Augment):
    """Masks random stretches of time and bands of bins (SpecAugment, Park et al. 2019).

    Every sequence has masks of its own; widths are uniform from 0 to ``time_width`` frames and
    ``frequency_width`` bins, and no time mask covers more than a fifth of its sequence. The
    defaults are the paper's policy SM (Switchboard mild) without time warping. Draws come from
    torch's generator. Before, every sequence is rotated in time by up to ``time_shift`` of its
    length, either way; targets and speech mask are not, so this is for networks of whole
    utterances. In evaluation mode features pass as they are, unless ``in_evaluation`` asks for the
    flaw of a published protocol.
    """

    time_masks: int = 2
    time_width: int = 70
    frequency_masks: int = 2
    frequency_width: int = 15
    time_shift: float = 0.0
    in_evaluation: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        for name in ("time_masks", "time_width", "frequency_masks", "frequency_width"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"augment.{name}={value}: accepted are whole numbers from 0")
        shift, switch = self.time_shift, self.in_evaluation
        if type(shift) not in (int, float) or not 0 <= shift <= 1:
            raise ValueError(f"augment.time_shift={shift}: accepted are 0 to 1")
        if type(switch) is not bool:
            raise ValueError(f"augment.in_evaluation={switch}: accepted are true and false")

    @property
    def changes(self) -> bool:
        return bool(self.time_masks or self.frequency_masks or self.time_shift)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Mask with 0, the mean; LangidError where a band could be wider than all bins."""
        if not (self.training or self.in_evaluation):
            return features
        if self.time_shift:
            features = _rotated(features, lengths, self.time_shift)
        if self.time_masks or self.frequency_masks:
            features = self._masked(features, lengths)
        return features

    def _masked(self, features: Tensor, lengths: Tensor) -> Tensor:
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


def _rotated(features: Tensor, lengths: Tensor, share: float) -> Tensor:
    draws = torch.rand(len(lengths), device=features.device) * 2 - 1
    shifts = (draws * share * lengths).round().long()[:, None]
    places = torch.arange(features.shape[1], device=features.device)[None]
    lengths = lengths[:, None]
    sources = torch.where(places < lengths, (places - shifts) % lengths.clamp(min=1), places)
    return features.gather(1, sources[..., None].expand_as(features))


def _masks(size: int, masks: int, widest: Tensor, extent: Tensor) -> Tensor:
    """Return what masks of 0 to ``widest`` in the first ``extent`` cover, ``(batch, size)``."""
    draws = torch.rand(2, len(extent), masks, device=extent.device)
    widths = (draws[0] * (widest[:, None] + 1)).floor()
    starts = (draws[1] * (extent[:, None] - widths + 1)).floor()
    places = torch.arange(size, device=extent.device)
    covered = (places >= starts[..., None]) & (places < (starts + widths)[..., None])
    return covered.any(1)
