"""The parts of benchmarks/stream.py and parity.py: what is compared is the same, and what fails."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from langid.commands.configuration import compose
from langid.export.onnx import export_onnx
from langid.signal.features import LogMel
from langid.signal.learned_detector import LearnedDetector
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once
from .conftest import Quick


@pytest.fixture
def sound(benchmark: Any) -> np.ndarray:
    """Return 8 s of synthetic sound with silence in it, int16."""
    samples: np.ndarray = (benchmark("synthetic_sound").synthetic_sound(8) * 32767).astype(np.int16)
    samples[30_000:60_000] //= 1000
    return samples


def small(benchmark: Any, seed: int) -> LanguageIdentifier:
    torch.manual_seed(seed)
    sizes = ("model.network.units=20", "model.network.dense=10")
    identifier: LanguageIdentifier = benchmark("random_model").random_identifier("gru", sizes)
    return identifier


@pytest.fixture
def model(benchmark: Any, sound: np.ndarray, once: Once) -> Path:
    """Return the exported file of ``small`` with seed 0."""

    def export(folder: Path) -> None:
        excerpt = sound[:16000] / np.float32(32768)
        export_onnx(small(benchmark, 0), folder / "small.onnx", [excerpt])

    return once("small", export) / "small.onnx"


def test_the_measured_network_is_the_gru_of_200_units(benchmark: Any) -> None:
    network = benchmark("random_model").random_identifier().network
    assert sum(weights.numel() for weights in network.parameters()) == 180_003


def test_the_best_stream_is_that_of_its_experiment(benchmark: Any) -> None:
    composed = compose("train", ["experiment=best_stream", "store=-"])
    identifier = benchmark("random_model").random_experiment()
    description = identifier.described
    assert description.model == OmegaConf.to_container(composed.model, resolve=True)
    assert description.silence == composed.silence.policy == "remove"
    assert type(identifier.front_end.features) is LogMel
    assert type(identifier.front_end.detector) is LearnedDetector
    network = identifier.network
    assert network.cmvn and network.convolutions and network.pooling
    assert identifier.front_end.hop_samples == 640


def test_plain_numpy_computes_what_langid_does(benchmark: Any, sound: np.ndarray) -> None:
    identifier = benchmark("random_model").random_identifier()
    identifier.normaliser.fit(torch.full((64,), -3.0), torch.full((64,), 5.0))
    plain = benchmark("plain_numpy").PlainGRU(identifier)
    plain.feed(sound[:1600])
    plain.reset()
    halves = []
    for part in np.split(sound, 2):
        posteriors = plain.feed(part)
        halves.append((posteriors, plain.speech))
    found, speech = (np.concatenate(parts) for parts in zip(*halves, strict=True))
    samples = torch.from_numpy(sound / np.float32(32768))[None]
    expected, marked = (tensor[0].numpy() for tensor in identifier.posteriors(samples))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(speech, marked)
    assert 0.2 < speech.mean() < 0.9


def test_ways_that_differ_are_not_timed(benchmark: Any, model: Path) -> None:
    stream = benchmark("stream")
    assert len(stream.ways(small(benchmark, 0), model, model)) == 6
    with pytest.raises(SystemExit, match=r"onnxruntime, frame by frame: posteriors differ by"):
        stream.ways(small(benchmark, 1), model, model)


def test_stream_prints_every_part(quick: Quick) -> None:
    printed = quick("stream")
    for part in (
        "detector=learned",
        "TorchScript, frame",
        "plain numpy",
        "100 frames in a row",
        "p99.9 ",
        "best_stream: onnxruntime, frame by frame, 100 frames in a row",
        "best_stream: onnxruntime, 100 ms chunks  ",
        "best_stream: eager PyTorch",
        "MB of weights a frame of 40 ms",
    ):
        assert part in printed
    assert "floor: 0." in printed and " GB/s of memory" in printed
    assert "arrays in and out" in printed
    assert "operators by onnxruntime's profile: " in printed
    assert "soak: 1,000 frames (0.0 h of sound)" in printed
    *_, last = printed.splitlines()
    names = [part.split(" ")[0] for part in last.split("; ")]
    assert {"RTF", "soak:", "malloc"} <= {*names} and names[3] == "best_stream:"


def test_a_soak_ends_in_time_and_finds_what_grows(
    benchmark: Any, model: Path, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = benchmark("stream_soak")
    stream = StreamingIdentifier.load(model)
    assert len(module.soak(stream, sound, 10**9, 0.0, 100)) == 3
    kept: list[np.ndarray] = []
    feed = stream.feed
    monkeypatch.setattr(stream, "feed", lambda samples: kept.append(feed(samples)))
    figures = module.soak(stream, sound, 5000, 60.0, 100)
    assert len(kept) == 5100
    assert not any(figure.holds for figure in figures[1:])


@pytest.fixture
def parity(benchmark: Any, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return parity.py, which will compare one network on two clips."""
    sizes = ["--networks=gru", "--clips=2", f"--data={data_root}"]
    monkeypatch.setattr(sys, "argv", ["parity.py", *sizes])
    module = benchmark("parity")
    monkeypatch.setattr(module, "EXCERPT", {1: 800, 37: 800, module.WHOLE: module.WHOLE})
    return module


def test_parity_holds_for_a_network(quick: Quick) -> None:
    *table, last = quick("parity").splitlines()
    rows = [line.split() for line in table[2:]]
    taken = {"gru": ("PyTorch", "ONNX", "pt2"), "best_stream": ("PyTorch", "ONNX")}
    assert [row[:2] for row in rows] == [
        [network, runtime] for network, runtimes in taken.items() for runtime in runtimes
    ]
    assert all(0 < float(value) <= 1e-4 for row in rows for value in row[-4:-1])
    assert all(float(row[-1]) > 0.5 for row in rows)  # or there is nothing to compare
    assert last.count("holds") == 3


def test_a_runtime_that_differs_fails(
    parity: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*arguments: Any) -> StreamingIdentifier:
        stream = parity.stepper(*arguments)
        stream.feed = lambda samples: StreamingIdentifier.feed(stream, samples * np.float32(0.9))
        return stream  # type: ignore[no-any-return]

    monkeypatch.setattr(parity, "RUNTIMES", {"quieter": wrong})
    ran = sys.argv
    for more, code in (([], 1), (["--quick"], 0)):
        monkeypatch.setattr(sys, "argv", [*ran, *more])
        assert parity.main() == code
        assert "DOES NOT HOLD" in capsys.readouterr().out.splitlines()[-1]


def test_parity_refuses_what_it_does_not_know(
    parity: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given in ("--networks=cnn", "--data=/nowhere"):
        monkeypatch.setattr(sys, "argv", ["parity.py", given])
        with pytest.raises(SystemExit) as ended:
            parity.main()
        assert ended.value.code == 2
        assert given.split("=")[1] in capsys.readouterr().err
