"""Processes of Dask for joblib: a cluster's, or of one that is started here."""

import contextlib
import logging
import os
import pydoc
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import joblib
from distributed import Client, KilledWorker, LocalCluster
from distributed.comm import CommClosedError
from joblib._dask import DaskDistributedBackend

from langid import __version__
from langid.errors import LangidError

WAIT_S = 30


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's backend, which of a task that Dask itself gives up would wait for ever."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many tasks run at a time; with 1 joblib would do them all in this process."""
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def submit(self, func: Any, callback: Callable[[Any], None]) -> "Future[Any]":
        """Share a batch of work; ``callback`` gets what comes of it, be it Dask's error."""

        def tell(done: "Future[Any]") -> None:
            if error := done.exception():
                callback(error)

        future: Future[Any] = super().submit(func, callback)
        future.add_done_callback(tell)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return what work gave back; raises its error, or Dask's."""
        if isinstance(out, BaseException):
            raise out
        return super().retrieve_result_callback(out)


@contextlib.contextmanager
def processes(workers: int, cluster: str | None) -> Iterator[None]:
    """Share what joblib does in the body among a scheduler's workers, or ``workers`` started here.

    Raises LangidError for a scheduler that is not there or has no workers, for workers without
    this langid, and where they die.
    """
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(workers, cluster))
        _check_versions(client)
        backend = DaskBackend(client=client)
        stack.enter_context(joblib.parallel_config(backend, n_jobs=-1))
        try:
            yield
        except KilledWorker as error:
            raise LangidError(
                f"backend=dask: {error.allowed_failures + 1} workers died at the same clips, as"
                " they do where memory is short; take fewer workers, and run the same command"
                " again, which goes on where it was"
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise LangidError(
                "backend=dask: the scheduler is gone; run the same command again, which goes on"
                " where it was"
            ) from error


@contextlib.contextmanager
def _client(workers: int, cluster: str | None) -> Iterator[Client]:
    if cluster is None:
        local: Any = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,  # as without Dask
            silence_logs=logging.ERROR,
            preload="import langid.workers; langid.workers.settle()",
        )
        with local, Client(local) as client:
            try:
                yield client
            except KeyboardInterrupt:
                _end_at_once(local)
                raise
        return
    try:
        client = Client(cluster, timeout=WAIT_S)
    except (OSError, ValueError) as error:
        raise LangidError(
            f"cluster={cluster}: no Dask scheduler answers there ({error}); start one by"
            " dask scheduler, and give the address that it prints, as tcp://HOST:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError as error:
            raise LangidError(
                f"cluster={cluster}: has no workers; start some by dask worker {cluster}"
                " --nthreads 1"
            ) from error
        yield client


def _end_at_once(local: LocalCluster) -> None:
    """Kill the workers of a cluster after Ctrl-C; what Dask says of its own end is not printed."""
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    for nanny in local.workers.values():
        if nanny.pid:
            os.kill(nanny.pid, signal.SIGKILL)


def _check_versions(client: Client) -> None:
    """Raise LangidError for workers that have no langid, or another."""
    for worker, version in client.run(pydoc.locate, "langid.__version__").items():
        if version != __version__:
            found = f"langid {version}" if version else "no langid"
            raise LangidError(
                f"cluster={client.scheduler.address}: the worker {worker} has {found}, and here"
                f" is {__version__}; install the same there"
            )
