"""Processes that share long work: started early, as imports take seconds, and ended."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor, process_executor

from langid.errors import LangidError


def worker_count(workers: int | None, most: int | None = None) -> int:
    """Return how many processes ``workers=`` asks for; None is one per processor, ``most`` of all.

    Raises LangidError for what is no number of processes.
    """
    if workers is None:
        count = int(joblib.cpu_count())
        return count if most is None else max(1, min(count, most))
    if not isinstance(workers, int) or workers < 1:
        raise LangidError(f"workers={workers}: accepted are 1 and more")
    return workers


def start_workers(count: int, get_ready: Callable[[], None]) -> Iterator[None]:
    """Start processes that get ready while this one goes on; exhaust the iterator to wait for them.

    joblib keeps them for every ``Parallel`` of as many jobs, until ``end_workers``.
    """
    if count == 1:
        return iter(())
    keep_memory()
    ready: Any = joblib.Parallel(n_jobs=count, return_as="generator_unordered")(
        joblib.delayed(get_ready)() for _ in range(count)
    )
    return iter(ready)


def keep_memory() -> None:
    """Let processes that start from now on keep the memory of a clip for the next.

    glibc would give it back to the system, and fetch it again.
    """
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"):
        os.environ.setdefault(name, str(1 << 27))


def settle() -> None:
    """Let Ctrl-C end this process by the one that waits for it, and joblib keep it till then."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_executor._MAX_MEMORY_LEAK_SIZE = 4 << 30  # bytes; an encoder takes its time to grow


def end_workers() -> None:
    """Kill the processes while this one goes on; each would take itself apart at leisure."""
    executor = get_reusable_executor(reuse=True)
    threading.Thread(target=executor.shutdown, kwargs={"kill_workers": True}).start()
