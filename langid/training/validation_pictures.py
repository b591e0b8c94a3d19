"""What TensorBoard shows of the validation part beside curves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.pieces import piece_loader
from langid.plots import draw_confusion
from langid.sound_plots import draw_posteriors
from langid.training.checkpoint import load_identifier
from langid.training.embedding import embeddings_of, write_projector
from langid.training.identifier import LanguageIdentifier
from langid.training.inference import PieceInference

PICTURED = 6  # clips
EMBEDDED = 1000  # utterances: more than that is slow in a browser
DESCRIBED = ("utterance_id", "class", "corpus", "speaker", "gender", "age", "accent")


class ValidationPictures(Callback):
    """Shows what a network makes of the validation part.

    After each epoch the confusion matrix, and posteriors over time of a few clips, which are always
    the same: of each of the first six classes the first clip with speech. At the end embeddings by
    the best checkpoint, of at most 1,000 utterances and all classes alike, in the projector;
    networks whose logits do not come from one linear layer have none. Of several processes the
    first one does all of it.
    """

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.sanity_checking or not (board := _board(trainer)):
            return
        assert isinstance(module, LanguageIdentifier)
        title, step = f"validation, epoch {trainer.current_epoch}", trainer.global_step
        data: LanguageDataModule = trainer.datamodule  # type: ignore[attr-defined]
        if clips := _clips(module, data):
            rate = data.store.frames_per_second
            figure = draw_posteriors(clips, module.classes, rate, title)
            board.add_figure("val/posteriors", figure, step)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.sanity_checking or not (board := _board(trainer)):
            return
        assert isinstance(module, LanguageIdentifier)
        title = f"validation, epoch {trainer.current_epoch}"
        if module.confusion is not None:
            figure = draw_confusion(module.confusion, module.classes, title)
            board.add_figure("val/confusion", figure, trainer.global_step)

    @torch.inference_mode()
    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        best: str = getattr(trainer.checkpoint_callback, "best_model_path", "")
        if not (board := _board(trainer)) or not best:
            return
        data: LanguageDataModule = trainer.datamodule  # type: ignore[attr-defined]
        pieces = data.pieces["validation"]
        identifier = load_identifier(Path(best)).to(module.device)
        if (kept := embeddings_of(identifier, pieces, EMBEDDED)) is None:
            return
        heard = pieces[pieces["unit"].isin(kept.units)]
        for batch, _ in _heard(identifier, data, heard):
            kept.update(batch)
        held = heard.drop_duplicates("unit").set_index("unit").loc[kept.units]
        table = data.store.utterances.iloc[held["row"]].copy()
        table["class"] = np.array(data.classes)[held["target"]]
        vectors = kept.compute().to_numpy()
        write_projector(Path(board.log_dir), vectors, table[list(DESCRIBED)])


def _board(trainer: Trainer) -> Any:
    """Return what writes for TensorBoard in this process, or None."""
    return getattr(trainer.logger, "experiment", None) if trainer.is_global_zero else None


def _heard(
    identifier: LanguageIdentifier, data: LanguageDataModule, pieces: pd.DataFrame
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield batches of pieces, and their logits."""
    hear = PieceInference(identifier)
    made = (identifier.silence, len(identifier.classes), data.batch_size, 0)
    for batch in piece_loader(data.store, pieces, *made):
        on_device = batch.to(identifier.device)
        yield on_device, hear.process(on_device)


def _clips(
    identifier: LanguageIdentifier, data: LanguageDataModule
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return names, posteriors and speech of the clips that are pictured."""
    pieces = data.pieces["validation"]
    spoken = pieces[(pieces["speech"] > 0) & (pieces["target"] < PICTURED)]
    first = spoken.drop_duplicates("target").sort_values("target")
    parts: dict[int, list[np.ndarray]] = {unit: [] for unit in first["unit"]}
    for batch, logits in _heard(identifier, data, pieces[pieces["unit"].isin(parts)]):
        posteriors = identifier.class_posteriors(logits).expand(-1, batch.speech.shape[1], -1)
        frames = torch.cat([posteriors, batch.speech.unsqueeze(-1)], dim=-1).float().cpu().numpy()
        for unit, length, own in zip(
            batch.unit.cpu().tolist(), batch.lengths.cpu().tolist(), frames, strict=True
        ):
            parts[unit].append(own[:length])
    ids = data.store.utterances["utterance_id"]
    clips = []
    for unit, row, target in first[["unit", "row", "target"]].itertuples(index=False):
        frames = np.concatenate(parts[unit])
        name = f"{identifier.classes[target]}: {ids.iloc[row]}"
        clips.append((name, frames[:, :-1], frames[:, -1] > 0))
    return clips
