"""langid.prepare, train and evaluate do what the commands do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

import langid
from langid.commands.configuration import compose, tree
from langid.commands.main import main
from langid.errors import LangidError

TINY: dict[str, Any] = {
    "experiment": "gru", "model.network.units": 8, "model.network.dense": 4, "data.batch_size": 8,
    "data.sequence_frames": 100, "trainer.max_epochs": 1, "trainer.accelerator": "cpu",
    "loss.class_weights": [1, 2.5, 1],
}  # fmt: skip


def overrides(store: Path, output: Path) -> list[str]:
    listed = [f"{key}={value}" for key, value in TINY.items()]
    return [*listed, f"store={store}", f"output={output}"]


def test_prepare_returns_the_store_that_the_command_makes(
    real_manifest: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"corpus": "manifest", "corpus.path": real_manifest, "workers": 1}
    store = langid.prepare(keys | {"store": tmp_path / "a b (1).h5"})
    assert isinstance(store, langid.Store)
    assert store.path == tmp_path / "a b (1).h5"
    assert store.fingerprint == langid.Store(store_path).fingerprint
    assert "clips" not in capsys.readouterr().out  # no table


def test_train_and_evaluate_say_what_the_commands_say(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_command = tmp_path / "by command"
    assert main(["train", *overrides(store_path, by_command)]) == 0
    capsys.readouterr()
    run = langid.train(TINY | {"store": store_path, "output": tmp_path / "run"})
    assert (run.folder, run.checkpoint.parent.parent) == (tmp_path / "run", tmp_path / "run")
    record = json.loads((by_command / "run.json").read_text())
    assert run.figures == record["best"]
    printed = capsys.readouterr().out
    assert "clips / speakers" in printed and "epoch   0" in printed and "best" not in printed
    best = by_command / "checkpoints" / "best.ckpt"
    arguments = [f"checkpoint={best}", f"store={store_path}", f"output={by_command}/test"]
    assert main(["evaluate", *arguments]) == 0
    report = langid.evaluate(run.checkpoint, store_path, output=tmp_path / "out")
    for name in ("report.json", "predictions.tsv"):
        own, other = (folder / name for folder in (tmp_path / "out", by_command / "test"))
        assert own.read_bytes() == other.read_bytes()
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert langid.load(run.checkpoint).classes == list(report["classes"])


def test_a_configuration_that_hydra_composed_elsewhere_is_trained(
    store_path: Path, tmp_path: Path
) -> None:
    """And the Hydra that somebody else has initialised, in a notebook say, stays as it is."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(tree("train")), version_base="1.3"):
        config = hydra.compose("train", overrides(store_path, tmp_path / "a"))
        run = langid.train(config)
        assert GlobalHydra.instance().is_initialized()
        again = hydra.compose("train", overrides(store_path, tmp_path / "b"))
    assert again.output == str(tmp_path / "b")
    record = json.loads((run.folder / "run.json").read_text())
    other = OmegaConf.create(record["config"] | {"output": str(tmp_path / "b")})
    figures = langid.train(other).figures
    assert figures == run.figures == record["best"]
    assert config == compose("train", overrides(store_path, tmp_path / "a"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (["experiment=gruu", "store=s.h5"], "experiment=gruu: no such option"),
        ({"store": "s.h5", "seeed": 1}, "Did you mean seed"),
        (["experiment=gru"], "langid train needs store"),
        ("experiment=gru", "expected a list of overrides as they are typed"),
        ([("seed", 1)], "expected a list of overrides as they are typed"),
        (["store=nowhere.h5", "output=o", "model=gru,lstm"], "model=gru,lstm"),
        (["store=nowhere.h5", "output=o"], "nowhere.h5: no such file"),
    ],
)
def test_bad_input(
    config: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LangidError, match=message):
        langid.train(config)


def test_the_package_tells_what_it_has_and_imports_it_on_demand() -> None:
    assert set(langid.__all__) <= set(dir(langid))
    for name in langid.__all__:
        assert getattr(langid, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        langid.trian  # type: ignore[attr-defined] # noqa: B018
    check = "import sys; from langid import train, prepare, Store; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_a_sweep_is_no_job() -> None:
    with pytest.raises(LangidError, match=r"model=gru,lstm: several values of a key make a sweep"):
        langid.train(["store=none.h5", "model=gru,lstm"])
