"""The benchmarks run, each once and quickly, and their verdicts: what they print and exit with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import pytest

from .conftest import BENCHMARKS, NAMES, Quick

MODELS = ("rnn", "gru", "lstm", "bigru", "bilstm", "tcn", "conformer", "cnn", "crnn", "ecapa_tdnn")


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_is_measured(
    name: str, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        benchmark(name).main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert " against " in printed and " --quick " in printed


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_runs_quickly_and_judges_no_speed(name: str, quick: Quick) -> None:
    *table, last = quick(name).splitlines()
    assert table
    figures = last.split("; ")
    assert all("(limit at " in figure for figure in figures)
    states = {figure.rpartition(": ")[2] for figure in figures}
    assert states <= {"holds)", "not judged)"}  # of results it still says whether they are right


def test_predict_takes_a_pretrained_encoder(
    saved_encoder: Callable[..., Path], data_root: Path
) -> None:
    encoder = saved_encoder("wav2vec2")
    options = ["--quick", "--clips=2", f"--models={encoder.parent}", f"--encoder={encoder.name}"]
    variables = os.environ | {"LANGID_DATA": str(data_root)}
    done = forked.run([BENCHMARKS / "predict.py", *options], env=variables)
    assert done.returncode == 0, done.stderr
    assert encoder.name in done.stdout and done.stdout.rstrip().endswith("holds)")


def test_a_benchmark_starts_from_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "prepare.py"), "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2
    assert "no such folder" in done.stderr and "--data" in done.stderr


def detected(learned: float, energy: float, librosa: float) -> dict[str, float]:
    """Return what benchmarks/detectors.py finds at a level."""
    return {"learned": learned, "energy": energy, "librosa": librosa}


# Arguments of a benchmark's figures(), and which of its figures does not hold.
CASES = [
    ("prepare", (11.4, 10.0, 1.0, 400.0, 150.0), None),
    ("prepare", (11.6, 10.0, 1.0, 400.0, 150.0), 0),
    ("prepare", (11.4, 10.0, 1.6, 400.0, 150.0), 1),
    ("prepare", (11.4, 10.0, 1.0, 400.0, 170.0), 2),
    ("predict", (10.9, 10.0, 1e-4), None),
    ("predict", (11.1, 10.0, 1e-4), 0),
    ("predict", (10.9, 10.0, 1e-2), 1),
    ("pretrained", (0.14, 0.13, 1.0, 10.9, 10.0), None),
    ("pretrained", (0.16, 0.13, 1.0, 10.9, 10.0), 0),
    ("pretrained", (0.14, 0.16, 1.0, 10.9, 10.0), 1),
    ("pretrained", (0.14, 0.13, 1.0, 11.1, 10.0), 2),
    ("train_step", (1.09, 1.0), None),
    ("train_step", (1.11, 1.0), 0),
    ("train_step_samples", (1.24, 1.0), None),
    ("train_step_samples", (1.26, 1.0), 0),
    ("acoustics", (1.0, 1.29, 1.29), None),
    ("acoustics", (1.0, 1.1, 1.31), 1),
    ("recipes", ({"gru": 1.14, "gru_streaming": 1.14},), None),
    ("recipes", ({"gru": 1.14, "gru_streaming": 1.16},), 1),
    ("stream", (0.0069, 0.0024, 0.03), None),
    ("stream", (0.0071, 0.0024, 0.03), 0),
    ("stream", (0.0069, 0.0026, 0.03), 1),
    ("stream", (0.0069, 0.0024, 0.006), 2),
    ("multi_stream", (1200.0, 1100.0, "GRU 200"), None),
    ("multi_stream", (1200.0, 900.0, "GRU 200"), 1),
    ("soak", (1e-6, 1.0), None),
    ("soak", (1e-3, 1.0), 0),
    ("soak", (1e-6, 9.0), 1),
    ("report", (0.1, 0.5, 20.0, 1.0, 0.94), None),
    ("report", (0.1, 1.1, 20.0, 1.0, 0.94), 1),
    ("report", (1.1, 0.5, 20.0, 1.0, 0.94), 3),
    ("report", (0.1, 0.5, 20.0, 1.0, 0.91), 4),
    ("detectors", ({"clean": detected(0.9, 0.9, 0.7), "0 dB": detected(0.8, 0.6, 0.6)},), None),
    ("detectors", ({"clean": detected(0.6, 0.7, 0.7), "0 dB": detected(0.8, 0.6, 0.6)},), 0),
    ("detectors", ({"clean": detected(0.9, 0.7, 0.7), "0 dB": detected(0.8, 0.6, 0.81)},), 1),
    ("detectors", ({"clean": detected(0.9, 0.7, 0.7), "5 dB": detected(0.69, 0.6, 0.6)},), 2),
    ("detectors", ({"10 dB": {"learned": 0.9, "librosa": 0.89}},), None),
    ("scale", (50.0, 1.9), None),
    ("scale", (61.0, 1.9), 0),
    ("scale", (50.0, 2.1), 1),
    ("read_store", (3e5, 3e5, 100.0), None),
    ("read_store", (1e5, 3e5, 100.0), 0),
    ("read_store", (3e5, 1e5, 100.0), 1),
    ("read_store", (3e5, 3e5, 600.0), 2),
    ("resamples", (20.0, 0.04, 0.01), None),
    ("resamples", (31.0, 0.04, 0.01), 0),
    ("resamples", (20.0, 0.06, 0.01), 1),
    ("resamples", (20.0, 0.04, 0.03), 2),
]


@pytest.mark.parametrize(("name", "measured", "missed"), CASES)
def test_exit_code_and_last_line_follow_the_limits(
    name: str,
    measured: tuple[Any, ...],
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


def test_live_streams_are_those_of_the_largest_batch(
    benchmark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    def steps(share: float) -> list[Any]:
        return [np.full((2, 10), share), np.full((2, 10), 2 * share)]

    taken = {(name, 100): steps(0.05) for name in ("100 ms chunks", "frame by frame")}
    taken |= {("100 ms chunks", 1000): steps(0.8), ("frame by frame", 1000): steps(1.25)}
    assert benchmark("multi_stream").report({"GRU 200": taken, "best_stream": taken}) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert last.count("; ") == 3 and "; best_stream: live streams a core in 100 ms" in last
    assert "1.25e+03 (limit at least 1000: holds)" in last
    assert "frame by frame 800 (limit at least 1000: DOES NOT HOLD)" in last


def test_a_figure_that_is_not_a_number_does_not_hold(benchmark: Any) -> None:
    figures = benchmark("figures")
    for at_least in (True, False):
        assert figures.verdict([figures.Figure("time", float("nan"), 1.0, at_least=at_least)]) == 1


def test_a_step_is_timed_after_the_first_of_its_epoch(benchmark: Any) -> None:
    import torch

    module = benchmark("train_step")
    whole = (module.BATCH, module.FRAMES, module.BINS)
    bare_step = type("Bare", (), {"step": lambda self, frames: None})()
    turns = module.Turns(lambda _: bare_step, whole)
    identifier = type("Module", (), {"device": torch.device("cpu")})()
    for epoch, shape in [(0, whole), (0, whole), (0, (3, *whole[1:])), (1, whole), (1, whole)]:
        trainer = type("Trainer", (), {"current_epoch": epoch})()
        batch = type("Batch", (), {"speech": torch.empty(shape[:2])})()
        turns.on_train_batch_end(trainer, identifier, None, batch, 0)
    assert len(turns.full) == 2
    assert len(turns.bare) == 2
    assert turns.frames == [module.FRAMES] * 2


def test_the_synthetic_store_is_one_that_training_takes(benchmark: Any, tmp_path: Path) -> None:
    from langid.data.store import Store

    path = tmp_path / "random.h5"
    benchmark("train_step").write_store(path, 60)
    store = Store(path)
    _, speech = store.read(0, int(store.utterances["frames"].sum()))
    assert sorted(set(store.utterances["language"])) == ["English", "Hindi", "Mandarin"]
    assert store.utterances["frames"].min() >= 500
    assert 0.3 < speech.mean() < 0.99


def test_a_store_of_whole_sequences_has_no_shorter_one(benchmark: Any, tmp_path: Path) -> None:
    from langid.data.store import Store

    path = tmp_path / "random.h5"
    benchmark("train_step").write_store(path, 60, frames=30, whole=True)
    assert set(Store(path).utterances["frames"]) == {60}


def test_the_bare_networks_are_those_that_users_train(benchmark: Any) -> None:
    assert tuple(benchmark("bare_networks").NETWORKS) == MODELS


RUNNING = ("model.network.cmvn_frames=30", "model.network.pooling_frames=20")


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        *((name, ()) for name in MODELS),
        ("gru", RUNNING),
        ("lstm", RUNNING),
        ("gru", (*RUNNING, "model.network.convolutions=[4,5]", "model.network.stacked=4")),
        ("bigru", ("model.network.convolutions=[4,5]",)),
        ("tcn", RUNNING[:1]),
        ("conformer", RUNNING[:1]),
    ],
)
def test_a_bare_network_computes_what_langid_does(
    name: str, overrides: tuple[str, ...], benchmark: Any
) -> None:
    import torch
    from omegaconf import OmegaConf

    from langid.build import build
    from langid.commands.configuration import compose

    work = benchmark("networks").Work(name, "32-true", "cpu", 2, 120, overrides)
    model = compose("train", [f"model={name}", "store=-", *overrides]).model
    config = OmegaConf.to_container(model.network, resolve=True)
    torch.manual_seed(0)
    network = build(config, "network", bins=64, num_classes=3).eval()
    bare = work.bare_network().eval()
    pairs = list(zip(network.parameters(), bare.parameters(), strict=True))
    assert all(ours.shape == theirs.shape for ours, theirs in pairs)
    features = torch.randn(2, 120, 64)
    with torch.inference_mode():
        for ours, theirs in pairs:
            theirs.copy_(ours)
        logits = network(features, torch.tensor([120, 120])).squeeze(1)
        torch.testing.assert_close(bare(features), logits, rtol=1e-3, atol=1e-5)


def test_networks_prints_figures_and_exits_by_them(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--steps=2", "--batch=16", "--frames=100"]
    monkeypatch.setattr(sys, "argv", ["networks.py", "--networks=rnn", "--json", *sizes])
    module = benchmark("networks")
    monkeypatch.setattr(module, "_alone", lambda side, *_: {"langid": 60.0, "bare": 50.0}[side])
    code = module.main()
    (rnn,) = json.loads(capsys.readouterr().out)["networks"]
    assert (rnn["network"], rnn["parameters"]) == ("rnn", 73_603)
    assert (rnn["langid_mb"], rnn["bare_mb"]) == (60.0, 50.0)
    assert code == 1


def test_networks_takes_the_memory_of_each_side(quick: Quick) -> None:
    row = quick("networks").splitlines()[-2].split()
    assert row[0] == "gru"
    assert min(map(int, row[7:9])) >= 1  # MB, in columns after two rates and a ratio with its x


def test_networks_of_utterances_take_turns_too(benchmark: Any, tmp_path: Path) -> None:
    work = benchmark("networks").Work("cnn", "bf16-mixed", "cpu", 4, 20)
    store = tmp_path / "random.h5"
    benchmark("train_step").write_store(store, 60, 20, whole=True)
    parameters, turns = benchmark("networks").in_turns(work, store, 2, tmp_path / "run")
    assert parameters == 163_443
    assert len(turns.full) == len(turns.bare) == 2 + benchmark("networks").WARM_UP


def test_networks_reports_every_ratio(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    module = benchmark("networks")
    rates = {"langid_frames_s": 1e4, "bare_frames_s": 1e4, "bare_mb": 50.0}
    rows = [
        module.Measured(name, "32-true", (), 73_603, time_ratio=ratio, langid_mb=mb, **rates)
        for name, ratio, mb in (("rnn", 1.09, 54), ("cnn", 1.11, 54), ("tcn", 1.09, 60))
    ]
    assert [module.report([row], "title") for row in rows] == [0, 1, 1]
    *table, last = capsys.readouterr().out.splitlines()
    assert "73,603" in table[-1] and "1.20 x" in table[-1]
    assert "tcn 32-true time 1.09 x" in last and "DOES NOT HOLD" in last.split("; ")[1]


def test_networks_says_why_it_skips_the_gpu(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(
        sys, "argv", ["networks.py", "--accelerator=gpu", "--precision=32-true,bf16-mixed"]
    )
    assert benchmark("networks").main() == 0
    assert "skipped" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["--networks=rnn,grue", "--precision=bf16"])
def test_networks_refuses_what_it_does_not_know(
    given: str,
    benchmark: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["networks.py", given])
    with pytest.raises(SystemExit) as ended:
        benchmark("networks").main()
    assert ended.value.code == 2
    assert "accepted are" in capsys.readouterr().err


def test_peak_memory_of_a_status_file(benchmark: Any) -> None:
    status = "Name:\tpython\nVmHWM:\t  1500000 kB\nVmRSS:\t 1 kB\n"
    assert benchmark("timed_command")._peak_gb(status) == pytest.approx(1.5)


def test_a_command_is_timed_with_its_largest_child(benchmark: Any) -> None:
    child = "x = bytearray(200_000_000); import time; time.sleep(0.5)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    parent = f"{start}; print('done')"
    run = benchmark("timed_command").timed([sys.executable, "-c", parent])
    assert run.output == "done\n"
    assert 0.19 < run.peak_gb < 0.4
    assert run.wall_s > 0.5


def test_minutes_to_the_best_epoch_of_a_finished_run(tmp_path: Path, benchmark: Any) -> None:
    run = {
        "config": {"name": "gru"}, "select": "val/nll", "best": {"epoch": 2, "nll": 0.5},
        "status": "finished", "epochs": 6, "seconds": 240.0, "fingerprint": "0123456789abcdef",
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(run))
    found = benchmark("recipes").minutes_to_best(tmp_path)
    assert found == ["gru", "2.0", "3", "val/nll 0.500", "0123456789ab"]


@pytest.mark.parametrize(("record", "found"), [(None, "no run.json"), ("running", "running")])
def test_a_run_that_is_not_finished_has_no_best(
    tmp_path: Path, benchmark: Any, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, record: str | None, found: str,
) -> None:  # fmt: skip
    if record:
        (tmp_path / "run.json").write_text(json.dumps({"status": record}))
    monkeypatch.setattr(sys, "argv", ["recipes.py", "--quick", "--runs", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark("recipes").main()
    assert f"{tmp_path}: {found}; --runs takes" in capsys.readouterr().err
