"""Processes of Ray for joblib: a cluster's, or of one that is started here."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import joblib
import ray
from ray.util.joblib import register_ray

from langid.errors import LangidError


@contextlib.contextmanager
def processes(workers: int, cluster: str | None) -> Iterator[None]:
    """Share what joblib does in the body among a cluster's workers, or ``workers`` started here.

    Raises LangidError for a cluster that is not there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # which go to another host
    here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(
            cluster or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if cluster else here),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise LangidError(
            f"cluster={cluster}: no Ray cluster answers there ({error}); start one by"
            " ray start --head, and give the address that it prints, as HOST:6379"
        ) from error
    try:
        register_ray()
        with joblib.parallel_config("ray", n_jobs=-1):
            yield
    finally:
        ray.shutdown()
