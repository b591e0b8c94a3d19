"""Finds the temperature by which an identifier is as sure as it is right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from langid.corpora.splits import speaker_groups
from langid.data.pieces import piece_loader
from langid.data.stacked_store import stacked_store
from langid.data.store import Store
from langid.devices import device_of
from langid.errors import LangidError
from langid.evaluation.checkpoints import loaded
from langid.evaluation.predictions import BATCH, Predictions, predict_part
from langid.progress import progress
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import PieceInference
from langid.training.logit_scaling import LogitScaling
from langid.training.run_description import data_of

PART = "validation"
FOLDS = 5  # of speakers, of whom each is judged by what was fitted on the others
RANGE = (0.05, 20.0)  # of temperatures: of a part without any mistake the best one would be 0
STEPS = 100


class FrameLogits:
    """Logits of all frames that count for the utterances of a part, and for which they do.

    ``logits (frames, classes)``, ``unit (frames,)`` and ``weight (frames,)``: of a network that
    answers once, one frame of each piece stands for all of it, and of a ``cumulative`` one the last
    frame for the utterance.
    """

    def __init__(self, classes: int, cumulative: bool = False):
        self.classes, self.cumulative = classes, cumulative
        self.parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def update(self, logits: Tensor, unit: Tensor, speech: Tensor, there: Tensor) -> None:
        """Add ``logits (batch, frames, outputs)`` of pieces of ``unit (batch,)``.

        ``speech (batch, time) bool`` and ``there (batch, time) bool`` are as in UtteranceScores.
        """
        logits = logits[..., : self.classes].double()
        if logits.shape[1] == 1:
            heard, total = speech.sum(1, keepdim=True), there.sum(1, keepdim=True)
        else:
            heard, total = speech.long(), there.long()
        row, frame = torch.nonzero(total, as_tuple=True)
        self.parts.append((logits[row, frame], unit[row], heard[row, frame], total[row, frame]))

    def of_units(self, units: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, place among ``units`` and weight of each frame that counts."""
        logits, unit, heard, total = (torch.cat(of) for of in zip(*self.parts, strict=True))
        place = torch.from_numpy(pd.Index(units).get_indexer(unit.numpy()))
        spoken = torch.zeros(len(units), dtype=torch.long).index_add_(0, place, heard)
        weight = torch.where(spoken[place] > 0, heard, total).double()
        counts = weight > 0
        if self.cumulative:
            after = pd.Series(place.numpy()).where(counts.numpy()).duplicated(keep="last")
            counts &= torch.from_numpy(~after.to_numpy())
        return logits[counts], place[counts], weight[counts]


@torch.inference_mode()
def frame_logits(identifier: LanguageIdentifier, store: Path, workers: int) -> FrameLogits:
    """Return the logits of the validation part of the store that an identifier was trained on."""
    pieces = data_of(identifier.described, store).pieces[PART]
    frames = stacked_store(store, identifier.described.stride)
    classes = len(identifier.classes)
    found = FrameLogits(classes, identifier.network.cumulative)
    process = PieceInference(identifier).process
    with progress("calibrating", "sequences") as bar:
        shown = bar.add_task("calibrating", total=len(pieces))
        for batch in piece_loader(frames, pieces, identifier.silence, classes, BATCH, workers):
            logits = process(batch.to(identifier.device)).cpu()
            found.update(logits, *(of.cpu() for of in (batch.unit, batch.speech, batch.there)))
            bar.advance(shown, len(batch))
    return found


class Calibrator:
    """Fits what is done to logits by the negative log posterior of whole utterances.

    An utterance's posterior is the mean over its frames', so temperatures of frames are fitted by
    it, and not frame by frame. Raises LangidError for a part of fewer than FOLDS speakers, and for
    a bias of a class with fewer than two.
    """

    def __init__(self, logits: FrameLogits, predictions: Predictions, with_bias: bool):
        self.predictions, self.with_bias = predictions, with_bias
        table = predictions.table
        self.logits, self.place, self.weight = logits.of_units(table.index.to_numpy())
        self.targets = torch.from_numpy(predictions.targets.astype(int))
        self.group, self.speakers = pd.factorize(speaker_groups(table))
        if len(self.speakers) < FOLDS:
            raise LangidError(
                f"the validation part has {len(self.speakers)} speakers, too few to calibrate by;"
                f" {FOLDS} at least are needed: train on a store with more"
            )
        held = pd.Series(self.group).groupby(predictions.targets).nunique()
        few = [name for place, name in enumerate(predictions.classes) if held.get(place, 0) < 2]
        if with_bias and few:
            raise LangidError(
                f"bias=true: the validation part has fewer than two speakers of {', '.join(few)},"
                " so that no bias of it can be told; take bias=false, or train on a store with more"
            )

    def fit(self, units: Tensor | None = None) -> LogitScaling:
        """Return what suits the utterances best, or those of ``units (units,) bool`` alone."""
        chosen = torch.ones(len(self.targets), dtype=torch.bool) if units is None else units
        log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(self.logits.shape[1], dtype=torch.float64, requires_grad=True)
        learned = [log_t, bias] if self.with_bias else [log_t]
        optimizer = torch.optim.LBFGS(learned, max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            said = self._posteriors(log_t.exp().clamp(*RANGE), bias)[chosen]
            right = said.gather(1, self.targets[chosen, None]).clamp(min=1e-12)
            surprise: Tensor = -right.log().mean()
            surprise.backward()  # type: ignore[no-untyped-call]
            return surprise

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        temperature = float(log_t.detach().exp().clamp(*RANGE))
        centred = (bias - bias.mean()).tolist() if self.with_bias else []
        told = f"{int(chosen.sum())} utterances of {len(self.speakers)} speakers"
        return LogitScaling(temperature, tuple(centred), told)

    def before(self) -> Predictions:
        """Return what the identifier says without any calibration."""
        return self._said(self._posteriors(torch.ones(()), torch.zeros(self.logits.shape[1])))

    def after(self) -> Predictions:
        """Return what is said of each utterance with what was fitted on other speakers."""
        order = np.random.default_rng(0).permutation(len(self.speakers))
        fold = torch.from_numpy(order[self.group] % FOLDS)
        said = torch.zeros(len(self.targets), self.logits.shape[1], dtype=torch.float64)
        for number in range(FOLDS):
            fitted = self.fit(fold != number)
            bias = torch.tensor(fitted.bias or [0.0] * self.logits.shape[1])
            own = self._posteriors(torch.tensor(fitted.temperature), bias)
            said[fold == number] = own[fold == number]
        return self._said(said)

    def _posteriors(self, temperature: Tensor, bias: Tensor) -> Tensor:
        """Return the mean over the frames of each utterance, ``(utterances, classes)``."""
        of_frames = (self.logits / temperature + bias).softmax(-1) * self.weight[:, None]
        zeros = self.logits.new_zeros(len(self.targets), self.logits.shape[1])
        total = zeros.index_add(0, self.place, of_frames)
        return total / total.sum(1, keepdim=True)

    def _said(self, posteriors: Tensor) -> Predictions:
        table = self.predictions.table.copy()
        table[[f"p({name})" for name in self.predictions.classes]] = posteriors.numpy()
        return replace(self.predictions, table=table)


def calibrator_of(
    checkpoint: Path, store: Path, with_bias: bool, workers: int, accelerator: str
) -> Calibrator:
    """Return what fits the temperature of a checkpoint, and a bias for each class if asked for."""
    predictions = predict_part([checkpoint], store, PART, workers, accelerator=accelerator)
    [identifier] = loaded([checkpoint], Store(store), PART, False, device_of(accelerator))
    return Calibrator(frame_logits(identifier, store, workers), predictions, with_bias)
