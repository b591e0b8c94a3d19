"""Tests of langid/training/checkpoint.py: plain data, and nothing in a file is executed."""

import importlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import langid as package
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.errors import LangidError
from langid.signal.front_end import build_front_end
from langid.signal.spectral_augment import SpecAugment
from langid.training.checkpoint import read_checkpoint


class Bomb:
    """Creates a marker file when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def changed(checkpoint_path: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a checkpoint whose description was tampered with."""

    def write(change: Callable[[dict[str, Any]], Any]) -> Path:
        checkpoint = torch.load(checkpoint_path, weights_only=True)
        change(checkpoint["langid"])
        torch.save(checkpoint, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return write


def test_torch_reads_it_as_plain_data(checkpoint_path: Path) -> None:
    description = torch.load(checkpoint_path, weights_only=True)["langid"]
    assert description["classes"] == ["English", "Hindi", "Mandarin"]
    assert description["model"]["network"]["units"] == 24
    assert description["features"]["_target_"].endswith(".MFCC")
    assert description["silence"] == "mask"
    assert description["split"]["_target_"].endswith(".SpeakerSplit")
    assert {"fingerprint", "detector", "seed", "versions"} <= set(description)


def test_load_gives_a_trained_identifier_alone(
    checkpoint_path: Path, real_clips: list[Path]
) -> None:
    identifier = package.load(checkpoint_path)
    assert not identifier.training
    trained = torch.load(checkpoint_path, weights_only=True)["state_dict"]
    assert all(torch.equal(trained[name], value) for name, value in identifier.state_dict().items())
    samples = torch.from_numpy(read_audio(str(real_clips[0]), 16000))[None]
    posteriors, speech = identifier.posteriors(samples)
    assert posteriors.shape == (*speech.shape, 3)
    torch.testing.assert_close(posteriors.sum(-1), torch.ones_like(posteriors[..., 0]))


def test_what_changes_features_is_loaded_where_evaluation_needs_it(
    changed: Callable[..., Path],
) -> None:
    masks = {"_target_": "langid.signal.spectral_augment.SpecAugment", "time_masks": 1}
    assert package.load(changed(lambda held: held.update(augment=masks))).augment is None
    masks["in_evaluation"] = True
    augment = package.load(changed(lambda held: held.update(augment=masks))).augment
    assert isinstance(augment, SpecAugment) and augment.time_masks == 1 and not augment.training


@pytest.mark.parametrize("zipped", [True, False], ids=["torch file", "bare pickle"])
def test_a_pickle_bomb_is_refused_and_does_not_go_off(
    tmp_path: Path, zipped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path, marker = tmp_path / "bomb.ckpt", tmp_path / "marker"
    content = {"state_dict": {}, "langid": Bomb(marker)}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    code = main(["evaluate", f"checkpoint={path}", f"store={path}", f"output={tmp_path / 'out'}"])
    assert code == 2
    assert main(["export", f"checkpoint={path}", f"output={tmp_path / 'm.onnx'}"]) == 2
    with pytest.raises(LangidError, match="could run code"):
        package.load(path)
    assert not marker.exists()
    assert "bomb.ckpt: refused" in capsys.readouterr().err
    torch.load(path, weights_only=False) if zipped else pickle.loads(path.read_bytes())
    assert marker.exists()  # the bomb was a real one


@pytest.mark.parametrize("size", [0, 1, 100, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused(
    checkpoint_path: Path, tmp_path: Path, size: float
) -> None:
    content = checkpoint_path.read_bytes()
    path = tmp_path / "cut.ckpt"
    path.write_bytes(content[: size if isinstance(size, int) else int(size * len(content))])
    with pytest.raises(LangidError, match=r"cut\.ckpt: damaged or not a checkpoint"):
        package.load(path)


@pytest.mark.parametrize(
    "text", ["hello world\n" * 10, "# a comment", "client_id\tpath\n", "\0" * 9]
)
def test_a_text_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "text.ckpt").write_text(text)
    with pytest.raises(LangidError, match=r"text\.ckpt: (damaged or not a checkpoint|refused)"):
        package.load(tmp_path / "text.ckpt")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"langid": {"schema": "other"}}])
def test_a_foreign_torch_file_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "foreign.ckpt")
    with pytest.raises(LangidError, match="not written by langid train"):
        package.load(tmp_path / "foreign.ckpt")


def test_a_checkpoint_of_another_front_end_is_refused(changed: Callable[..., Path]) -> None:
    message = (
        r"changed\.ckpt: schema langid-checkpoint-1, this version reads langid-checkpoint-3;"
        " run langid prepare and langid train again"
    )
    with pytest.raises(LangidError, match=message):
        package.load(changed(lambda old: old.update(schema="langid-checkpoint-1")))


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, message in ((tmp_path, "is a folder without"), (tmp_path / "none.ckpt", "no such")):
        with pytest.raises(LangidError, match=message):
            read_checkpoint(path)


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "subprocess.Popen", "torch.load", "hydra.utils.call",
               "langid.commands.main.main", "langid.training.checkpoint.build",
               "langid.training.checkpoint.Path", "langid.networks.recurrent.Absent"],
)  # fmt: skip
def test_a_target_outside_the_list_is_refused_in_a_checkpoint(
    changed: Callable[..., Path], target: str
) -> None:
    path = changed(lambda held: held["model"]["network"].update(_target_=target))
    with pytest.raises(LangidError, match=f"_target_={target}: (refused|no such class)"):
        package.load(path)


@pytest.mark.parametrize(
    ("part", "target", "of"),
    [
        ("features", "corpora.folders.Folders", "langid.signal"),
        ("detector", "corpora.manifest_file.ManifestFile", "langid.signal"),
        ("features", "signal.speech_detector.EveryFrame", "langid.signal.features.Features"),
        ("network", "training.callbacks.StepSeed", "langid.networks"),
        ("network", "signal.clip_features.Samples", "langid.networks"),
        ("model", "training.losses.Focal", "langid.training.identifier.LanguageIdentifier"),
        ("augment", "signal.clip_features.Samples", "langid.signal.spectral_augment.Augment"),
    ],
)
def test_a_class_of_another_role_is_not_called(
    changed: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    target: str,
    of: str,
) -> None:
    module, _, name = f"langid.{target}".rpartition(".")

    def called(*_: object, **__: object) -> None:
        raise AssertionError("the constructor ran")

    monkeypatch.setattr(getattr(importlib.import_module(module), name), "__init__", called)
    other = {"_target_": f"langid.{target}", "in_evaluation": True}

    def change(held: dict[str, Any]) -> None:
        if part == "network":
            held["model"]["network"] = other
        elif part == "model":
            held["model"]["_target_"] = other["_target_"]
        else:
            held[part] = other if part == "augment" else {"_target_": other["_target_"]}

    message = rf"{part}\._target_=langid\.{target}: refused, .*{of}"
    with pytest.raises(LangidError, match=message):
        package.load(changed(change))


@pytest.mark.parametrize("wrap", [lambda item: item, lambda item: [item], lambda item: (item,)])
def test_a_target_hidden_deep_in_a_checkpoint_is_not_executed(
    changed: Callable[..., Path], tmp_path: Path, wrap: Callable[[Any], Any]
) -> None:
    marker = tmp_path / "marker"
    for call in (
        {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [
            str(marker)]}]},
        f"${{oc.create:{{_target_:os.mkdir,_args_:[{marker}]}}}}",
    ):  # fmt: skip
        path = changed(lambda held, call=call: held["features"].update(n_mels=wrap(call)))
        with pytest.raises(LangidError, match="refused"):
            package.load(path)
        assert not marker.exists()


def test_a_target_outside_the_list_is_refused_in_a_store() -> None:
    with pytest.raises(LangidError, match=r"_target_=os\.getcwd: refused"):
        build_front_end({"_target_": "os.getcwd"}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            (key, value)
            for key in ("model", "features", "classes")
            for value in ("text", 3, {}, None)
        ),
        *(("augment", value) for value in ("text", 3, {"in_evaluation": True})),
    ],
)
def test_a_nonsensical_description_raises_no_other_error(
    changed: Callable[..., Path], key: str, value: Any
) -> None:
    path = changed(lambda held: held.update({key: value}))
    with pytest.raises(LangidError, match=r"changed\.ckpt"):
        package.load(path)


def test_weights_of_another_size_are_refused(changed: Callable[..., Path]) -> None:
    path = changed(lambda held: held["model"]["network"].update(units=25))
    with pytest.raises(LangidError, match="do not fit"):
        package.load(path)
