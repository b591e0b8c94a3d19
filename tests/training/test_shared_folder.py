"""A shared folder is a checkpoint: the same bit by bit, plain data, refused where damaged."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

import langid
from langid.errors import LangidError
from langid.networks.pretrained import PretrainedNetwork
from langid.signal.encoder_files import pinned
from langid.training.checkpoint import build_identifier, load_identifier, write_calibrated
from langid.training.identifier import LanguageIdentifier
from langid.training.init import digest_of
from langid.training.logit_scaling import LogitScaling
from langid.training.resume import check_resumable
from langid.training.shared_folder import CONFIG, WEIGHTS, contents


def shared(identifier: LanguageIdentifier, folder: Path) -> Path:
    folder.mkdir()
    for name, content in contents(identifier).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("calibrated", [False, True])
def test_outputs_are_bit_equal_on_real_clips(
    calibrated: bool, checkpoint_path: Path, clips: list[np.ndarray], tmp_path: Path
) -> None:
    path = checkpoint_path
    if calibrated:
        path = tmp_path / "calibrated.ckpt"
        write_calibrated(checkpoint_path, path, LogitScaling(1.7, (0.1, -0.3, 0.2), "30 clips"))
    own = load_identifier(path)
    other = langid.load(shared(own, tmp_path / "given"))
    assert other.calibration == own.calibration and (own.calibration is None) != calibrated
    for clip in clips[:6]:
        samples = torch.from_numpy(clip)[None]
        for mine, theirs in zip(own.posteriors(samples), other.posteriors(samples), strict=True):
            assert torch.equal(mine, theirs)
    assert contents(other) == contents(own)  # and can be given on


def test_a_probe_is_given_without_its_encoder_and_its_folder(
    probe_path: Path,
    encoder_path: Path,
    clips: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = load_identifier(probe_path)
    folder = shared(probe, tmp_path / "given")
    assert (folder / WEIGHTS).stat().st_size < 50_000
    held = json.loads((folder / CONFIG).read_text())["description"]["features"]
    assert held == probe.described.features | {"encoder": encoder_path.name}
    assert str(encoder_path.parent) not in (folder / CONFIG).read_text()
    monkeypatch.delenv("LANGID_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LangidError, match=f"{encoder_path.name}: not found; expected a folder"):
        langid.load(folder)
    monkeypatch.setenv("LANGID_MODELS", str(encoder_path.parent))
    samples = torch.from_numpy(clips[0])[None]
    assert torch.equal(langid.load(folder).posteriors(samples)[0], probe.posteriors(samples)[0])


def test_an_encoder_that_has_learnt_is_given_whole(
    probe_path: Path, saved_encoder: Callable[..., Path], clips: list[np.ndarray], tmp_path: Path
) -> None:
    held = load_identifier(probe_path).described
    encoder = saved_encoder("wav2vec2")
    features = pinned(held.features | {"encoder": str(encoder), "sha256": None})
    given = {"_target_": "langid.networks.pretrained.PretrainedNetwork", "tuned_layers": 1}
    model = held.model | {"network": PretrainedNetwork.pinned(given, features)}
    tuned = build_identifier(replace(held, model=model, features=features)).eval()
    folder = shared(tuned, tmp_path / "given")
    encoder.rename(tmp_path / "gone")  # nothing of it is needed any more
    samples = torch.from_numpy(clips[0])[None]
    theirs = langid.load(folder).posteriors(samples)[0]
    assert torch.equal(theirs, tuned.posteriors(samples)[0])


def cut(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1])


def changed(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | values))

    return change


def hostile(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    changed(description=config["description"] | {"detector": {"_target_": "os.system"}})(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), f"is a folder without {WEIGHTS}"),
        (lambda folder: (folder / CONFIG).unlink(), f"is a folder without {CONFIG}"),
        (lambda folder: (folder / CONFIG).write_text("{"), f"its {CONFIG} is damaged"),
        (lambda folder: (folder / CONFIG).write_text("[]"), "is not of langid share (schema None"),
        (lambda folder: (folder / CONFIG).write_text('{"model_type": "whisper"}'), "schema None"),
        (cut, f"its {WEIGHTS} is changed, damaged or another's"),
        (changed(description=None), "not written by langid train"),
        (hostile, "detector._target_=os.system: refused"),
        (changed(calibration={"temperature": -1}), "expected a temperature above 0"),
        (changed(schema="langid-shared-9"), "accepted is langid-shared-1"),
    ],
)
def test_what_is_damaged_or_foreign_is_named(
    damage: Callable[[Path], None], message: str, trained: LanguageIdentifier, tmp_path: Path
) -> None:
    folder = shared(trained, tmp_path / "given")
    damage(folder)
    with pytest.raises(LangidError) as raised:
        langid.load(folder)
    assert message in str(raised.value) and f"checkpoint={folder}: " in str(raised.value)


def test_weights_that_are_none_or_of_others_are_named(
    trained: LanguageIdentifier, tmp_path: Path
) -> None:
    folder = shared(trained, tmp_path / "given")
    for content, message in (
        (b"\x80\x04pickle" * 9, "its model.safetensors is no such file"),
        (save({"x": torch.zeros(2)}), "its weights and its description do not fit"),
    ):
        (folder / WEIGHTS).write_bytes(content)
        changed(weights_file_sha256=hashlib.sha256(content).hexdigest())(folder)
        with pytest.raises(LangidError, match=message):
            langid.load(folder)


def test_a_run_starts_from_it_and_does_not_go_on_from_it(
    trained: LanguageIdentifier, tmp_path: Path
) -> None:
    folder = shared(trained, tmp_path / "given")
    first = digest_of("init", {"checkpoint": str(folder)})
    changed(calibration=LogitScaling(2.0).to_plain())(folder)
    assert first != digest_of("init", {"checkpoint": str(folder)})
    with pytest.raises(LangidError, match=rf"resume={folder}: is a folder; .* init={folder}"):
        check_resumable(folder, trained.described)
