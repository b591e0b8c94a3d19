"""Whose processes do the work of ``prepare``: joblib's own, those of Dask, or those of Ray."""

import contextlib
import importlib
from collections.abc import Iterator

from langid.errors import LangidError
from langid.workers import keep_memory, worker_count

BACKENDS = ("loky", "dask", "ray")
OF_CLUSTER = -1  # what joblib calls all processes that there are


def processes_asked(backend: str, workers: int | None, cluster: str | None) -> int:
    """Return how many processes are asked for, ``OF_CLUSTER`` for those of a scheduler.

    Raises LangidError for a backend that is none, and for keys that do not go together.
    """
    if backend not in BACKENDS:
        raise LangidError(f"backend={backend}: accepted are {', '.join(BACKENDS)}")
    if cluster is None:
        return worker_count(workers)
    if backend == "loky":
        raise LangidError(
            f"cluster={cluster}: backend=loky is of this machine alone; add backend=dask or"
            " backend=ray"
        )
    if workers is not None:
        raise LangidError(
            f"workers={workers}: with cluster={cluster} the cluster's own workers do the work;"
            " leave one of the two out"
        )
    return OF_CLUSTER


@contextlib.contextmanager
def sharing_by(backend: str, workers: int, cluster: str | None) -> Iterator[int]:
    """Let joblib share work by a backend in the body; yield the ``n_jobs`` to ask it for.

    Raises LangidError for an extra that is not installed, and as the backends do.
    """
    if backend == "loky":
        yield workers
        return
    keep_memory()
    try:
        module = importlib.import_module(f"langid.data.{backend}_backend")
    except ModuleNotFoundError as error:
        if f"{error.name}".startswith("langid"):
            raise
        raise LangidError(
            f"backend={backend}: {error.name} is not installed; run pip install"
            f" 'langid-speech[{backend}]'"
        ) from error
    with module.processes(workers, cluster):
        yield OF_CLUSTER
