import os
import sys

import joblib
import pytest

from langid.data.from_corpus import get_ready
from langid.errors import LangidError
from langid.workers import start_workers, worker_count


def test_processes_that_were_started_early_do_the_work() -> None:
    list(start_workers(2, get_ready))
    jobs = joblib.Parallel(n_jobs=2)(joblib.delayed(_state)() for _ in range(8))
    assert {process for process, _ in jobs} - {os.getpid()}
    assert all(ready for _, ready in jobs)


def test_one_worker_starts_no_process() -> None:
    assert list(start_workers(1, get_ready)) == []


def test_as_many_processes_as_processors_where_there_is_work_for_them() -> None:
    assert worker_count(None) == joblib.cpu_count()
    assert (worker_count(None, most=0), worker_count(None, most=1)) == (1, 1)
    assert worker_count(3, most=1) == 3
    for wrong in (0, 1.5, "many"):
        with pytest.raises(LangidError, match=f"workers={wrong}: accepted are 1 and more"):
            worker_count(wrong)  # type: ignore[arg-type]


def _state() -> tuple[int, bool]:
    return os.getpid(), "langid.data.shard" in sys.modules
