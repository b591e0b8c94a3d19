"""Processes that share long work: started early, as imports take seconds, and ended."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor, process_executor

from langid.errors import LangidError

PARENT_CHECK_S = 0.5


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
        joblib.delayed(_start)(get_ready, os.getpid()) for _ in range(count)
    )
    return iter(ready)


def _start(get_ready: Callable[[], None], parent: int) -> None:
    """Get ready in a process that ends soon after its parent, which may be killed."""
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    get_ready()


def _end_after(parent: int) -> None:
    """End this process when another is its parent: what it would write nobody waits for."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


@contextlib.contextmanager
def ended_from_outside(remedy: str) -> Iterator[None]:
    """Raise LangidError, with what to do, where a process of joblib was killed."""
    try:
        yield
    except process_executor.TerminatedWorkerError as error:
        raise LangidError(
            "a process was ended from outside, as the system does where memory is short;"
            f" {remedy}, workers=1"
        ) from error


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
