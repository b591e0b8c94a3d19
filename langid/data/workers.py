"""The processes of ``prepare``, started early: importing torch takes each of them seconds."""

import gc
import os
import threading
from collections.abc import Iterator
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor, process_executor


def start_workers(count: int) -> Iterator[None]:
    """Start processes that get ready while this one goes on; exhaust the iterator to wait for them.

    joblib keeps them for every ``Parallel`` of as many jobs, until ``end_workers``.
    """
    if count == 1:
        return iter(())
    # glibc would give memory back to the system after every clip, and fetch it again for the next.
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        os.environ.setdefault(name, str(1 << 27))
    ready: Any = joblib.Parallel(n_jobs=count, return_as="generator_unordered")(
        joblib.delayed(_get_ready)() for _ in range(count)
    )
    return iter(ready)


def end_workers() -> None:
    """Kill the processes while this one goes on; each would take itself apart at leisure."""
    executor = get_reusable_executor(reuse=True)
    threading.Thread(target=executor.shutdown, kwargs={"kill_workers": True}).start()


def _get_ready() -> None:
    import langid.data.shard
    import langid.signal.front_end
    import langid.signal.speech_detector  # noqa: F401

    process_executor._MAX_MEMORY_LEAK_SIZE = 4 << 30  # bytes; an encoder takes its time to grow
    gc.freeze()  # joblib collects garbage every second: let it not look through all of torch
