"""Tests of langid/commands/reproduce.py on real clips; all experiments run in test_experiments."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from langid.commands import reproduce
from langid.commands.configuration import root
from langid.commands.main import main
from langid.commands.reproduce import with_experiments

NAME = "ee599_gru_stacked"
TWO_STEPS = (
    "trainer.max_epochs=1", "+trainer.limit_train_batches=2", "data.batch_size=4",
    "data.sequence_frames=100", "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture
def experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of experiments that holds one, whose expected.yaml a test may change."""
    folder = tmp_path / "experiments"
    path = folder / NAME / "expected.yaml"
    path.parent.mkdir(parents=True)
    path.write_text((root("experiments") / NAME / "expected.yaml").read_text())
    monkeypatch.setattr(reproduce, "root", lambda _: folder)
    return path


def publish(path: Path, value: float, **data: Any) -> None:
    content = OmegaConf.load(path)
    content.figures = [
        {"value": value, "tolerance": 0.02, "metric": "accuracy", "part": "validation"}
    ]
    content.data = {"name": "the clips of this test", **data}
    OmegaConf.save(content, path)


def again(manifest: Path, output: Path, *typed: str) -> int:
    corpus = ("corpus=manifest", f"corpus.path={manifest}", "workers=1", f"output={output}")
    return main(["reproduce", NAME, *corpus, *TWO_STEPS, *typed])


def outcome(output: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((output / NAME / "outcome.json").read_text())
    return content


def test_the_verdict_and_the_exit_code_follow_data_and_figure(
    experiments: Path, real_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpora, clips = ["cv-corpus-6.1-2020-12-11"], 36
    publish(experiments, 0.5)
    assert again(real_manifest, tmp_path / "out") == 0
    assert "data differ, not comparable" in capsys.readouterr().out
    (row,) = outcome(tmp_path / "out")["rows"]
    assert row["here"]["low"] <= row["here"]["value"] <= row["here"]["high"]
    assert row["clips"] > 0 and row["speakers"] > 0
    checkpoint = tmp_path / "out" / NAME / "checkpoints" / "best.ckpt"
    before = checkpoint.stat().st_mtime_ns

    publish(experiments, row["here"]["value"] + 0.01, corpora=corpora, clips=clips)
    assert again(real_manifest, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "within tolerance" in said and "already complete" in said

    publish(experiments, row["here"]["value"] + 0.3, corpora=corpora, clips=clips)
    assert again(real_manifest, tmp_path / "out") == 1
    assert "outside" in capsys.readouterr().out
    # The store was not prepared and the network not trained again.
    assert len(list((tmp_path / "out" / "stores").glob("*.h5"))) == 1
    assert checkpoint.stat().st_mtime_ns == before

    publish(experiments, row["here"]["value"] + 0.3, corpora=corpora, clips=clips + 1)
    assert again(real_manifest, tmp_path / "out") == 0


def test_all_runs_every_experiment_and_writes_one_table(
    experiments: Path, data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = OmegaConf.load(experiments)
    content.stand_in.releases = ["cv-corpus-6.1-2020-12-11"]
    OmegaConf.save(content, experiments)
    table = tmp_path / "page" / "README.md"
    places = (f"output={tmp_path / 'out'}", f"table={table}", "workers=1")
    short = ("trainer.max_epochs=1", "+trainer.limit_train_batches=2", "trainer.accelerator=cpu")
    code = main(["reproduce", "--all", f"corpus.root={data_root}", *places, *short])
    assert code == 0
    page = table.read_text()
    (line,) = [line for line in page.splitlines() if line.startswith(f"| [`{NAME}`]")]
    published, plain, sound, gap, chance, data, verdict, budget = line.split(" | ")[1:]
    assert published.startswith("0.890 frame accuracy, validation")
    assert "the parts held out share" in plain and sound.endswith("held out share 0")
    accuracy = [json.loads((tmp_path / "out" / name / "outcome.json").read_text())["rows"][0]
                ["here"]["value"] for name in (NAME, f"{NAME}_sound")]  # fmt: skip
    assert float(gap) == pytest.approx(accuracy[0] - accuracy[1], abs=1e-3)
    assert (chance, verdict) == ("0.333", "data differ, not comparable")
    assert data == "300 clips, 3 classes of cv-corpus-6.1-2020-12-11"
    assert "2 steps" in budget and "trainer.max_epochs=1" in page


def test_a_failed_experiment_does_not_stop_the_others(
    real_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The clips have no Spanish: the first experiment cannot be run, the second one can."""
    corpus = ("corpus=manifest", f"corpus.path={real_manifest}", "workers=1")
    code = main(
        ["reproduce", "deeplanguage_mfcc", NAME, *corpus, f"output={tmp_path}", *TWO_STEPS[:3]]
    )
    captured = capsys.readouterr()
    assert code == 2
    assert "deeplanguage_mfcc failed" in captured.err and "Spanish" in captured.err
    assert "failed" in captured.out and "data differ" in captured.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["ee599_gru20"], "Did you mean ee599_gru200"),
        ([NAME, "model.network.unit=3"], "model.network.unit=3"),
        ([NAME, "model=gro"], "Did you mean gru"),
        ([], "NAME, or --all"),
        (["--everything"], "--all"),
    ],
)
def test_bad_input_is_named_before_anything_runs(
    typed: list[str],
    said: str,
    real_manifest: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = ("corpus=manifest", f"corpus.path={real_manifest}", f"output={tmp_path / 'out'}")
    assert main(["reproduce", *typed, *corpus]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_broken_expected_yaml_is_named(
    experiments: Path, real_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiments.write_text("source: nobody\nfigures: [{metric: luck, part: test}]\n")
    assert again(real_manifest, tmp_path / "out") == 2
    assert str(experiments) in capsys.readouterr().err


def test_another_network_has_its_own_figure(real_manifest: Path, tmp_path: Path) -> None:
    path = root("experiments") / "accent_es_basic" / "expected.yaml"
    expected = reproduce.expected_of(OmegaConf.to_container(OmegaConf.load(path)), path)
    assert expected.figures_of([])[0].value == 0.8898
    lstm = ["trainer.max_epochs=3", "model.network.cell=lstm"]
    assert [figure.value for figure in expected.figures_of(lstm)] == [0.8711]


def test_names_and_overrides_of_train_are_told_from_its_own_keys() -> None:
    typed = ["a", "b", "corpus.root=x", "model.network.units=3", 'task.classes=["x, y"]']
    assert with_experiments(typed) == [
        "corpus.root=x",
        'experiments=["a","b"]',
        'overrides=["model.network.units=3","task.classes=[\\"x, y\\"]"]',
    ]  # fmt: skip
