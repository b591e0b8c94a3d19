"""Every experiment of conf/experiment is prepared, trained for two steps and scored."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from langid.commands.configuration import compose, options, root
from langid.commands.main import main
from langid.corpora.common_voice import CommonVoice
from langid.corpora.manifest import COLUMNS, write_table
from langid.data.store import Store
from langid.runs.expected import SOUND, expected_of
from langid.training.checkpoint import read_checkpoint
from langid.training.run_record import RunRecord

EXPERIMENTS = sorted(options("train", "experiment"))
PUBLISHED = sorted(path.parent.name for path in root("experiments").glob("*/expected.yaml"))
# Published by nobody.
OWN = (
    "gru",
    "gru_streaming",
    "sounds",
    "best_stream",
    "never_reset",
    "best_offline",
    "probe",
    "finetune",
)
RELEASE, DELTA = "cv-corpus-6.1-2020-12-11", "cv-corpus-13.0-delta-2023-03-09"
AGES = ("teens", "twenties", "thirties", "forties", "fifties", "sixties")
ACCENTS = ("United States English", "Canadian English", "England English")
TWO_STEPS = (
    "trainer.max_epochs=1", "+trainer.limit_train_batches=2", "data.batch_size=4",
    "trainer.accelerator=cpu",
)  # fmt: skip


@pytest.fixture(scope="session")
def manifest(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a manifest of a few real clips of every class that any experiment tells apart."""
    rows = CommonVoice(str(data_root / RELEASE), ["en", "hi", "zh-CN", "fr", "de", "es"]).read()
    labelled = CommonVoice(str(data_root / DELTA), ["en"]).read()
    chosen: dict[str, dict[str, str]] = {}
    for source, column, classes, count in (
        (rows, "language", None, 5), (labelled, "age", AGES, 5), (labelled, "accent", ACCENTS, 5),
    ):  # fmt: skip
        taken: Counter[str] = Counter()
        for speakers_first in (True, False):
            seen = {(row[column], row["speaker"]) for row in chosen.values()}
            for row in source.utterances:
                wanted = classes is None or row[column] in classes
                new = (row[column], row["speaker"]) not in seen or not speakers_first
                if wanted and new and taken[row[column]] < count:
                    taken[row[column]] += row["utterance_id"] not in chosen
                    chosen[row["utterance_id"]] = row
                    seen.add((row[column], row["speaker"]))
    path = tmp_path_factory.mktemp("experiments") / "real.tsv"
    write_table(list(chosen.values()), COLUMNS, path)
    return path


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduced")


def reproduce(name: str, manifest: Path, output: Path, *overrides: str) -> int:
    short = ("features.clip_s=0.5",) if name.startswith("voice_age_tcn") else ()
    accents = ",".join(f'"{accent}"' for accent in ACCENTS)
    restricted = (f"task.classes=[{accents}]",) if name.startswith("accent") else ()
    typed = (*TWO_STEPS, *short, *restricted, *overrides)
    corpus = ("corpus=manifest", f"corpus.path={manifest}", "workers=1")
    return main(["reproduce", name, *corpus, f"output={output}", *typed])


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in OWN])
def test_an_experiment_trains_two_steps_and_is_scored(
    name: str, manifest: Path, output: Path
) -> None:
    assert reproduce(name, manifest, output) == 0
    record: dict[str, Any] = RunRecord.read(output / name).to_plain()
    assert (record["status"], record["steps"]) == ("finished", 2)
    asked = compose("train", [f"experiment={name}", "store=s.h5"])
    held = Store(record["store"]).description
    assert held["features"]["_target_"] == asked.features["_target_"]
    assert held["detector"] == OmegaConf.to_container(asked.detector)
    if name.startswith("ee599_gru200"):
        assert record["parameters"] == 180_003  # as published
    shared = record["split_summary"]["shared"]
    if name.endswith(SOUND):
        assert record["split"]["_target_"] == "langid.corpora.splits.SpeakerSplit"
        assert shared["speakers"] == 0
        assert all(record["split_summary"]["parts"].values())
    else:
        assert record["split"]["_target_"] != "langid.corpora.splits.SpeakerSplit"


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sound_twin_has_the_same_network_features_and_budget(name: str) -> None:
    plain, sound = (
        OmegaConf.to_container(compose("train", [f"experiment={twin}", "store=s.h5", "output=o"]))
        for twin in (name, f"{name}{SOUND}")
    )
    assert isinstance(plain, dict) and isinstance(sound, dict)
    differing = {key for key in plain if plain[key] != sound[key]}
    assert differing <= {"name", "split", "augment"} and "split" in differing
    assert not sound["augment"].get("in_evaluation", False)


@pytest.mark.parametrize("name", PUBLISHED)
def test_expected_yaml_is_readable_and_complete(name: str) -> None:
    path = root("experiments") / name / "expected.yaml"
    expected = expected_of(OmegaConf.to_container(OmegaConf.load(path)), path)
    assert expected.source and expected.data.name and expected.figures
    for figure in expected.figures:
        assert (figure.value is None) or figure.split


def test_every_published_system_has_its_experiment_and_its_twin() -> None:
    wanted = {
        "ee599_gru200", "ee599_lstm_masked", "ee599_gru_stacked", "ee599_gru_files",
        "deeplanguage_cnn", "voice_age_cnn", "voice_age_rnn", "voice_age_bigru", "voice_age_tcn",
        "accent_es_basic", "accent_es_advanced",
    }  # fmt: skip
    assert wanted <= set(PUBLISHED)
    assert {f"{name}{SOUND}" for name in PUBLISHED} | set(PUBLISHED) | set(OWN) == set(EXPERIMENTS)


def test_gru_streaming_trains_on_a_store_of_its_features(
    manifest: Path, store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = ["train", "experiment=gru_streaming", *TWO_STEPS, f"output={tmp_path}/run"]
    assert main([*experiment, f"store={store_path}"]) == 2  # of MFCC
    assert "features" in capsys.readouterr().err
    store = log_mel(manifest, tmp_path, "features")
    assert main([*experiment, store, "split.fractions=[0.4,0.3,0.3]"]) == 0
    record = RunRecord.read(tmp_path / "run").to_plain()
    assert (record["status"], record["steps"]) == ("finished", 2)
    assert record["data"]["carry_state"]


def test_best_offline_learns_from_clips_alone(manifest: Path, tmp_path: Path) -> None:
    keys = (*TWO_STEPS, log_mel(manifest, tmp_path, "samples"), "split.fractions=[0.4,0.3,0.3]")
    assert main(["train", "experiment=best_offline", *keys, f"output={tmp_path}/run"]) == 0
    record = RunRecord.read(tmp_path / "run").to_plain()
    assert (record["status"], record["steps"]) == ("finished", 2)
    assert not record["init"] and not record["teacher"]
    assert record["model"]["network"]["cmvn"]


def test_best_stream_learns_languages_of_sounds(
    manifest: Path,
    tmp_path: Path,
    saved_encoder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """First sounds, from an encoder and of speech without labels, then languages of them."""
    keys = (*TWO_STEPS, log_mel(manifest, tmp_path, "samples"), "split.fractions=[0.4,0.3,0.3]")
    languages = "task.classes=[English,Hindi]"
    line = ["train", "experiment=best_stream", *keys, languages, f"output={tmp_path}/run"]
    assert main(line) == 2
    assert "add teacher=CHECKPOINT (in experiment=sounds, with which" in capsys.readouterr().err
    line += [f"teacher={saved_encoder('wav2vec2')}", "split.unlabelled=[Mandarin]"]
    assert main(line) == 0
    first = RunRecord.read(tmp_path / "run" / "sounds").to_plain()
    assert (first["status"], first["steps"], first["init"]) == ("finished", 2, None)
    assert first["teacher"] and first["split"]["unlabelled"] == ["Mandarin"]
    begun = tmp_path / "run" / "sounds" / "checkpoints" / "last.ckpt"
    record = RunRecord.read(tmp_path / "run").to_plain()
    assert (record["status"], record["steps"], record["teacher"]) == ("finished", 2, None)
    assert record["init"]["checkpoint"] == str(begun) and not record["split"]["unlabelled"]
    written = begun.stat().st_mtime_ns
    for broken_off in (False, True):  # what is finished is not done again
        if broken_off:
            shutil.rmtree(tmp_path / "run" / "checkpoints")
            (tmp_path / "run" / "run.json").unlink()
        capsys.readouterr()
        assert main([*line[:1], "-m", *line[1:], "hydra.sweep.subdir=."]) == 0
        ended = "1 finished" if broken_off else "1 skipped, was finished"
        assert f"1 jobs: {ended}" in capsys.readouterr().out
    assert begun.stat().st_mtime_ns == written
    assert record["parameters"] <= 1_000_000
    network = record["model"]["network"]
    assert (network["convolutions"], network["pause_frames"]) == ([32, 48], 13)
    before, after = (
        read_checkpoint(tmp_path / run / "checkpoints" / "last.ckpt")["state_dict"]
        for run in ("run/sounds", "run")
    )
    learned = [name for name in before if name.startswith(("network.layers.", "network.conv"))]
    near = [torch.allclose(before[name], after[name], atol=0.01) for name in learned]
    assert learned and all(near)
    head = "network.head.output.weight"
    assert not torch.equal(before[head], after[head])
    assert record["init"]["head"] == "new"
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    more = (languages, f"init={best}", f"output={tmp_path}/never")
    assert main(["train", "experiment=never_reset", *keys, *more]) == 0
    record = RunRecord.read(tmp_path / "never").to_plain()
    assert (record["data"]["carry_state"], record["init"]["head"]) == (True, "keep")
    last = tmp_path / "never" / "checkpoints" / "last.ckpt"
    before, after = (read_checkpoint(path)["state_dict"][head] for path in (best, last))
    assert 0 < (after - before).abs().max() < 0.01
    assert export(tmp_path) == 0


def log_mel(manifest: Path, folder: Path, content: str) -> str:
    """Return the key of a new store of log-mel features."""
    parts = ["corpus=manifest", f"corpus.path={manifest}", "features=log_mel", "workers=1"]
    assert main(["prepare", *parts, f"content={content}", f"store={folder}/mel.h5"]) == 0
    return f"store={folder}/mel.h5"


def export(folder: Path) -> int:
    checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
    return main(["export", f"checkpoint={checkpoint}", f"output={folder}/model.onnx"])
