"""How near to each other classes are in a network's embeddings, and a map of these."""

from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform

from langid.evaluation.predictions import Predictions
from langid.progress import progress

MAPPED = 1000  # utterances; the time of t-SNE grows with them, by seconds for each thousand
LEAST = 5
WIDEST = 10_000  # units; of more the map would take much memory
NEIGHBOURS = 30.0  # the perplexity of van der Maaten and Hinton 2008 is 5 to 50
NUMBERS = 50  # principal components that t-SNE starts from, as theirs does


def nearness(predictions: Predictions) -> dict[str, Any]:
    """Return what is said of the embeddings in a report, as plain data.

    ``utterances`` and their ``width``, the ``classes`` that occur among them, and ``distances
    (classes, classes)``: the cosine distance, 0 to 2, between the means of two classes; or the
    ``reason`` why there are none. ``checkpoint`` is that whose network made them, by its hash.
    """
    if reason := _reason(predictions):
        return {"reason": reason}
    embeddings = predictions.embeddings
    assert embeddings is not None
    labels = predictions.table.loc[embeddings.index, predictions.column]
    means = embeddings.astype(float).groupby(labels).mean()
    held = [name for name in predictions.classes if name in means.index]
    if (lengths := np.linalg.norm(means, axis=1)).min() == 0:
        return {"reason": f"the mean of {means.index[lengths.argmin()]} is 0 and has no direction"}
    distances = squareform(pdist(means.loc[held], "cosine")).clip(0, 2).round(6)
    return {
        "utterances": len(embeddings),
        "width": embeddings.shape[1],
        "checkpoint": next(iter(predictions.checkpoints), ""),
        "classes": held,
        "distances": distances.tolist(),
    }


def _reason(predictions: Predictions) -> str:
    """Return why a map of the embeddings cannot be made, or nothing."""
    embeddings = predictions.embeddings
    if embeddings is None:
        return "the logits of this network do not come from one linear layer"
    count, width = embeddings.shape
    if count < LEAST:
        return f"{count} utterance{'s' * (count != 1)} of this part; a map needs {LEAST}"
    if not 2 <= width <= WIDEST:
        return f"the last layer gets {width:,} numbers; a map is made of 2 to {WIDEST:,}"
    if not np.isfinite(vectors := embeddings.to_numpy()).all():
        return "what the last layer gets of some utterances is not finite"
    if np.ptp(_directions(vectors), axis=0).max() < 1e-6:
        return "the last layer gets the same of all utterances"
    return ""


def _directions(vectors: np.ndarray) -> np.ndarray:
    """Return ``vectors (utterances, width)`` of length 1; one of zeros stays as it is."""
    vectors = vectors.astype(float)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def places(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return where t-SNE puts ``vectors (utterances, width)``: ``(utterances, 2)``, and how.

    That is its perplexity. Directions count, not lengths, as in cosine distances. The same vectors
    always come to the same places.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    directions = _directions(vectors)
    perplexity = min(NEIGHBOURS, (len(vectors) - 1) / 3)
    with progress("drawing what the network hears", "maps") as bar:
        bar.add_task("drawing", total=None)
        start = PCA(min(NUMBERS, *vectors.shape), random_state=0).fit_transform(directions)
        found = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(start)
    return np.asarray(found), perplexity
