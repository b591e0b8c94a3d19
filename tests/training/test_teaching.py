"""Runs that learn from a teacher, by the commands of the README."""

import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import langid
from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.corpora.splits import SpeakerSplit
from langid.corpora.tasks import Task
from langid.data.datamodule import LanguageDataModule
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.data.teacher_outputs import TeacherShards
from langid.training import teaching
from langid.training.checkpoint import read_checkpoint
from langid.training.resume import State, state_of
from langid.training.run_record import RunRecord
from langid.training.teacher import Teacher, read_teacher

from ..conftest import SMALL, Held, Once

TAUGHT = ("experiment=gru", "loss=distillation", *SMALL, "trainer.max_epochs=1")
PAIR = ("task.classes=[Hindi,English]", "split.seed=1")
Lines = pytest.CaptureFixture[str]


@pytest.fixture
def store(samples_path: Path, tmp_path: Path) -> Path:
    """Return a store of samples in a folder of its own, where a teacher's outputs may lie."""
    (tmp_path / "own.h5").hardlink_to(samples_path)
    return tmp_path / "own.h5"


@pytest.fixture(scope="session")
def pair_path(store_path: Path, once: Once) -> Path:
    """Return the checkpoint of a small network that knows English and Hindi."""

    def learn(folder: Path) -> None:
        keys = [f"store={store_path}", f"output={folder}/run", "task.classes=[English,Hindi]"]
        assert main(["train", "experiment=gru", *keys, *SMALL, "split.seed=1"]) == 0

    return once("pair", learn) / "run" / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="session")
def encoder(saved_encoder: Callable[..., Path]) -> Path:
    return saved_encoder("wav2vec2")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the samples of every clip that a teacher hears."""
    counted: list[int] = []
    outputs = Teacher.outputs

    def counting(teacher: Teacher, samples: torch.Tensor) -> torch.Tensor:
        counted.append(len(samples))
        return outputs(teacher, samples)

    monkeypatch.setattr(Teacher, "outputs", counting)
    return counted


def train(store: Path, run: Path, teacher: Path, *more: str, keys: Sequence[str] = TAUGHT) -> int:
    return main(["train", *keys, f"store={store}", f"output={run}", f"teacher={teacher}", *more])


def shards_of(store: Path) -> list[Path]:
    return sorted(store.parent.glob(f"{store.stem}.teacher-*/*.h5"))


def test_a_student_learns_from_a_probe_and_from_its_states(
    store: Path, probe_path: Path, tmp_path: Path, capsys: Lines
) -> None:
    """The probe hears another encoder's 50 states a second, the student 100 frames of MFCC."""
    states = "loss.state_weight=0.5"
    assert train(store, tmp_path / "run", probe_path, states, "split.seed=1") == 0
    told = capsys.readouterr().out
    assert f"teacher {probe_path}: speaks per frame" in told
    assert "teacher: hears 36 clips once; what it says is kept in" in told
    assert "a second)" in told
    record = RunRecord.read(tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    held = read_checkpoint(checkpoint)
    assert record.teacher == held["langid"].teacher and record.teacher is not None
    assert record.teacher["checkpoint"] == str(probe_path) and len(record.teacher["sha256"]) == 64
    weights = held["state_dict"]
    assert weights["loss.projection.weight"].shape == (512, 12)
    assert not [name for name in weights if "teacher" in name or "encoder" in name]
    student = langid.load(checkpoint)  # without what the loss has learnt
    assert record.parameters == sum(of.numel() for of in student.parameters())
    samples = torch.from_numpy(read_audio(Store(store).columns["path"][0], 16000))[None]
    assert student.posteriors(samples)[0].shape[2] == 3
    scored = [f"checkpoint={checkpoint}", f"store={store}", f"output={tmp_path}/test"]
    assert main(["evaluate", *scored]) == 0


def test_a_student_tells_clusters_of_states(
    store: Path, probe_path: Path, tmp_path: Path, capsys: Lines
) -> None:
    """Frame by frame; what cannot be is said before the teacher is asked."""
    told = ("loss.cluster_weight=1", "loss.clusters=16", "loss.delay=3", "loss.label_weight=1")
    more = ("split.seed=1", "loss.unit=utterance", "data.crop_s=[0.5,1]", "model.stride=2")
    keys = (*more, *told, "trainer.max_epochs=8", "callbacks=every_epoch", "optimizer.lr=0.03")
    assert train(store, tmp_path / "run", probe_path, *keys) == 0
    printed = capsys.readouterr().out
    assert "frames lie in 16 clusters (" in printed
    weights = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state_dict"]
    assert weights["loss.projection.weight"].shape == (16, 12)
    losses = [float(found) for found in re.findall(r"train/loss ([\d.]+)", printed)]
    assert losses[-1] < losses[0] - 0.1
    for refused, message in (
        ("teacher.live=true", "clusters are found once, in all of the training speech"),
        ("loss.clusters=4000", "loss.clusters=4000: accepted are whole numbers from 2 to 2048"),
    ):
        assert train(store, tmp_path / "other", probe_path, *keys, refused) == 2
        assert message in capsys.readouterr().err
    once = ("model=linear_probe", "loss=distillation", "loss.cluster_weight=1", "split.seed=1")
    assert train(store, tmp_path / "other", probe_path, keys=once) == 2
    assert "and LinearProbe has one answer for a clip; take 0" in capsys.readouterr().err
    later = ("model=linear_probe", "loss=distillation", "loss.state_weight=1", "loss.delay=2")
    assert train(store, tmp_path / "other", probe_path, keys=(*later, "split.seed=1")) == 2
    assert "loss.delay=2: is of frames, and LinearProbe has one" in capsys.readouterr().err


def test_an_encoder_is_a_teacher(store: Path, encoder: Path, tmp_path: Path, capsys: Lines) -> None:
    """It is asked once for all runs; it knows no class, and whom it has heard nobody knows."""
    told = ("loss.cluster_weight=1", "loss.clusters=16", "split=kfold")
    for fold in (0, 1):
        pooled = f"model.network.pooling_frames={50 * fold}"
        more = (*told, f"split.fold={fold}", "split.unlabelled=[Mandarin]", pooled)
        assert (
            train(store, tmp_path / f"{fold}", encoder, *more, "task.classes=[English,Hindi]") == 0
        )
        printed = capsys.readouterr().out
        assert f"teacher {encoder}: an encoder" in printed
        assert ("clips once" in printed) == (fold == 0)
        record = RunRecord.read(tmp_path / f"{fold}")
        assert record.teacher is not None and record.teacher["heard"] == [""]
        assert len(record.teacher["sha256"]) == 64
    assert len({folder.parent for folder in shards_of(store)}) == 1
    for fold, width in ((0, 12), (1, 24)):  # what is pooled are frames of the recurrent layer
        held = read_checkpoint(tmp_path / f"{fold}" / "checkpoints" / "last.ckpt")["state_dict"]
        assert held["loss.projection.weight"].shape == (16, width)
    config = RunRecord.read(tmp_path / "1").config
    assert state_of(tmp_path / "1", config).state is State.FINISHED
    checkpoint = tmp_path / "1" / "checkpoints" / "best.ckpt"
    test = [f"checkpoint={checkpoint}", f"store={store}", f"output={tmp_path}/test"]
    assert main(["evaluate", *test]) == 0
    report = json.loads((tmp_path / "test" / "report.json").read_text())
    assert report["began_from"] == [str(encoder)] and not report["heard_alike"]
    assert train(store, tmp_path / "other", encoder) == 2
    assert "an encoder knows no classes, only sounds; take loss.cluster_weight=1" in (
        capsys.readouterr().err
    )
    assert train(store, tmp_path / "other", encoder, *told, "teacher.unit=utterance") == 2
    assert "teacher.unit=utterance: an encoder tells sounds" in capsys.readouterr().err
    for name in ("no/encoder", f"{tmp_path}/no_folder"):
        assert train(store, tmp_path / "other", name, *told) == 2
        assert f"teacher={name}: no such f" in capsys.readouterr().err


def test_a_student_comes_near_to_its_teacher(
    store_path: Path, checkpoint_path: Path, tmp_path: Path
) -> None:
    """With the divergence alone, on the teacher's own features, from its own weights."""
    (tmp_path / "own.h5").hardlink_to(store_path)
    alone = ("loss.label_weight=0", f"init={checkpoint_path}", "optimizer.lr=1e-5")
    keys = (*TAUGHT, "~logger")
    assert train(tmp_path / "own.h5", tmp_path / "run", checkpoint_path, *alone, keys=keys) == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    history = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)[
        "langid_validation"
    ]
    of_teacher = read_checkpoint(checkpoint_path)["langid_validation"]
    assert record["status"] == "finished"
    assert history["loss"] == pytest.approx(of_teacher["loss"], abs=0.02)


def test_the_teacher_runs_once_and_goes_on(
    store: Path, pair_path: Path, tmp_path: Path, heard: list[int], capsys: Lines
) -> None:
    """Classes in another order, speech without labels, shards cut off, of another store, none."""
    more = (*PAIR, "split.unlabelled=[Mandarin]")
    assert train(store, tmp_path / "first", pair_path, *more) == 0
    told = capsys.readouterr().out
    assert "  of 12 / 12 clips / speakers without a label, too" in told
    assert len(heard) == 36
    heard.clear()
    assert train(store, tmp_path / "again", pair_path, *more) == 0
    weights = [
        read_checkpoint(tmp_path / run / "checkpoints" / "last.ckpt")["state_dict"]
        for run in ("first", "again")
    ]
    assert not heard and all(weights[0][name].equal(of) for name, of in weights[1].items())
    first, second = shards_of(store)
    before = first.read_bytes(), second.read_bytes()
    with first.open("r+b") as file:
        file.truncate(first.stat().st_size - 100)
    assert train(store, tmp_path / "cut", pair_path, *more) == 0
    assert len(heard) == 32 and first.read_bytes() == before[0]
    second.write_bytes(first.read_bytes())  # another's
    assert train(store, tmp_path / "other", pair_path, *more) == 0
    assert len(heard) == 36 and second.read_bytes() == before[1]
    assert train(store, tmp_path / "utterance", pair_path, *more, "teacher.unit=utterance") == 0
    assert len(heard) == 72 and len(shards_of(store)) == 4


@pytest.mark.parametrize(("policy", "stride"), [("mask", 1), ("remove", 1), ("mask", 4)])
def test_a_live_teacher_says_of_whole_clips_what_is_kept_of_them(
    policy: str, stride: int, store: Path, pair_path: Path
) -> None:
    task = Task(classes=["Hindi", "English"])
    arguments = (SpeakerSplit(seed=1), policy, 10_000, 16)
    data = LanguageDataModule(store, *arguments, task=task, stride=stride)
    settings = {"checkpoint": str(pair_path), "unit": "frame", "window_s": 1.0, "live": False}
    file = read_teacher(settings, {"_target_": "langid.training.distillation.Distillation"}, data)
    assert file is not None
    live = teaching.LiveTeacher(Teacher(file, True, torch.device("cpu")), data)
    data.teacher = teaching.outputs_of(file, data, states=True)
    (batch,) = data.train_dataloader()
    kept, said = batch.teacher, live(batch).teacher
    assert kept is not None and said is not None and kept.shape == said.shape
    assert kept.shape == (*batch.speech.shape, 2 + 12)
    for row, length in enumerate(batch.lengths.tolist()):  # the last of stacked frames is filled up
        pair = said[row, : length - 1], kept[row, : length - 1].float()
        torch.testing.assert_close(*pair, atol=2e-3, rtol=2e-3)


def test_a_live_teacher_hears_every_step(
    store: Path, pair_path: Path, tmp_path: Path, heard: list[int], capsys: Lines
) -> None:
    more = (*PAIR, "teacher.live=true", "waveform=light", "data.crop_s=[0.5,1]", "model.stride=2")
    assert train(store, tmp_path / "run", pair_path, *more, "loss.state_weight=0.1") == 0
    assert len(heard) == 1 + 16  # silence at first, which tells the width of the states
    assert all(0.4 * 16000 < samples <= 1.1 * 16000 for samples in heard)
    assert not shards_of(store)
    assert langid.load(tmp_path / "run" / "checkpoints" / "best.ckpt").classes[0] == "Hindi"


def test_a_live_teacher_needs_samples(
    store_path: Path, pair_path: Path, tmp_path: Path, capsys: Lines
) -> None:
    assert train(store_path, tmp_path / "run", pair_path, *PAIR, "teacher.live=true") == 2
    assert "teacher.live=true: the teacher hears samples, and store=" in capsys.readouterr().err


def test_a_killed_teacher_keeps_what_is_whole(
    store: Path, pair_path: Path, tmp_path: Path, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, more = TeacherShards.write, (*PAIR, "split.unlabelled=[Mandarin]")

    def killed(shards: TeacherShards, path: Path, *content: object) -> None:
        write(shards, path, *content)  # type: ignore[arg-type]
        if len(heard) == 36:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TeacherShards, "write", killed)
        assert train(store, tmp_path / "run", pair_path, *more) == 130
    (whole,) = shards_of(store)
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]
    heard.clear()
    assert train(store, tmp_path / "run", pair_path, *more) == 0
    assert len(heard) == 4


def test_one_run_at_a_time_asks_a_teacher(
    tmp_path: Path, held_elsewhere: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(teaching, "LOOK_AGAIN_S", 0.05)
    waiting = threading.Thread(target=teaching._alone, args=(tmp_path, done.set))
    with held_elsewhere(tmp_path):
        waiting.start()
        assert not done.wait(0.5)
    assert done.wait(10)
    waiting.join()


def test_clips_of_a_store_of_features_are_decoded_again(
    real_manifest: Path, probe_path: Path, tmp_path: Path, capsys: Lines
) -> None:
    """From the first speech on, as they are stored; one that has gone is told."""
    corpus = ["corpus=manifest", f"corpus.path={real_manifest}", "workers=1", "max_duration_s=1"]
    stores = [tmp_path / f"{content}.h5" for content in ("features", "samples")]
    said = []
    for store in stores:
        assert main(["prepare", *corpus, f"store={store}", f"content={store.stem}"]) == 0
        held = Store(store)
        samples = StoredSamples(held, 16000)
        for row in (0, 20):
            said.append(samples(row)[:15000])
            assert len(samples(row)) <= 16000
        assert len(StoredSamples(held, 8000)(0)) == pytest.approx(len(samples(0)) / 2, 1)
    for one, other in zip(said[:2], said[2:], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    text = stores[0].read_bytes()
    name = Path(Store(stores[0]).columns["path"][0]).name.encode()
    assert text.count(name)
    stores[0].write_bytes(text.replace(name, b"x" * len(name)))
    assert train(stores[0], tmp_path / "run", probe_path, "split.seed=1") == 2
    message = capsys.readouterr().err
    assert "no such file. It hears the clips again, as store=" in message
    assert "prepare a store with content=samples" in message


def test_a_taught_run_is_the_same_run_by_its_content(
    store: Path, pair_path: Path, checkpoint_path: Path, tmp_path: Path
) -> None:
    assert train(store, tmp_path / "run", pair_path, *PAIR) == 0
    config = RunRecord.read(tmp_path / "run").config
    assert state_of(tmp_path / "run", config).state is State.FINISHED
    copy = tmp_path / "moved.ckpt"
    copy.write_bytes(pair_path.read_bytes())
    asked = config | {"teacher": config["teacher"] | {"checkpoint": str(copy)}}
    assert state_of(tmp_path / "run", asked).state is State.FINISHED
    asked = config | {"teacher": config["teacher"] | {"checkpoint": str(checkpoint_path)}}
    held = state_of(tmp_path / "run", asked)
    assert held.state is State.OTHER and held.differs[0].startswith("SHA-256 of teacher: ")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    more = ("trainer.max_epochs=2", f"resume={last}")
    assert train(store, tmp_path / "run", copy, *PAIR, *more) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["teacher=/no/such.ckpt"], "teacher=/no/such.ckpt: no such file"),
        (["teacher={store}"], "own.h5: damaged or not a checkpoint"),
        ([], "loss=distillation learns from a teacher: add teacher=CHECKPOINT"),
        (["loss=cross_entropy", "split.unlabelled=[Hindi]"], "only a teacher speaks of them; add"),
        (["loss=cross_entropy", "teacher={pair}"], "CrossEntropy does not learn from it; take"),
        (["teacher={pair}"], "knows the language English, Hindi; this run learns the language Eng"),
        (["teacher={pair}", "task.classes=[Hindi,English]", "split.unlabelled=[nowhere]"],
         "no corpus or language nowhere in the store; it holds the corpora"),
        (["teacher={pair}", *PAIR, "teacher.unit=word"], "unit=word: accepted are frame, utter"),
        (["teacher={pair}", *PAIR, "teacher.live=maybe"], "live=maybe: accepted are true and fal"),
        (["teacher={pair}", *PAIR, "teacher.window_s=0"], "window_s=0: accepted are seconds, more"),
        (["teacher={pair}", *PAIR, "loss.temperature=0"], "loss.temperature=0: accepted are"),
    ],
)  # fmt: skip
def test_bad_input(
    keys: list[str], message: str, store: Path, pair_path: Path, tmp_path: Path, capsys: Lines
) -> None:
    typed = [key.format(store=store, pair=pair_path) for key in keys]
    run = ["loss=distillation", f"store={store}", f"output={tmp_path}/run", "trainer.max_epochs=1"]
    assert main(["train", *run, *typed]) == 2
    assert message in capsys.readouterr().err
    assert not shards_of(store)


def test_a_student_without_hidden_frames_cannot_have_states(
    store: Path,
    pair_path: Path,
    tmp_path: Path,
    capsys: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a network of somebody's own may be."""
    monkeypatch.setattr(teaching, "hidden_layer", lambda _: None)
    assert train(store, tmp_path / "run", pair_path, *PAIR, "loss.state_weight=1") == 2
    assert "the network GRU has no one layer of logits" in capsys.readouterr().err
