"""The trainable identifier: front end, normaliser, network, loss and optimiser."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)

from langid.data.dataset import IGNORED, Batch
from langid.errors import LangidError
from langid.networks.network import Network, Normaliser, StreamingNetwork, UtteranceNetwork
from langid.signal.front_end import FrontEnd
from langid.training.scores import UtteranceScores

OptimizerFactory = Callable[..., torch.optim.Optimizer]
SchedulerFactory = Callable[[torch.optim.Optimizer], Any]


class LanguageIdentifier(LightningModule):
    """Learns to tell languages apart, frame by frame, and says which one it hears.

    ``classes`` are the languages in index order; under the silence policy ``label`` the network
    has one more class, ``silence``. ``description`` is plain data that is written into every
    checkpoint, and from which the identifier can be built again. Loss, optimiser, scheduler and
    ``augment``, which changes normalised features, are for training only; a scheduler that watches
    a metric watches ``val/loss``.
    """

    def __init__(
        self,
        network: Network,
        front_end: FrontEnd,
        classes: Sequence[str],
        silence: str,
        description: dict[str, Any] | None = None,
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
        self.description = description or {}
        self.loss = loss
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.augment = augment
        self.scores: UtteranceScores | None = None
        self.confusion: Tensor | None = None

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """``features (batch, time, bins), lengths (batch,) -> logits (batch, frames, classes)``."""
        logits: Tensor = self.network(self.normaliser(features), lengths)
        return logits

    def language_posteriors(self, logits: Tensor) -> Tensor:
        """Return posteriors over the languages alone; ``silence`` is left out of the sum."""
        return logits[..., : len(self.classes)].softmax(-1)

    @torch.inference_mode()
    def posteriors(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Hear whole clips at once.

        ``samples (batch, samples)`` at the front end's sample rate, full scale 1 ->
        ``posteriors (batch, time, languages), speech (batch, time) bool``. An utterance network
        says the same at all times.
        """
        features, speech = self.front_end(samples)
        if self.silence != "remove":
            lengths = torch.full((len(samples),), features.shape[1], device=features.device)
            logits = self(features, lengths)
        elif isinstance(self.network, StreamingNetwork):
            state = self.network.initial_state(len(samples))
            logits = self.network.step(self.normaliser(features), state, advance=speech)[0]
        else:
            logits = self._hear_speech(features, speech)
        if isinstance(self.network, UtteranceNetwork):
            logits = logits.expand(-1, speech.shape[1], -1)
        return self.language_posteriors(logits), speech

    def _hear_speech(self, features: Tensor, speech: Tensor) -> Tensor:
        """Return logits of speech with the silence cut out; silent frames repeat those before."""
        kept = speech.clone()
        kept[:, :1] |= ~speech.any(1, keepdim=True)  # of no speech at all, one frame
        pairs = zip(features, kept, strict=True)
        spoken = pad_sequence([frames[which] for frames, which in pairs], batch_first=True)
        logits: Tensor = self(spoken, kept.sum(1))
        if isinstance(self.network, UtteranceNetwork):
            return logits
        index = (kept.cumsum(1) - 1).clamp(min=0).unsqueeze(-1)
        return logits.gather(1, index.expand(-1, -1, logits.shape[2]))

    def training_step(self, batch: Batch, _: int) -> Tensor:
        features = self.normaliser(batch.features)
        if self.augment is not None:
            features = self.augment(features, batch.lengths)
        logits = self.network(features, batch.lengths)
        loss = self._loss(logits, batch)
        accuracy = self._frame_accuracy(logits, batch)
        values = {"train/loss": loss, "train/frame_accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def on_validation_epoch_start(self) -> None:
        units = len(self.trainer.datamodule.parts)  # type: ignore[attr-defined]
        self.scores = UtteranceScores(units, len(self.classes)).to(self.device)
        self.targets = torch.zeros(units, dtype=torch.long, device=self.device)

    def validation_step(self, batch: Batch, _: int) -> None:
        logits = self(batch.features, batch.lengths)
        # Means over targets and frames, not over batches.
        due, frames = int((self._targets(batch) != IGNORED).sum()), int(batch.speech.sum())
        self.log("val/loss", self._loss(logits, batch), batch_size=due, sync_dist=True)
        accuracy = self._frame_accuracy(logits, batch)
        self.log("val/frame_accuracy", accuracy, batch_size=frames, sync_dist=True)
        assert self.scores is not None
        self.scores.update(self.language_posteriors(logits), batch.speech, batch.unit)
        self.targets[batch.unit] = batch.language

    def on_validation_epoch_end(self) -> None:
        assert self.scores is not None
        seen, posteriors = self.scores.compute()
        seen = seen.reshape(-1)  # torchmetrics makes a single number a scalar
        targets, count = self.targets[seen], len(self.classes)
        self.confusion = multiclass_confusion_matrix(posteriors, targets, num_classes=count)
        values = {
            "val/accuracy": multiclass_accuracy(posteriors, targets, count, average="micro"),
            "val/balanced_accuracy": multiclass_accuracy(posteriors, targets, count),
            "val/macro_f1": multiclass_f1_score(posteriors, targets, count),
        }
        self.log_dict(values)

    def configure_optimizers(self) -> Any:
        assert self.optimizer is not None
        optimizer = self.optimizer(self.parameters())
        if self.scheduler is None:
            return optimizer
        # Lightning steps schedulers after it has saved the checkpoint of the epoch, and a resumed
        # run would miss that step; so it never does, and on_train_epoch_end does it in time.
        never = {"frequency": sys.maxsize, "monitor": "val/loss"}
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.scheduler(optimizer), **never},
        }

    def on_train_epoch_end(self) -> None:
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(self.trainer.callback_metrics["val/loss"])
        elif isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
            scheduler.step()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["langid"] = self.description
        metrics = self.trainer.callback_metrics.items()
        checkpoint["langid_validation"] = {
            name.removeprefix("val/"): float(value)
            for name, value in metrics
            if name.startswith("val/")
        }

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor:
        assert self.loss is not None
        loss: Tensor = self.loss(logits, self._targets(batch))
        if not loss.isfinite():
            raise LangidError(
                f"the loss is {loss.item():g} in epoch {self.current_epoch}, step"
                f" {self.global_step} (utterances {', '.join(self._utterances(batch)[:5])}, ...);"
                " take a smaller optimizer.lr or trainer.gradient_clip_val. Checkpoints of earlier"
                " epochs are kept"
            )
        return loss

    def _targets(self, batch: Batch) -> Tensor:
        """Return the target of each frame of logits, ``(batch, frames)``.

        That of an utterance is its language, unless no frame has it as the target: then there was
        no speech, and no loss is due. ``silence`` is never what an utterance is called.
        """
        if not isinstance(self.network, UtteranceNetwork):
            return batch.targets
        language = batch.language[:, None]
        spoken = (batch.targets == language).any(1, keepdim=True)
        return torch.where(spoken, language, IGNORED)

    def _utterances(self, batch: Batch) -> list[str]:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        rows = data.parts["row"].iloc[batch.unit.tolist()]
        return list(data.store.utterances["utterance_id"].iloc[rows])

    def _frame_accuracy(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the share of speech frames whose most likely language is right.

        What is said of an utterance is said of all its frames.
        """
        with torch.no_grad():
            right = logits[..., : len(self.classes)].argmax(-1) == batch.language[:, None]
            return (right & batch.speech).sum() / batch.speech.sum().clamp(min=1)
