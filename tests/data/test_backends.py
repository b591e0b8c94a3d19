"""Prepare shared by loky, by two workers of Dask and by Ray: the same bytes, and what ends it."""

import importlib.util
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import pytest
from distributed import Client, LocalCluster

from langid.commands.main import main
from langid.data import dask_backend, shard
from langid.data.store import Store

NO_RAY = importlib.util.find_spec("ray") is None
KILLER = """
import os
from langid.signal.features import LogMel

class Killer(LogMel):
    def step(self, samples, state):
        os.kill(os.getpid(), 9)
"""
INTERRUPTED = """
import signal, sys
from langid.commands.main import main
from langid.data import shard

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
shard.SHARD_UTTERANCES = 4
sys.exit(main(sys.argv[1:]))
"""
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make nine shards of 36 clips."""
    monkeypatch.setattr(shard, "SHARD_UTTERANCES", 4)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Return a cluster of two workers on this machine, as others start theirs."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def whole(real_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of the store that one process makes."""
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD_UTTERANCES", 4)
        assert main(command(real_manifest, path, "workers=1")) == 0
    return path.read_bytes()


def command(manifest: Path, store: Path, *keys: str) -> list[str]:
    return ["prepare", "corpus=manifest", f"corpus.path={manifest}", f"store={store}", *keys]


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written by this process."""

    def here(*_: object) -> int:
        raise AssertionError("a shard is written by the process that waits for others")

    monkeypatch.setattr(shard, "write_shard", here)


@pytest.mark.parametrize(
    "backend",
    ["loky", "dask", pytest.param("ray", marks=pytest.mark.skipif(NO_RAY, reason="no ray"))],
)
def test_two_processes_of_each_backend_write_what_one_does(
    backend: str,
    real_manifest: Path,
    whole: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere(monkeypatch)
    keys = [f"backend={backend}", "workers=2"]
    assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 0
    assert (tmp_path / "a.h5").read_bytes() == whole
    assert {child.name for child in tmp_path.iterdir()} == {
        "a.h5", "a.manifest.tsv", "a.skipped.tsv",
    }  # fmt: skip


def test_a_worker_of_a_cluster_that_is_killed_costs_nothing(
    cluster: LocalCluster,
    real_manifest: Path,
    whole: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Client(cluster) as client:
        first, *_ = client.run(os.getpid).values()
    ended, killed = threading.Event(), threading.Event()

    def kill() -> None:
        while not ended.wait(0.005):
            if list(tmp_path.glob("a.h5.parts/*/??????.h5")):
                os.kill(first, signal.SIGKILL)
                killed.set()
                return

    elsewhere(monkeypatch)
    killer = threading.Thread(target=kill)
    killer.start()
    keys = ["backend=dask", f"cluster={cluster.scheduler_address}"]
    try:
        assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 0
    finally:
        ended.set()
        killer.join()
    assert killed.is_set()
    assert (tmp_path / "a.h5").read_bytes() == whole


def test_ctrl_c_ends_the_processes_of_dask_with_one_line(
    real_manifest: Path, whole: bytes, tmp_path: Path
) -> None:
    line = command(real_manifest, tmp_path / "a.h5", "backend=dask", "workers=2")
    pipes: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    code = [sys.executable, "-c", INTERRUPTED, *line]
    with subprocess.Popen(code, start_new_session=True, **pipes) as process:
        while not list(tmp_path.glob("a.h5.parts/*/??????.h5")):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "langid: interrupted; finished work is kept\n"
    assert main(command(real_manifest, tmp_path / "a.h5", "workers=1")) == 0
    assert (tmp_path / "a.h5").read_bytes() == whole


def hide(name: str) -> None:
    """Let a worker see nothing under a name, as another machine that has not mounted it."""
    seen = os.stat

    def stat(path: Any, *more: Any, **named: Any) -> os.stat_result:
        if name in os.fspath(path):
            raise FileNotFoundError(2, "No such file or directory", path)
        return seen(path, *more, **named)

    stat.seen = seen
    os.stat, platform.node = stat, lambda: "elsewhere"


def show() -> None:
    """Let a worker see again what was hidden."""
    os.stat = os.stat.seen


@pytest.mark.parametrize("hidden", ["a.h5.parts", "clips"])
def test_a_machine_that_does_not_see_the_same_folders_is_named(
    hidden: str,
    cluster: LocalCluster,
    real_manifest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = ["backend=dask", f"cluster={cluster.scheduler_address}"]
    with Client(cluster) as client:
        client.run(hide, hidden)
        try:
            assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 2
        finally:
            client.run(show)
    error = capsys.readouterr().err
    assert error.startswith("langid: ") and error.count("\n") == 1
    assert hidden in error and "and not on elsewhere, which has a process of prepare" in error
    assert not list(tmp_path.glob("a.h5*/*/*"))


def test_a_shard_that_was_written_to_another_disk_is_missed(
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written = shard.write_shard
    monkeypatch.setattr(shard, "write_shard", lambda path, *more: written(tmp_path / "0", *more))
    assert main(command(real_manifest, tmp_path / "a.h5", "workers=1")) == 2
    assert f"000000.h5: is on {platform.node()} and not on" in capsys.readouterr().err
    assert not (tmp_path / "a.h5").exists()


def test_features_of_a_trusted_package_that_kill_every_worker_end_with_a_sentence(
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "killing_features.py").write_text(KILLER)
    monkeypatch.chdir(tmp_path)
    keys = ["backend=dask", "workers=1", "trusted=[killing_features]", "features=log_mel"]
    keys += ["features._target_=killing_features.Killer"]
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 2
    assert "backend=dask: 1 workers died at the same clips" in capsys.readouterr().err


def test_a_cluster_is_asked_only_where_there_is_work(
    store_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus,) = Store(store_path).description["corpora"]
    manifest = Path(corpus["reader"]["path"])  # of the test process that made the store
    keys = ["backend=dask", "cluster=tcp://127.0.0.1:1"]
    assert main(command(manifest, store_path, *keys)) == 0
    assert "nothing was done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["backend=slurm"], "backend=slurm: accepted are loky, dask, ray"),
        (["cluster=HOST:8786"], "cluster=HOST:8786: backend=loky is of this machine alone"),
        (
            ["backend=dask", "cluster=tcp://HOST:8786", "workers=2"],
            "workers=2: with cluster=tcp://HOST:8786 the cluster's own workers do the work",
        ),
        (
            ["backend=dask", "cluster=tcp://127.0.0.1:1"],
            "cluster=tcp://127.0.0.1:1: no Dask scheduler answers there",
        ),
        (["backend=dask", "cluster=nonsense://a"], "no Dask scheduler answers there"),
    ],
)
def test_what_cannot_be_is_refused(
    keys: list[str],
    told: str,
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask_backend, "WAIT_S", 1)
    assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 2
    error = capsys.readouterr().err
    assert error.startswith("langid: ") and error.count("\n") == 1
    assert told in error


@pytest.mark.parametrize(("backend", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_an_extra_that_is_not_installed_is_one_line(
    backend: str,
    library: str,
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"langid.data.{backend}_backend", raising=False)
    assert main(command(real_manifest, tmp_path / "a.h5", f"backend={backend}")) == 2
    assert capsys.readouterr().err == (
        f"langid: backend={backend}: {library} is not installed; run pip install"
        f" 'langid-speech[{backend}]'\n"
    )


def test_a_scheduler_without_workers_and_workers_of_another_langid_are_refused(
    real_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask_backend, "WAIT_S", 3)
    with LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty:
        keys = ["backend=dask", f"cluster={empty.scheduler_address}"]
        assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 2
        assert "has no workers; start some by dask worker" in capsys.readouterr().err
        monkeypatch.setattr(dask_backend, "__version__", "99.0")
        empty.scale(1)
        assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 2
    error = capsys.readouterr().err
    assert "has langid 0" in error and "and here is 99.0; install the same there" in error


def test_every_process_trusts_what_the_command_line_trusts(
    real_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_features.py").write_text(
        "from langid.signal.features import LogMel\nclass Own(LogMel):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    elsewhere(monkeypatch)
    keys = ["workers=2", "trusted=[own_features]", "features=log_mel"]
    keys += ["features._target_=own_features.Own"]
    assert main(command(real_manifest, tmp_path / "a.h5", *keys)) == 0
