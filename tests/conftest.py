"""Real speech, and what is made of it once per test run: a store, a checkpoint, a model."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from filelock import FileLock

sys.path.append(str(Path(__file__).parent))  # forked processes find it by its name too
import forked

# One thread a process: two test processes with two threads each would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# The shapes of an export differ so much that looking each up takes longer than working it out.
os.environ.setdefault("TORCH_FAKE_TENSOR_DISPATCH_CACHE", "0")

from langid.audio.decode import read_audio  # noqa: E402
from langid.commands.main import main  # noqa: E402
from langid.corpora.common_voice import CommonVoice  # noqa: E402
from langid.corpora.manifest import COLUMNS, write_table  # noqa: E402
from langid.export.onnx import export_onnx  # noqa: E402
from langid.streaming.onnx_file import digest  # noqa: E402
from langid.training.checkpoint import build_identifier, load_identifier  # noqa: E402
from langid.training.identifier import LanguageIdentifier  # noqa: E402
from langid.training.run_description import RunDescription  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
RELEASE = "cv-corpus-6.1-2020-12-11"
ENCODER = "whisper-base-encoder"
LOCALES = ("en", "hi", "zh-CN")


def lent(variable: str, kind: str, name: str) -> Path:
    """Return a folder of what is lent to tests; without ``name`` in it they skip, but not in CI."""
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / kind))
    if not (folder / name).is_dir():
        message = f"no {name} in {folder}; set {variable} to a folder with it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder.resolve()


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of real Common Voice clips."""
    return lent("LANGID_DATA", "data", RELEASE)


@pytest.fixture(scope="session")
def encoder_path() -> Path:
    """Return the folder of Whisper's encoder."""
    return lent("LANGID_MODELS", "models", ENCODER) / ENCODER


TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
TINY_WHISPER = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2,
                "encoder_ffn_dim": 24, "decoder_layers": 1, "decoder_ffn_dim": 8,
                "decoder_attention_heads": 2, "vocab_size": 8, "pad_token_id": 0}  # fmt: skip


@pytest.fixture(scope="session")
def saved_encoder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that saves a small random encoder of an architecture, and its folder."""
    import transformers

    def save(kind: str, **config: Any) -> Path:
        folder, sizes = tmp_path_factory.mktemp(kind), TINY_WHISPER if kind == "whisper" else TINY
        if kind == "wav2vec2-bert":
            sizes = sizes | {"feature_projection_input_dim": 160}
        torch.manual_seed(0)
        held = transformers.AutoConfig.for_model(kind, **sizes | config)
        transformers.AutoModel.from_config(held).save_pretrained(folder)
        extractor = transformers.Wav2Vec2FeatureExtractor
        if kind == "wav2vec2-bert":
            extractor = transformers.SeamlessM4TFeatureExtractor
        if kind == "whisper":
            extractor = transformers.WhisperFeatureExtractor
        extractor().save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def real_rows(data_root: Path) -> list[dict[str, str]]:
    """Return manifest rows of 12 real clips of each of three languages, from many speakers."""
    rows = CommonVoice(str(data_root / RELEASE), LOCALES).read().utterances
    chosen = []
    for language in ("English", "Hindi", "Mandarin"):
        by_speaker: dict[str, dict[str, str]] = {}
        for row in rows:
            if row["language"] == language:
                by_speaker.setdefault(row["speaker"], row)
        chosen += list(by_speaker.values())[:12]
    return chosen


@pytest.fixture(scope="session")
def real_clips(real_rows: list[dict[str, str]]) -> list[Path]:
    """Return the paths of the clips of ``real_rows``."""
    return [Path(row["path"]) for row in real_rows]


@pytest.fixture(scope="session")
def real_manifest(
    real_rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a manifest file of ``real_rows``."""
    path = tmp_path_factory.mktemp("manifest") / "real.tsv"
    write_table(real_rows, COLUMNS, path)
    return path


Make = Callable[[Path], object]
Once = Callable[[str, Make], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return a function that gives a folder, filled by the first test process that asks for it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # which all processes of the run share

    def filled(name: str, make: Make) -> Path:
        folder, done = root / f"once-{name}", root / f"once-{name}.done"
        with FileLock(root / f"once-{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failure has left
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def store_path(real_manifest: Path, once: Once) -> Path:
    """Return a store of ``real_rows``, made by ``langid prepare``. Tests must not change it."""

    def prepare(folder: Path) -> None:
        parts = ["corpus=manifest", f"corpus.path={real_manifest}", f"store={folder}/real.h5"]
        assert main(["prepare", *parts, "workers=1"]) == 0

    return once("store", prepare) / "real.h5"


@pytest.fixture(scope="session")
def samples_path(real_manifest: Path, once: Once) -> Path:
    """Return a store like ``store_path`` with content=samples. Tests must not change it."""

    def prepare(folder: Path) -> None:
        parts = ["corpus=manifest", f"corpus.path={real_manifest}", f"store={folder}/samples.h5"]
        assert main(["prepare", *parts, "content=samples", "workers=1"]) == 0

    return once("samples", prepare) / "samples.h5"


@pytest.fixture
def official(
    real_manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Path]:
    """Return a function that prepares clips with parts of their own; Hindi has those given."""

    def prepare(*parts: str, **cells: str) -> Path:
        header, *lines = real_manifest.read_text().splitlines()
        columns = header.split("\t")
        rows = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines[::4]]
        for number, row in enumerate(rows):
            chosen = parts if row["language"] == "Hindi" else ("train", "validation", "test")
            row.update(cells, split=chosen[number % len(chosen)])
        text = "\n".join([header, *("\t".join(row.values()) for row in rows)])
        (tmp_path / "clips.tsv").write_text(text + "\n")
        store = tmp_path / "clips.h5"
        arguments = ["corpus=manifest", f"corpus.path={tmp_path}/clips.tsv", f"store={store}"]
        assert main(["prepare", *arguments, "workers=1"]) == 0
        capsys.readouterr()  # what prepare printed
        return store

    return prepare


SMALL = (
    "model.network.units=24",
    "model.network.dense=12",
    "data.sequence_frames=200",
    "data.batch_size=16",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
)


@pytest.fixture(scope="session")
def run_path(store_path: Path, once: Once) -> Path:
    """Return the folder of a small training run on ``store_path``. Tests must not change it."""

    def train(folder: Path) -> None:
        parts = ["experiment=gru", f"store={store_path}", f"output={folder}/gru", *SMALL]
        assert main(["train", *parts]) == 0

    return once("run", train) / "gru"


@pytest.fixture(scope="session")
def checkpoint_path(run_path: Path) -> Path:
    """Return the best checkpoint of ``run_path``."""
    return run_path / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="session")
def report_path(checkpoint_path: Path, store_path: Path, once: Once) -> Path:
    """Return the report.json of ``checkpoint_path``. Tests must not change it."""

    def evaluate(folder: Path) -> None:
        parts = [f"checkpoint={checkpoint_path}", f"store={store_path}", f"output={folder}"]
        assert main(["evaluate", *parts, "accelerator=cpu"]) == 0

    return once("report", evaluate) / "report.json"


@pytest.fixture(scope="session")
def model_path(checkpoint_path: Path, once: Once) -> Path:
    """Return the ONNX file exported from ``checkpoint_path``. Tests must not change it."""

    def export(folder: Path) -> None:
        parts = [f"checkpoint={checkpoint_path}", f"output={folder}/model.onnx"]
        assert main(["export", *parts]) == 0

    return once("model", export) / "model.onnx"


@pytest.fixture(scope="session")
def strided_path(real_clips: list[Path], once: Once) -> Path:
    """Return the file of a network with stride, running normalisation and pooling, untrained."""
    from .export.test_export_networks import untrained

    def export(folder: Path) -> None:
        clip = read_audio(real_clips[0], 16000)
        identifier = untrained("recurrent.GRU cmvn and pooling", "remove", clip, stride=4)
        export_onnx(identifier, folder / "model.onnx", [clip[16000:32000]])

    return once("strided", export) / "model.onnx"


@pytest.fixture(scope="session", params=["model_path", "strided_path"])
def stream_path(request: pytest.FixtureRequest) -> Path:
    """Return the exported file of a network that streams, of each kind."""
    path: Path = request.getfixturevalue(request.param)
    return path


QUICK = ("trainer.max_epochs=3",)  # of a probe


@pytest.fixture(scope="session")
def states_path(real_manifest: Path, encoder_path: Path, once: Once) -> Path:
    """Return a store of the second layer's states of ``real_rows``. Tests must not change it."""

    def prepare(folder: Path) -> None:
        assert (
            main(["prepare", *states_keys(real_manifest, encoder_path, folder / "states.h5")]) == 0
        )

    return once("states", prepare) / "states.h5"


def states_keys(manifest: Path, encoder: Path, store: Path) -> list[str]:
    corpus = ["corpus=manifest", f"corpus.path={manifest}", f"store={store}", "workers=1"]
    return [*corpus, "features=pretrained", f"features.encoder={encoder}", "features.layer=2"]


@pytest.fixture(scope="session")
def probe_path(states_path: Path, once: Once) -> Path:
    """Return the checkpoint of a linear probe on ``states_path``."""

    def train(folder: Path) -> None:
        run = [f"store={states_path}", f"output={folder}/run", "data.batch_size=8", *QUICK]
        assert main(["train", "experiment=probe", "split.seed=1", *run]) == 0

    return once("probe", train) / "run" / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="session")
def window_path(probe_path: Path, once: Once) -> Path:
    """Return the ONNX file of ``probe_path``, with its encoder, which hears windows."""

    def export(folder: Path) -> None:
        parts = [f"checkpoint={probe_path}", f"output={folder}/model.onnx"]
        assert main(["export", *parts, "mode=offline", "window_s=1.5"]) == 0

    return once("window", export) / "model.onnx"


Command = Callable[..., subprocess.CompletedProcess[str]]


Held = Callable[[Path], contextlib.AbstractContextManager[None]]


@pytest.fixture(scope="session")
def held_elsewhere() -> Held:
    """Return a context manager in which another process writes a file or folder."""
    hold = (
        "import sys; from pathlib import Path; from langid.exclusive import exclusively\n"
        "with exclusively('output', Path(sys.argv[1])): print('held', flush=True); input()"
    )

    @contextlib.contextmanager
    def hold_while(path: Path) -> Iterator[None]:
        command = [sys.executable, "-c", hold, str(path)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, **pipes) as holder:  # type: ignore[call-overload]
            assert holder.stdout.readline() == "held\n"
            yield
            holder.communicate("\n")

    return hold_while


@pytest.fixture(scope="session")
def langid() -> Command:
    """Return a function that does ``python -m langid`` in a process of its own."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return forked.run(["-m", "langid", *arguments], **options)

    return run


@dataclass
class Exported:
    """An identifier, its file, and the differences that the export found."""

    identifier: LanguageIdentifier
    path: Path
    differences: dict[str, float]


@pytest.fixture(scope="session")
def clips(real_clips: list[Path]) -> list[np.ndarray]:
    """Return the samples of 20 real clips of three languages, float32 at 16 kHz."""
    return [read_audio(path, 16000) for path in real_clips[::9] + real_clips[1::2]][:20]


@pytest.fixture(scope="session")
def trained(checkpoint_path: Path) -> LanguageIdentifier:
    """Return the identifier of ``checkpoint_path``. Tests must not change it."""
    return load_identifier(checkpoint_path)


def variant(trained: LanguageIdentifier, **changes: Any) -> LanguageIdentifier:
    """Return a copy with parts of its description changed and with more confident posteriors."""
    identifier = build_identifier(replace(trained.described, **changes))
    identifier.load_state_dict(trained.state_dict(), strict=False)
    with torch.no_grad():  # two epochs give nearly equal posteriors, on which little can differ
        identifier.network.output.weight.mul_(10)  # type: ignore[union-attr, operator]
    return identifier.eval()


def described(**changes: Any) -> RunDescription:
    """Return the description of a run that is told by nothing but the changes."""
    groups = ("task", "left_out", "model", "split", "split_summary", "balance", "augment", "loss",
              "optimizer", "features", "detector")  # fmt: skip
    plain = {name: {} for name in groups} | {
        "versions": {}, "seed": 0, "classes": ["x", "y"], "silence": "mask", "scheduler": None,
        "init": None,
        "select": "val/loss", "data": {"sequence_frames": 100}, "fingerprint": "f" * 12,
        "store": "s.h5",
    }  # fmt: skip
    return RunDescription(**plain | changes)


def sealed(model: onnx.ModelProto, path: Path, **changes: Any) -> Path:
    """Write a changed file of langid with other metadata and the SHA-256 that belongs to it."""
    metadata = json.loads(model.metadata_props[0].value) | changes
    metadata["sha256"] = digest(model.SerializeToString(), metadata)
    model.metadata_props[0].value = json.dumps(metadata)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="session", params=["mask", "remove"])
def exported(
    request: pytest.FixtureRequest,
    trained: LanguageIdentifier,
    clips: list[np.ndarray],
    once: Once,
) -> Exported:
    """Return an identifier exported with the silence policy of the parameter."""
    identifier = variant(trained, silence=request.param)

    def export(folder: Path) -> None:
        (folder / "model").mkdir()
        seconds = [clip[16000:32000] for clip in clips[:2]]
        differences = export_onnx(identifier, folder / "model" / "model.onnx", seconds)
        (folder / "differences.json").write_text(json.dumps(differences))

    folder = once(f"exported-{request.param}", export)
    differences = json.loads((folder / "differences.json").read_text())
    return Exported(identifier, folder / "model" / "model.onnx", differences)
