"""The benchmarks' verdicts: what they print last and what they exit with. Nothing is timed here."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = ("prepare", "train_step", "stream")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a file of benchmarks/, as it is when it runs as a script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_is_measured(
    name: str, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        benchmark(name).main()
    assert ended.value.code == 0
    assert " against " in capsys.readouterr().out


def test_a_benchmark_starts_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "prepare.py"), "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no such folder" in done.stderr and "--data" in done.stderr


# Arguments of a benchmark's figures(), and which of its figures does not hold.
CASES = [
    ("prepare", (12.0, 10.0, 1.0, 400.0, 150.0), None),
    ("prepare", (12.6, 10.0, 1.0, 400.0, 150.0), 0),
    ("prepare", (12.0, 10.0, 1.6, 400.0, 150.0), 1),
    ("prepare", (12.0, 10.0, 1.0, 400.0, 170.0), 2),
    ("train_step", (1.09, 1.0), None),
    ("train_step", (1.11, 1.0), 0),
    ("stream", (0.011, 0.005, 0.03), None),
    ("stream", (0.013, 0.005, 0.03), 0),
    ("stream", (0.011, 0.007, 0.03), 1),
    ("stream", (0.011, 0.005, 0.01), 2),
]


@pytest.mark.parametrize(("name", "measured", "missed"), CASES)
def test_exit_code_and_last_line_follow_the_limits(
    name: str,
    measured: tuple[float, ...],
    missed: int | None,
    benchmark: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = benchmark(name).figures(*measured)
    code = benchmark("figures").verdict(figures)
    assert code == (0 if missed is None else 1)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1
    states = ["DOES NOT HOLD" in part for part in printed[0].split("; ")]
    assert states == [number == missed for number in range(len(figures))]
    for figure in figures:
        assert f"{figure.limit:g}" in printed[0] and f"{figure.value:.3g}" in printed[0]


def test_a_figure_that_is_not_a_number_does_not_hold(benchmark: Any) -> None:
    figures = benchmark("figures")
    for at_least in (True, False):
        assert figures.verdict([figures.Figure("time", float("nan"), 1.0, at_least=at_least)]) == 1


def test_a_step_is_timed_after_the_first_of_its_epoch(benchmark: Any) -> None:
    import torch

    module = benchmark("train_step")
    turns = module.Turns()
    turns.bare_step = type("Bare", (), {"step": lambda self: None})()
    identifier = type("Module", (), {"device": torch.device("cpu")})()
    whole = (module.BATCH, module.FRAMES, module.BINS)
    for epoch, shape in [(0, whole), (0, whole), (0, (3, *whole[1:])), (1, whole), (1, whole)]:
        trainer = type("Trainer", (), {"current_epoch": epoch})()
        batch = type("Batch", (), {"features": torch.empty(shape)})()
        turns.on_train_batch_end(trainer, identifier, None, batch, 0)
    assert len(turns.full) == 2
    assert len(turns.bare) == 2


def test_the_synthetic_store_is_one_that_training_takes(benchmark: Any, tmp_path: Path) -> None:
    from langid.data.store import FeatureStore

    path = tmp_path / "random.h5"
    benchmark("train_step").write_store(path, 60)
    store = FeatureStore(path)
    _, speech = store.read(0, int(store.utterances["frames"].sum()))
    assert sorted(set(store.utterances["language"])) == ["English", "Hindi", "Mandarin"]
    assert store.utterances["frames"].min() >= 500
    assert 0.3 < speech.mean() < 0.99


def test_peak_memory_of_a_status_file(benchmark: Any) -> None:
    status = "Name:\tpython\nVmHWM:\t  1500000 kB\nVmRSS:\t 1 kB\n"
    assert benchmark("prepare")._peak_gb(status) == pytest.approx(1.5)


def test_a_command_is_timed_with_its_largest_child(benchmark: Any) -> None:
    child = "x = bytearray(200_000_000); import time; time.sleep(0.5)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    parent = f"{start}; print('done')"
    run = benchmark("prepare").timed([sys.executable, "-c", parent])
    assert run.output == "done\n"
    assert 0.19 < run.peak_gb < 0.4
    assert run.wall_s > 0.5
