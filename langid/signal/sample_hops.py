"""Samples as they are, hop by hop: what a store of samples keeps, and networks on samples take."""

from torch import Tensor

from langid.signal.features import Features


class SampleHops(Features):
    """``samples (batch, samples) -> (batch, time, hop)``, at any rate, of any hop.

    ``detector_hop_samples`` is that of the speech detector, of which the hop is a multiple.
    """

    causal = True
    stored_as = "float32"
    context_frames = 0

    def __init__(self, sample_rate: int, hop_samples: int, detector_hop_samples: int):
        super().__init__()
        self.sample_rate, self.hop_samples, self.bins = sample_rate, hop_samples, hop_samples
        self.detector_hop = detector_hop_samples

    @property
    def detector_hop_samples(self) -> int:
        """Return the hop of the speech detector."""
        return self.detector_hop

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Return nothing, since nothing is remembered."""
        return ()

    def step(self, samples: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        """``samples (batch, frames * hop) -> (batch, frames, hop)``, and nothing to remember."""
        return samples.unfold(1, self.hop_samples, self.hop_samples), ()

    def in_context(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """Return the hops of sequences."""
        return self.step(samples, ())[0]
