"""The processes of ``prepare``, started early: importing torch takes each of them seconds."""

import os
import warnings
from collections.abc import Iterator
from typing import Any

import joblib


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_workers(workers: int) -> Iterator[None]:
    """Start processes that get ready while this one goes on; exhaust the iterator to wait for them.

    joblib keeps them for the next ``Parallel`` of as many jobs.
    """
    if workers == 1:
        return iter(())
    # Where the command fails before it waits for them, they are not needed: nothing to warn of.
    warnings.filterwarnings("ignore", message=".*tasks have been successfully executed.*")
    warnings.filterwarnings("ignore", message=".*tasks which were still being processed.*")
    ready: Any = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(
        joblib.delayed(_get_ready)() for _ in range(workers)
    )
    return iter(ready)


def _get_ready() -> None:
    import langid.data.shard
    import langid.signal.features  # noqa: F401
