"""The trainable identifier: front end, normaliser, network, loss and optimiser."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from langid.data.dataset import Batch
from langid.data.silence_policy import IGNORED, SilencePolicy
from langid.errors import LangidError
from langid.metrics import DIRECTIONS, frame_accuracy, of_posteriors
from langid.networks.network import Network, Normaliser, UtteranceNetwork
from langid.signal.front_end import FrontEnd
from langid.training.distillation import Distillation
from langid.training.diverged import Diverged
from langid.training.inference import CarriedState, Inference, PieceInference
from langid.training.losses import WeightedLoss, utterance_logits
from langid.training.processes import gathered, same_buffers, summed
from langid.training.run_description import RunDescription
from langid.training.schedulers import Cosine
from langid.training.scores import UtteranceScores, right_frames
from langid.training.weight_average import LEARNING
from langid.utterance import scored_frames

OptimizerFactory = Callable[..., torch.optim.Optimizer]
SchedulerFactory = Callable[[torch.optim.Optimizer], Any]


class LanguageIdentifier(Inference, LightningModule):
    """Learns to tell classes of speech apart, frame by frame.

    ``classes`` are in index order. ``description`` is written into every checkpoint as plain
    data, and the identifier can be built again from it. Loss, optimiser and scheduler are
    for training only; a scheduler that watches a metric watches ``val/loss``, one whose
    ``every_step`` is true moves on with each step of the optimiser, any other with each epoch.
    In batches ``augment`` changes the normalised features; not those of ``posteriors``.
    """

    def __init__(
        self,
        network: Network,
        front_end: FrontEnd,
        classes: Sequence[str],
        silence: SilencePolicy,
        description: RunDescription,
        loss: nn.Module | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        augment: nn.Module | None = None,
    ):
        super().__init__()
        self.network = network
        self.front_end = front_end
        self.normaliser = Normaliser(front_end.bins)
        self.classes = list(classes)
        self.silence = silence
        self.described = description
        self.loss = loss
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.augment = augment
        self.teacher: Callable[[Batch], Batch] | None = None  # that is asked in training
        self.carried: CarriedState | None = None  # in training with carried state
        self.scores: UtteranceScores | None = None
        self.confusion: np.ndarray | None = None  # of the last validation
        self.sums = torch.zeros(2, dtype=torch.float64)  # on the CPU: not every device knows such
        self.validation_loss: Tensor | None = None

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """``features (batch, time, bins), lengths (batch,) -> logits (batch, frames, classes)``."""
        logits: Tensor = self.network(self.prepared(features, lengths), lengths)
        return logits

    def with_features(self, batch: Batch) -> Batch:
        """Return the batch with features, those of a store of samples made on this device."""
        return batch.with_features(self.front_end.features)

    def prepared(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Return normalised features as the network takes them, augmented where this is due."""
        features = self.normaliser(features)
        if self.augment is not None:  # it knows itself whether it does anything in evaluation
            single = features.reshape(len(features), -1, self.front_end.features.bins)
            changed = self.augment(single, lengths * self.front_end.stride)
            features = changed.reshape(features.shape)
        return features

    @torch.inference_mode()
    def posteriors(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is said of whole clips.

        ``samples (batch, samples)`` at the front end's sample rate, full scale 1 ->
        ``posteriors (batch, time, classes), speech (batch, time) bool``. An utterance network
        says the same at all times. Raises LangidError for samples that are no batch, or none.
        """
        if samples.ndim != 2 or not samples.shape[1]:
            raise LangidError(
                f"samples of shape {tuple(samples.shape)}: expected (batch, samples), at least one"
                " sample; for one clip samples[None]"
            )
        return self.clip_posteriors(samples)

    def on_train_start(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, Cosine):
            scheduler.end_at(self.trainer.estimated_stepping_batches)

    def on_train_epoch_start(self) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.carried = None
        if data.carry_state:
            self.carried = CarriedState(self.network, half=bool(data.crops))  # type: ignore[arg-type]

    def _training_logits(self, batch: Batch) -> Tensor:
        if self.carried is None:
            logits: Tensor = self(batch.features, batch.lengths)
            return logits
        features, there = self.prepared(batch.features, batch.lengths), batch.there
        return self.carried.process(features, None if there.all() else there)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        batch = self.with_features(self.teacher(batch) if self.teacher else batch)
        logits = self._training_logits(batch)
        loss, own = self._loss(logits, batch)
        right = right_frames(logits[..., : len(self.classes)], batch.speech, batch.target)
        labelled = batch.speech & (batch.target >= 0)[:, None]
        frames = torch.stack([right.sum(), labelled.sum()]).float()
        (loss_sum, weight), (right_sum, speech) = summed(torch.stack([own, frames]))
        if not loss_sum.isfinite():
            raise Diverged(self, loss_sum, [batch])
        values = {
            "train/loss": loss_sum / weight.clamp(min=1e-9),
            "train/frame_accuracy": right_sum / speech.clamp(min=1),
        }
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=True)
        # The mean over the batch of all processes: gradients are averaged over them.
        share = own[1] / weight.clamp(min=1e-9) * self.trainer.world_size
        scaled: Tensor = loss * share.to(loss.dtype)
        return scaled

    def on_validation_epoch_start(self) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.scores = UtteranceScores(len(data.parts), len(self.classes), self.network.cumulative)
        held_out = data.pieces["validation"]
        self.targets = torch.zeros(len(data.parts), dtype=torch.long)
        self.targets[held_out["unit"].tolist()] = torch.tensor(held_out["target"].tolist())
        self.sums = torch.zeros(2, dtype=torch.float64)
        self.failed: list[Batch] = []
        self.pieces = PieceInference(self)
        same_buffers(self)

    def validation_step(self, batch: Batch, _: int) -> None:
        logits = self.pieces.process(batch)
        assert self.scores is not None
        self.scores.update(self.class_posteriors(logits), batch)
        if batch.silent:  # of which no loss is due
            return
        sums = self._loss(logits, batch)[1].cpu()
        if not sums[0].isfinite():
            self.failed.append(batch)
        self.sums += sums.double()

    def on_validation_epoch_end(self) -> None:
        assert self.scores is not None
        loss_sum, weight = torch.stack(gathered([self.sums])).sum(0)
        if not loss_sum.isfinite():
            raise Diverged(self, loss_sum, self.failed)
        # Means over targets and frames of the whole part, not over batches or processes.
        loss = loss_sum / weight.clamp(min=1e-9)
        units, posteriors, frames, right = (of.numpy() for of in self.scores.compute())
        figures = of_posteriors(self.targets[units].numpy(), posteriors)
        figures |= {"loss": loss, "frame_accuracy": frame_accuracy(frames, right)}
        self.confusion = figures["confusion"]
        # Plain numbers, of which Lightning makes tensors that its device knows.
        self.log_dict({f"val/{name}": float(figures[name]) for name in DIRECTIONS}, sync_dist=True)
        self.validation_loss = loss

    def configure_optimizers(self) -> Any:
        assert self.optimizer is not None
        groups = [*self.network.parameter_groups(), (self._beside_network(), 1.0)]
        groups = [group for group in groups if group[0]]
        optimizer = self.optimizer([{"params": parameters} for parameters, _ in groups])
        for group, (_, factor) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] *= factor
        if self.scheduler is None:
            return optimizer
        configured = {"scheduler": self.scheduler(optimizer), "monitor": "val/loss"}
        if getattr(configured["scheduler"], "every_step", False):
            configured["interval"] = "step"
        else:
            # Lightning steps after it has saved the checkpoint of the epoch, and a resumed run
            # would miss that step; so it never does, and the method below does it in time.
            configured["frequency"] = sys.maxsize
        return {"optimizer": optimizer, "lr_scheduler": configured}

    def _beside_network(self) -> list[nn.Parameter]:
        """Return what a loss or an identifier of somebody's own learns itself."""
        of_network = {id(parameter) for parameter in self.network.parameters()}
        return [one for one in self.parameters() if id(one) not in of_network]

    def on_train_epoch_end(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            if self.validation_loss is not None:  # not every epoch need be validated
                scheduler.step(self.validation_loss.item())
            self.validation_loss = None
        elif scheduler is not None and not getattr(scheduler, "every_step", False):
            scheduler.step()  # type: ignore[union-attr, call-arg]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["langid"] = self.described.to_plain()
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        checkpoint["langid_validation"] = {
            name.removeprefix("val/"): metrics[name] for name in metrics if name.startswith("val/")
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Of a run that averages its weights, a run that goes on needs those that learn.
        checkpoint["state_dict"] = checkpoint["state_dict"] | checkpoint.get(LEARNING, {})

    def _loss(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss; and it times the weight that is due in the batch, beside the weight."""
        assert isinstance(self.loss, WeightedLoss)
        targets = self._targets(batch)
        if self.loss.unit == "utterance" and logits.shape[1] > 1:
            scored = scored_frames(batch.speech, batch.there, self.network.cumulative)
            logits = utterance_logits(logits, scored)
        said = logits.expand(-1, targets.shape[1], -1)  # once of a sequence: of all frames
        if batch.teacher is not None:
            assert isinstance(self.loss, Distillation)
            there = batch.there & batch.speech.any(1, keepdim=True)
            classes = self.silence.targets(torch.zeros_like(batch.target), batch.speech, there, 1)
            loss, weight = self.loss.taught(said, targets, classes == 0, batch.teacher)
        else:
            loss, weight = self.loss(said, targets), self.loss.total_weight(targets)
        return loss, torch.stack([loss.detach().float() * weight, weight])

    def _targets(self, batch: Batch) -> Tensor:
        """Return the target of each frame, ``(batch, frames)``, IGNORED where no loss is due.

        An utterance network's one decision is said of all frames of its sequence, and counts at
        those whose target is the class: a sequence weighs what it holds of it, as the class
        weights do. ``silence`` is never what an utterance is called. So it is with the loss's
        ``unit`` utterance.
        """
        assert isinstance(self.loss, WeightedLoss)
        if self.loss.unit == "frame" and not isinstance(self.network, UtteranceNetwork):
            return batch.targets
        return batch.targets.where(batch.targets == batch.target[:, None], IGNORED)
