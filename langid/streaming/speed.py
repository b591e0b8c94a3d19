"""How fast models take in sound, beside each other on this machine."""

import time
from collections.abc import Sequence

import numpy as np

from langid.streaming.streamer import StreamingModel

MEASURED_S = 5.0
ROUNDS = 9
LONGEST_S = 1.0  # of several hops at a time


def real_time_factors(
    models: Sequence[StreamingModel], samples: np.ndarray, hops: Sequence[int] = (1, 10)
) -> dict[str, list[float]]:
    """Return each model's time for a second of ``samples (samples,)``, by what comes at a time.

    ``hops`` are numbers of hops; left out are those of more than a second, and of more than there
    are samples. The models take turns, and of each chunk the best of some rounds counts.
    """
    rate, hop = (int(models[0].metadata[name]) for name in ("sample_rate", "hop_samples"))
    samples = samples[: round(MEASURED_S * rate)]
    longest = min(max(hop, round(LONGEST_S * rate)), len(samples))
    factors = {}
    for size in [number * hop for number in hops if number * hop <= longest]:
        count = len(samples) // size
        chunks = samples[: count * size].reshape(count, 1, size)
        times = [[_seconds(model, chunks) for model in models] for _ in range(ROUNDS)]
        best = np.min(times, axis=0).sum(-1) * rate / (count * size)
        factors[f"{1000 * size / rate:g} ms at a time"] = best.tolist()
    return factors


def _seconds(model: StreamingModel, chunks: np.ndarray) -> np.ndarray:
    """Return the time that each chunk of a stream takes, ``(chunks,)``."""
    stepper = model.stepper()
    moments = [time.perf_counter()]
    for chunk in chunks:
        stepper.step(chunk)
        moments.append(time.perf_counter())
    return np.diff(moments)
