"""Tests of langid/commands/embed.py: what it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

import langid
from langid.commands.main import main
from langid.corpora.manifest import COLUMNS
from langid.training.init import output_layer

from ..conftest import ROOT


def keys(checkpoint: Path, store: Path, output: Path) -> list[str]:
    return [f"checkpoint={checkpoint}", f"store={store}", f"output={output}", "accelerator=cpu"]


@pytest.fixture(scope="module")
def folder(
    checkpoint_path: Path, store_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the embeddings of the test part."""
    output = tmp_path_factory.mktemp("embed") / "out"
    assert main(["embed", *keys(checkpoint_path, store_path, output)]) == 0
    return output


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "embeddings.tsv", sep="\t", keep_default_na=False)


def test_the_lines_of_the_docs_put_both_into_one_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow, which would write the file, is no dependency."""
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    written: list[tuple[pd.DataFrame, str]] = []
    monkeypatch.setattr(
        pd.DataFrame, "to_parquet", lambda table, path: written.append((table, path))
    )
    (folder.parent / "embeddings").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    exec(page.partition("```python\n")[2].partition("```")[0])
    ((table, path),) = written
    assert path == "embeddings.parquet"
    assert {"path", "speaker", "language", "class", "predicted"} < {*table}
    np.testing.assert_array_equal(np.stack(table["embedding"]), np.load(folder / "embeddings.npy"))


def test_rows_are_the_utterances_of_the_test_part(
    folder: Path, report_path: Path, store_path: Path, checkpoint_path: Path
) -> None:
    vectors, table = np.load(folder / "embeddings.npy"), table_of(folder)
    said = pd.read_csv(report_path.parent / "predictions.tsv", sep="\t", keep_default_na=False)
    layer = output_layer(langid.load(checkpoint_path))
    assert layer is not None
    assert vectors.dtype == np.float32 and vectors.shape == (len(said), layer.in_features)
    held = langid.Store(store_path).utterances.set_index("utterance_id").loc[table["utterance_id"]]
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    for name in ("path", "language", "speaker", "corpus"):
        assert table[name].tolist() == held[name].tolist()
    assert table["class"].equals(table["language"])
    columns = ["utterance_id", "predicted", "p(Hindi)"]
    by_name = said.set_index("utterance_id").loc[table["utterance_id"]].reset_index()
    pd.testing.assert_frame_equal(table[columns], by_name[columns])
    assert not list(folder.glob("*.partial*"))


def test_the_projector_of_tensorboard_opens_it(folder: Path) -> None:
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    [one] = config.embeddings
    tensors = np.genfromtxt(folder / one.tensor_path, delimiter="\t", dtype=np.float32)
    np.testing.assert_allclose(tensors, np.load(folder / "embeddings.npy"), rtol=1e-6)
    lines = (folder / one.metadata_path).read_text().splitlines()
    assert len(lines) == len(tensors) + 1  # of several columns, the first line names them


def test_it_writes_the_same_again_and_of_some_corpora(
    folder: Path, checkpoint_path: Path, store_path: Path, tmp_path: Path
) -> None:
    corpus = table_of(folder)["corpus"][0]
    given = keys(checkpoint_path, store_path, tmp_path)
    assert main(["embed", *given, f"corpora=[{corpus}]"]) == 0
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("."):
            assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("part=tset", "part=tset: accepted are test, validation, train, all"),
        ("corpora=[other]", "no other in the test part"),
        ("heard_s=0", "heard_s=0: accepted are null and seconds"),
        ("checkpoint=[a,b]", "checkpoint="),
        ("store=absent.h5", "absent.h5: no such file"),
    ],
)
def test_what_cannot_be_embedded_is_named_and_leaves_nothing(
    override: str, expected: str, checkpoint_path: Path, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output = tmp_path / "out"
    assert main(["embed", *keys(checkpoint_path, store_path, output), override]) == 2
    error = capsys.readouterr().err
    assert expected in error and "Traceback" not in error
    assert not output.exists()


def test_a_network_without_one_layer_of_logits_and_sequences_are_refused(
    checkpoint_path: Path, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    given = keys(checkpoint_path, store_path, tmp_path / "out")
    monkeypatch.setattr("langid.training.embedding.output_layer", lambda _: None)
    assert main(["embed", *given]) == 2
    assert "do not come from one linear layer" in capsys.readouterr().err
    sequences = ["split=sequence", "experiment=gru", "model.network.units=8", "seed=1"]
    more = ["data.sequence_frames=100", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    run = tmp_path / "run"
    assert main(["train", *sequences, *more, f"store={store_path}", f"output={run}"]) == 0
    capsys.readouterr()
    given = keys(run / "checkpoints" / "best.ckpt", store_path, tmp_path / "out")
    assert main(["embed", *given]) == 2
    assert "part=all embeds whole utterances" in capsys.readouterr().err


def test_the_report_has_distances_of_classes(report_path: Path) -> None:
    found = json.loads(report_path.read_text())["embeddings"]
    distances = np.array(found["distances"])
    assert found["classes"] == ["English", "Hindi", "Mandarin"]
    assert distances.shape == (3, 3) and (distances == distances.T).all()
    assert (np.diag(distances) == 0).all() and distances[0, 1] > 0
