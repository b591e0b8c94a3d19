"""From clips to a probe on a pretrained encoder, by the commands of the README."""

import json
import shutil
from pathlib import Path

import h5py
import pandas as pd
import pytest
import torch

import langid
from langid.audio.decode import read_audio
from langid.audio.full_scale import in_16_bits
from langid.commands.main import main
from langid.data.store import Store
from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint

from ..conftest import states_keys


def test_a_store_of_states_tells_its_weights_and_is_prepared_once(
    states_path: Path, encoder_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(states_path)
    held = store.description["features"]
    assert held["sha256"].startswith("817ca4510cc4d800") and held["layer"] == 2
    assert store.frames_per_second == 50 and store.bins == 512
    samples = read_audio(store.utterances["path"][0], 16000)
    assert store.offsets[1] == -(-len(samples) // 320)
    manifest = Path(store.description["corpora"][0]["reader"]["path"])  # of the first process
    assert main(["prepare", *states_keys(manifest, encoder_path, states_path)]) == 0
    told = capsys.readouterr().out
    assert "The store was already complete" in told
    assert "next      langid train experiment=probe store=" in told


def test_a_probe_learns_and_is_scored(
    probe_path: Path, states_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [f"checkpoint={probe_path}", f"store={states_path}", f"output={tmp_path}/out"]
    assert main(["evaluate", *parts]) == 0
    assert "balanced accuracy" in capsys.readouterr().out


def test_ready_states_are_scored_without_their_encoder_and_sound_is_not(
    probe_path: Path, states_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved, store = tmp_path / "moved.ckpt", tmp_path / "states.h5"
    checkpoint = torch.load(probe_path, weights_only=True)
    checkpoint["langid"]["features"]["encoder"] = "/gone/whisper-base-encoder"
    torch.save(checkpoint, moved)
    shutil.copy(states_path, store)
    with h5py.File(store, "r+") as file:
        description = json.loads(file.attrs["description"])
        description["features"]["encoder"] = "/gone/whisper-base-encoder"
        file.attrs["description"] = json.dumps(description)
    parts = [f"checkpoint={moved}", f"store={store}"]
    assert main(["evaluate", *parts, f"output={tmp_path}/out"]) == 0
    scored = [json.loads((tmp_path / "out" / "report.json").read_text())]
    assert (
        main(["evaluate", f"checkpoint={probe_path}", f"store={store}", f"output={tmp_path}/whole"])
        == 0
    )
    scored.append(json.loads((tmp_path / "whole" / "report.json").read_text()))
    assert scored[0]["nll"] == scored[1]["nll"]
    assert scored[0]["checkpoints"] == scored[1]["checkpoints"]
    capsys.readouterr()
    assert main(["evaluate", *parts, f"output={tmp_path}/robust", "robustness=true"]) == 2
    assert "features.encoder=/gone/whisper-base-encoder: not found" in capsys.readouterr().err


def test_a_checkpoint_finds_its_encoder_and_does_not_hold_it(
    probe_path: Path, encoder_path: Path, real_clips: list[Path]
) -> None:
    checkpoint = read_checkpoint(probe_path)
    assert not [name for name in checkpoint["state_dict"] if "front_end" in name]
    assert probe_path.stat().st_size < 1e6
    identifier = langid.load(probe_path)
    samples = torch.from_numpy(read_audio(real_clips[0], 16000))[None, :32000]
    posteriors, speech = identifier.posteriors(samples)
    assert posteriors.shape == (1, 100, 3) and speech.shape == (1, 100)
    torch.testing.assert_close(posteriors.sum(2), torch.ones(1, 100))


def test_an_encoder_that_has_gone_is_told(
    probe_path: Path, encoder_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGID_MODELS", raising=False)
    checkpoint = torch.load(probe_path, weights_only=True)
    checkpoint["langid"]["features"]["encoder"] = "/gone/whisper-base-encoder"
    moved = tmp_path / "moved.ckpt"
    torch.save(checkpoint, moved)
    with pytest.raises(LangidError, match=r"features\.encoder=/gone/.*: not found; expected"):
        langid.load(moved)
    folder = shutil.copytree(encoder_path, tmp_path / "models" / "whisper-base-encoder")
    monkeypatch.setenv("LANGID_MODELS", str(folder.parent))
    langid.load(moved)  # found by its name
    (folder / "model.safetensors").chmod(0o644)
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(LangidError, match="other weights than those that were prepared with"):
        langid.load(moved)


def test_crops_of_samples_are_heard_as_clips_of_their_own(
    real_manifest: Path, encoder_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With states made in training; the first second alone in evaluation, as prepare makes them."""
    store, run = tmp_path / "samples.h5", tmp_path / "run"
    arguments = states_keys(real_manifest, encoder_path, store)
    assert main(["prepare", *arguments, "content=samples"]) == 0
    learns = ["experiment=probe", "split.seed=1", "data.crop_s=[0.5,2]", "trainer.max_epochs=1"]
    asked = ["features=pretrained", f"features.encoder={encoder_path}", f"output={run}"]
    told = [*learns, *asked, f"store={store}", "data.batch_size=16"]
    assert main(["train", *told, "features.layer=3"]) == 2
    assert "layer: the store has 2, asked is 3" in capsys.readouterr().err
    assert main(["train", *told, "features.layer=2"]) == 0
    checkpoint = run / "checkpoints" / "best.ckpt"
    evaluated = [f"checkpoint={checkpoint}", f"store={store}", f"output={tmp_path / 'out'}"]
    assert main(["evaluate", *evaluated, "heard_s=1"]) == 0
    table = pd.read_csv(tmp_path / "out" / "predictions.tsv", sep="\t").set_index("utterance_id")
    utterances = Store(store).utterances
    row = utterances.index[utterances["utterance_id"] == table.index[0]][0]
    held = Store(store)
    start, stop = held.offsets[row], held.offsets[row + 1]
    first = int(held.read_speech(start, stop).argmax())
    samples = read_audio(utterances["path"][row], 16000)[first * 320 : (first + 50) * 320]
    identifier = langid.load(checkpoint)
    posteriors, _ = identifier.posteriors(torch.from_numpy(in_16_bits(samples))[None])
    column = f"p({identifier.classes[0]})"
    assert float(posteriors[0, 0, 0]) == pytest.approx(table.iloc[0][column], abs=2e-3)


def test_a_sweep_over_layers_finds_the_store_of_each(
    real_manifest: Path, encoder_path: Path, tmp_path: Path
) -> None:
    keys = states_keys(real_manifest, encoder_path, tmp_path / "2.h5")
    for layer in (1, 2):
        named = [f"features.layer={layer}", f"store={tmp_path}/{layer}.h5", "max_duration_s=1"]
        assert main(["prepare", *keys, *named]) == 0
    swept = ["experiment=probe", "split.seed=1", "trainer.max_epochs=1", f"output={tmp_path}/runs"]
    asked = ["features=pretrained", f"features.encoder={encoder_path}", "features.layer=1,2"]
    stores = f"store={tmp_path}/${{features.layer}}.h5"
    assert main(["train", "-m", *swept, *asked, stores]) == 0
    runs = sorted((tmp_path / "runs").glob("*/run.json"))
    held = [json.loads(run.read_text(encoding="utf-8"))["features"]["layer"] for run in runs]
    assert held == [1, 2]
