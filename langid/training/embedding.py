"""Embeddings of utterances: what the output layer of a network gets of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from langid.atomic_file import write_text
from langid.data.dataset import Batch
from langid.training.identifier import LanguageIdentifier
from langid.training.init import output_layer
from langid.utterance import scored_frames

PROJECTOR = """embeddings {
  tensor_name: "utterances"
  tensor_path: "tensors.tsv"
  metadata_path: "embeddings.tsv"
}
"""


class UtteranceEmbeddings:
    """Embeddings of some utterances, whose pieces arrive in batches.

    An utterance's embedding, ``(width,)``, is the mean over the frames that are scored, as in
    langid.utterance, of what the ``layer`` of the logits gets. So the layer makes of it the mean
    logits of the utterance; of a network that says one thing of all it has heard, these logits.
    Of a ``cumulative`` network later pieces take the place of earlier ones.
    ``units (utterances,)`` are the numbers of those that are kept. Sums are in float32.
    """

    def __init__(self, layer: nn.Linear, units: np.ndarray, cumulative: bool = False):
        self.layer, self.units, self.cumulative = layer, units, cumulative
        self.place = torch.full((int(units.max()) + 1,), -1)
        self.place[torch.from_numpy(units)] = torch.arange(len(units))
        self.total = torch.zeros(len(units), layer.in_features)
        self.frames = torch.zeros(len(units))
        self.spoken = torch.zeros(len(units), dtype=torch.bool)
        self.inputs: list[Tensor] = []  # of the layer, since the last update
        layer.register_forward_pre_hook(lambda _, given: self.inputs.append(given[0]))

    def update(self, batch: Batch) -> None:
        """Add the pieces that the network has heard just now."""
        # Some networks give the layer no axis of time, some a part of the frames after the other.
        parts = [of if of.ndim == 3 else of.unsqueeze(1) for of in self.inputs]
        self.inputs.clear()
        hidden = torch.cat(parts, dim=1)
        counted = scored_frames(batch.speech, batch.there, self.cumulative).to(hidden.dtype)
        if hidden.shape[1] == 1:  # stands for all frames of its piece
            counted = counted.sum(1, keepdim=True)
        sums, frames = (counted.unsqueeze(1) @ hidden).squeeze(1), counted.sum(1)
        unit, spoken = batch.unit.cpu(), batch.speech.any(1).cpu()
        known = unit < len(self.place)
        place = self.place[unit.where(known, 0)].where(known, -1)
        # A piece without speech counts where its utterance has none at all.
        taken = (place >= 0) & (spoken | ~self.spoken[place])
        place, first = place[taken], (spoken & ~self.spoken[place] | self.cumulative)[taken]
        before = (~first).float()
        self.total[place] = self.total[place] * before[:, None] + sums.cpu().float()[taken]
        self.frames[place] = self.frames[place] * before + frames.cpu().float()[taken]
        self.spoken[place] |= spoken[taken]

    def compute(self) -> pd.DataFrame:
        """Return a row of float32, ``(utterances, width)``, for each number."""
        return pd.DataFrame((self.total / self.frames[:, None]).numpy(), self.units)


def embeddings_of(
    identifier: LanguageIdentifier, pieces: pd.DataFrame, most: int | None
) -> UtteranceEmbeddings | None:
    """Return what keeps the embeddings of at most so many utterances (None: all) of ``pieces``.

    ``pieces`` have ``unit`` and ``target``. Returns None where none shall be kept, and where logits
    do not come from one linear layer.
    """
    layer = None if most == 0 else output_layer(identifier)
    if layer is None:
        return None
    held = pieces.drop_duplicates("unit")
    units = balanced(held["unit"].to_numpy(), held["target"].to_numpy(), most)
    return UtteranceEmbeddings(layer, units, identifier.network.cumulative)


def balanced(units: np.ndarray, targets: np.ndarray, most: int | None) -> np.ndarray:
    """Return at most so many of ``units (utterances,)`` (None: all), in order.

    Classes, by their ``targets (utterances,)``, have as many of them each as there are, and those
    that have more share the rest alike; which ones is drawn with a fixed seed.
    """
    if most is None or len(units) <= most:
        return np.sort(units)
    drawn = np.random.default_rng(0).permutation(len(units))
    drawn = drawn[np.argsort(targets[drawn], kind="stable")]
    _, first, count = np.unique(targets[drawn], return_index=True, return_counts=True)
    rank = np.arange(len(drawn)) - np.repeat(first, count)
    return np.sort(units[drawn[np.argsort(rank, kind="stable")[:most]]])


def write_projector(folder: Path, vectors: np.ndarray, table: pd.DataFrame) -> None:
    """Write ``vectors (utterances, width)`` and a table of them for TensorBoard's projector."""
    numbers = "\n".join("\t".join(f"{number:.7g}" for number in row) for row in vectors)
    write_text(folder / "tensors.tsv", f"{numbers}\n")
    write_text(folder / "embeddings.tsv", table.to_csv(sep="\t", index=False))
    write_text(folder / "projector_config.pbtxt", PROJECTOR)
