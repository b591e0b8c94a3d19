import os
import sys

import joblib

from langid.data.workers import start_workers


def test_processes_that_were_started_early_do_the_work() -> None:
    list(start_workers(2))
    jobs = joblib.Parallel(n_jobs=2)(joblib.delayed(_state)() for _ in range(8))
    assert {process for process, _ in jobs} - {os.getpid()}
    assert all(ready for _, ready in jobs)


def test_one_worker_starts_no_process() -> None:
    assert list(start_workers(1)) == []


def _state() -> tuple[int, bool]:
    return os.getpid(), "langid.data.shard" in sys.modules
