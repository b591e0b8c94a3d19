"""Clusters of a teacher's hidden states, which are like phones: what a small student can tell."""

import time

import numpy as np

from langid.data.teacher_outputs import RowClusters, TeacherShards
from langid.errors import LangidError
from langid.progress import progress

SAMPLE = 100_000  # frames that clusters are found in: 200 MB of 512 units
COMPONENTS = 64  # of states: in all units clusters are few and large, and tell languages less well


def clusters_of(
    shards: TeacherShards, rows: np.ndarray, first: int, count: int, seed: int
) -> RowClusters:
    """Return in which of ``count`` clusters the states of each frame of some rows lie.

    States are the columns from ``first`` on. Their mean over a clip, which is much of its speaker
    and its microphone, is taken off; k-means (Sculley 2010) finds clusters in their COMPONENTS
    principal components, each as wide as any other, of up to SAMPLE of these rows' frames: they
    depend on ``seed`` and on training speech alone. As targets they are those of HuBERT (Hsu et al.
    2021). Raises LangidError for more clusters than frames.
    """
    from sklearn.cluster import MiniBatchKMeans  # takes a while to import
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    started, draws = time.monotonic(), np.random.default_rng(seed)
    lengths = np.array([len(shards.read(int(row))) for row in rows])
    share = min(1.0, SAMPLE / max(1, lengths.sum()))
    drawn = [np.flatnonzero(draws.random(length) < share) for length in lengths]
    pairs = zip(rows, drawn, strict=True)
    sample = np.concatenate([_centred(shards, row, first)[frames] for row, frames in pairs])
    if count > len(sample):
        raise LangidError(
            f"loss.clusters={count}: accepted are no more than the teacher has frames of the"
            f" training speech, here {lengths.sum()}"
        )
    components = PCA(min(COMPONENTS, *sample.shape), whiten=True, random_state=seed)
    means = MiniBatchKMeans(count, batch_size=8192, n_init=1, random_state=seed)
    found = make_pipeline(StandardScaler(), components, means).fit(sample)
    numbers = []
    with progress("clusters of the teacher's states", "clips") as bar:
        for row in bar.track(rows):
            numbers.append(found.predict(_centred(shards, row, first)).astype(np.int16))
    print(
        f"teacher: its states of {lengths.sum()} frames lie in {count} clusters"
        f" ({time.monotonic() - started:.0f} s)",
        flush=True,
    )
    return RowClusters(rows, np.concatenate([[0], lengths.cumsum()]), np.concatenate(numbers))


def _centred(shards: TeacherShards, row: int, first: int) -> np.ndarray:
    states = shards.read(int(row))[:, first:].astype(np.float32)
    centred: np.ndarray = states - states.mean(0)
    return centred
