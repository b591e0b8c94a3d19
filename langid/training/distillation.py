"""Learning from a teacher: its posteriors, its hidden states or their clusters, at every frame."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from langid.errors import LangidError
from langid.training.losses import CrossEntropy

MOST_CLUSTERS = 2048  # whole numbers up to here are exact in float16, as a teacher's outputs are


class Distillation(CrossEntropy):
    """Cross-entropy with the labels and divergence from a teacher (Hinton et al. 2015).

    A frame with a label costs ``label_weight`` times its cross-entropy, and each frame of speech,
    with a label or without, the rest times the divergence of the student from the teacher, both
    softened by ``temperature``, times its square, by which gradients keep their size. A frame
    weighs what the class weights are under the teacher's posteriors. With ``state_weight`` hidden
    frames of the student (what its output layer gets), through a linear layer that is learnt and
    thrown away, shall be the teacher's hidden states (Romero et al. 2015): the squared difference,
    averaged over the units, is added so many times. With ``cluster_weight`` they shall tell instead
    in which of so many ``clusters`` the teacher's state lies (Hsu et al. 2021): the cross-entropy
    is added so many times. ``delay`` is how many frames later than the teacher the student may do
    either: it has then heard what follows. Called as other losses are, without a teacher, it is the
    cross-entropy with the labels alone: so ``val/loss`` is.
    """

    def __init__(
        self,
        class_frames: Sequence[int],
        class_weights: str | Sequence[float] | None = "balanced",
        beta: float = 0.999,
        label_smoothing: float = 0.0,
        unit: str = "frame",
        temperature: float = 2.0,
        label_weight: float = 0.3,
        state_weight: float = 0.0,
        cluster_weight: float = 0.0,
        clusters: int = 256,
        delay: int = 0,
    ):
        super().__init__(class_frames, class_weights, beta, label_smoothing, unit)
        _check("temperature", temperature, math.nextafter(0, 1), math.inf, "more than 0")
        _check("label_weight", label_weight, 0, 1, "0 to 1")
        _check("state_weight", state_weight, 0, math.inf, "0 and more")
        _check("cluster_weight", cluster_weight, 0, math.inf, "0 and more")
        if type(clusters) is not int or not 2 <= clusters <= MOST_CLUSTERS:
            raise LangidError(
                f"loss.clusters={clusters}: accepted are whole numbers from 2 to {MOST_CLUSTERS}"
            )
        if type(delay) is not int or delay < 0:
            raise LangidError(f"loss.delay={delay}: accepted are numbers of frames, 0 and more")
        if state_weight and cluster_weight:
            raise LangidError(
                f"loss.state_weight={state_weight} and loss.cluster_weight={cluster_weight}: hidden"
                " frames become the teacher's states, or tell their clusters; set one of them to 0"
            )
        if delay and state_weight == cluster_weight == 0:
            raise LangidError(
                f"loss.delay={delay}: is of hidden frames, of which the teacher tells nothing here;"
                " take loss.delay=0, or loss.state_weight or loss.cluster_weight above 0"
            )
        if label_weight == 1 and state_weight == cluster_weight == 0:
            raise LangidError(
                "loss.label_weight=1, loss.state_weight=0 and loss.cluster_weight=0: nothing is"
                " left to learn from the teacher; take a smaller loss.label_weight, or"
                " loss=cross_entropy"
            )
        self.temperature = temperature
        self.label_weight = label_weight
        self.state_weight = state_weight
        self.cluster_weight = cluster_weight
        self.clusters = clusters
        self.delay = delay
        self.hidden: Tensor | None = None  # of the forward pass

    @property
    def hidden_weight(self) -> float:
        """Return how much it counts that the student's hidden frames tell the teacher's."""
        return self.state_weight or self.cluster_weight

    def project(self, layer: nn.Module, units: int, width: int) -> None:
        """Let the inputs of a layer, ``(batch, time, units)``, tell so many states, or clusters."""
        self.projection = nn.Linear(units, width)
        layer.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.hidden = inputs[0] if self.training else None

    def taught(
        self, logits: Tensor, targets: Tensor, speech: Tensor, teacher: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss, and the weight that it is a mean over, ``()`` each.

        ``logits (batch, time, outputs), targets (batch, time)``; ``speech (batch, time) bool`` are
        frames that the teacher speaks of, ``teacher (batch, time, classes + width)``, where width
        is that of its states, or 1 for the number of their cluster. Of an encoder, which has no
        classes, there is no divergence.
        """
        width = self.projection.out_features if self.state_weight else int(self.cluster_weight > 0)
        classes = teacher.shape[2] - width
        said, behind = teacher[..., :classes].float(), teacher[..., classes:].float()
        weight = (said.softmax(-1) @ self.weight[:classes] if classes else 1.0) * speech
        if self.label_weight:
            total = self.label_weight * self.of_labels(logits, targets)
        else:  # logits still get gradients, of 0: several processes wait for them
            total = 0.0 * logits.float().sum()
        if classes and self.label_weight < 1:
            divergence = (weight * self._divergence(logits, said)).sum()
            total = total + (1 - self.label_weight) * divergence
        if self.hidden_weight:
            total = total + self.hidden_weight * self._hidden(behind, weight, speech)
        due = weight.sum()
        return total / due.clamp(min=1e-9), due

    def _divergence(self, logits: Tensor, said: Tensor) -> Tensor:
        """Return the softened divergence of each frame, ``(batch, time)``, over the classes."""
        soft = (said / self.temperature).log_softmax(-1)
        own = (logits[..., : said.shape[2]] / self.temperature).log_softmax(-1)
        return self.temperature**2 * (soft.exp() * (soft - own)).sum(-1)

    def _hidden(self, behind: Tensor, weight: Tensor, speech: Tensor) -> Tensor:
        """Return the weighted sum over frames of what hidden ones miss of ``behind``, ``()``.

        ``behind (batch, time, width)`` are states, or the numbers of their clusters. With a delay
        frame ``t`` is told by the hidden frame ``t + delay``, where that is speech, too.
        """
        hidden, self.hidden = self.hidden, None
        assert hidden is not None
        if hidden.ndim == 2:  # of whole utterances
            hidden = hidden.unsqueeze(1)
        if self.delay:
            hidden, told = hidden[:, self.delay :], slice(0, max(0, weight.shape[1] - self.delay))
            weight, behind = weight[:, told] * speech[:, self.delay :], behind[:, told]
        found = self.projection(hidden)
        if self.state_weight:
            missed = (found - behind).square().mean(-1)
        else:
            number = behind[..., 0].long()
            missed = nn.functional.cross_entropy(found.transpose(1, 2), number, reduction="none")
        total: Tensor = (weight * missed).sum()
        return total


def _check(name: str, value: Any, least: float, most: float, expected: str) -> None:
    number = type(value) in (int, float)
    if not number or not least <= value <= most or value == math.inf:
        raise LangidError(f"loss.{name}={value}: accepted are numbers, {expected}")
