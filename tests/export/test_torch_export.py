"""torch.export's file: parity with offline PyTorch, also in another process, and refusals."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from langid.errors import LangidError
from langid.export import parity
from langid.export.torch_export import ExportedModel, export_pt2
from langid.streaming.streamer import StreamingIdentifier
from langid.training.identifier import LanguageIdentifier

from ..conftest import Once, variant
from .test_export_networks import ENERGY, LEARNED, untrained, with_silence

LOAD = """
import json, sys, numpy, torch
files = {"langid.json": ""}
program = torch.export.load(sys.argv[1], extra_files=files).module()
metadata = json.loads(files["langid.json"])
clips = torch.from_numpy(numpy.load(sys.argv[2]))
pairs = list(zip(metadata["state"], metadata["initial_state"]))
heard = []
for streams, hops in ((1, 1), (1, 3), (1, 10), (3, 1), (3, 3), (3, 10)):
    samples = clips[:streams]
    state = [torch.full((streams, *shape), value) for shape, value in pairs]
    size = hops * metadata["hop_samples"]
    parts = []
    for start in range(0, samples.shape[1], size):
        posteriors, speech, *state = program(samples[:, start : start + size], *state)
        parts.append(posteriors)
    heard.append(torch.cat(parts, 1).detach().numpy())
numpy.savez(sys.argv[3], *heard)
assert "langid" not in sys.modules
"""


def test_a_new_process_hears_what_offline_pytorch_does(
    trained: LanguageIdentifier, clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = variant(trained)
    path = tmp_path / "model.pt2"
    differences = export_pt2(identifier, path, [clip[16000:32100] for clip in clips[:2]])
    assert max(differences.values()) <= 1e-4
    assert list(tmp_path.iterdir()) == [path]
    samples = np.stack([clip[16000:25600] for clip in clips[5:8]])
    np.save(tmp_path / "samples.npy", samples)
    arguments = [str(path), str(tmp_path / "samples.npy"), str(tmp_path / "heard.npz")]
    subprocess.run([sys.executable, "-c", LOAD, *arguments], check=True)
    expected = identifier.posteriors(torch.from_numpy(samples))[0].numpy()
    assert np.ptp(expected) > 0.3
    runs = list(np.load(tmp_path / "heard.npz").values())
    assert [len(heard) for heard in runs] == [1, 1, 1, 3, 3, 3]
    for heard in runs:
        np.testing.assert_allclose(heard, expected[: len(heard)], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "silence", "detector"),
    [
        ("tcn.TCN", "remove", ENERGY),
        ("tcn.TCN", "remove", LEARNED),
        ("conformer.Conformer", "mask", ENERGY),
    ],
)
def test_other_networks_equal_pytorch(
    network: str, silence: str, detector: dict[str, str], clips: list[np.ndarray], tmp_path: Path
) -> None:
    identifier = untrained(network, silence, clips[0], detector=detector)
    path = tmp_path / "model.pt2"
    export_pt2(identifier, path, [with_silence(clips[0])])
    stream, heard = StreamingIdentifier(ExportedModel(path)), with_silence(clips[5])
    expected = identifier.posteriors(torch.from_numpy(heard)[None])[0][0].numpy()
    assert np.ptp(expected, axis=0).max() > 0.1
    for chunk in (160, 1000, len(heard)):
        posteriors = parity.feed_clip(stream, heard, chunk)
        np.testing.assert_allclose(posteriors, expected, rtol=0, atol=1e-4)
    metadata = stream.model.metadata
    assert metadata["classes"] == ["English", "Hindi", "Mandarin"]
    assert len(metadata["sha256"]) == 64
    json.dumps(metadata, allow_nan=False)


def test_a_program_of_one_length_is_refused(clips: list[np.ndarray], tmp_path: Path) -> None:
    identifier = untrained("recurrent.LSTM", "remove", clips[0])
    with pytest.raises(LangidError, match=r"not written, torch.export's program .* format=onnx"):
        export_pt2(identifier, tmp_path / "model.pt2", [with_silence(clips[0])])
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_differs_is_not_written(
    clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = untrained("recurrent.GRU", "mask", clips[0])
    monkeypatch.setattr(parity, "TOLERANCE", 0.0)
    path = tmp_path / "model.pt2"
    path.write_text("an older file")
    with pytest.raises(LangidError, match=r"model\.pt2: not written, .* differs from PyTorch"):
        export_pt2(identifier, path, [with_silence(clips[0])])
    assert path.read_text() == "an older file"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_streamed_and_no_speech_are_refused(
    clips: list[np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(LangidError, match="BiGRU needs the whole utterance"):
        export_pt2(untrained("recurrent.BiGRU", "mask", clips[0]), tmp_path / "m.pt2", clips)
    with pytest.raises(LangidError, match="no samples to compare"):
        export_pt2(untrained("recurrent.GRU", "mask", clips[0]), tmp_path / "m.pt2", [])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def exported_path(clips: list[np.ndarray], once: Once) -> Path:
    """Return the file of a GRU. Tests must not change it."""

    def export(folder: Path) -> None:
        identifier = untrained("recurrent.GRU", "mask", clips[0])
        export_pt2(identifier, folder / "model.pt2", [with_silence(clips[0])])

    return once("pt2", export) / "model.pt2"


def rewritten(path: Path, to: Path, **changes: Any) -> Path:
    """Copy a file with other metadata, and with other bytes in the parts of those names."""
    parts = {name: value for name, value in changes.items() if isinstance(value, bytes)}
    metadata = {name: value for name, value in changes.items() if name not in parts}
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("/langid.json"):
                content = json.dumps(json.loads(content) | metadata).encode()
            new.writestr(name, parts.get(name.rpartition("/")[2], content))
    return to


def test_a_file_that_is_none_or_was_changed_is_named(
    exported_path: Path,
    tmp_path: Path,
    recwarn: pytest.WarningsRecorder,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = exported_path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    contents = {"empty": b"", "text": b"no zip", "cut": whole[: len(whole) // 2], "bits": flipped}
    for name, content in contents.items():
        (tmp_path / f"{name}.pt2").write_bytes(content)
    torch.save({"a": 1}, tmp_path / "saved.pt2")
    changes: dict[str, dict[str, Any]] = {
        "schema": {"schema": "langid-stream-9"},
        "hop": {"hop_samples": None},
        "classes": {"classes": ["English", "Hindi", "Urdu"]},
        "weights": {"weight_0": b"\1" * 2880},
        "program": {"model.json": b"{}"},
    }
    for name, changed in changes.items():
        rewritten(exported_path, tmp_path / f"{name}.pt2", **changed)
    found = {
        "absent": "no such file; langid export writes one",
        **dict.fromkeys(contents, r"not a whole file of torch\.export \(.+\); fetch it again"),
        "saved": r"not exported by this version of langid \(schema None",
        "schema": r"not exported by this version of langid \(schema langid-stream-9",
        "hop": "hop_samples is None, expected is a whole number above 0",
        "classes": "its weights or metadata were changed after its export",
        "weights": "its weights or metadata were changed after its export",
        "program": r"torch\.export\.load does not accept it \(.+\); run langid export format=pt2",
    }
    for name, message in found.items():
        with pytest.raises(LangidError, match=rf"model=.*{name}\.pt2: .*{message}"):
            ExportedModel(tmp_path / f"{name}.pt2")
    ExportedModel(rewritten(exported_path, tmp_path / "same.pt2"))
    assert not recwarn.list and not caplog.records
    assert capfd.readouterr() == ("", "")
