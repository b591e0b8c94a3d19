"""What is made once of a pretrained encoder: a store of its states and a probe on it."""

from pathlib import Path

import pytest

from langid.commands.main import main

from ..conftest import Once

QUICK = ("trainer.max_epochs=3",)


@pytest.fixture(scope="session")
def states_path(real_manifest: Path, encoder_path: Path, once: Once) -> Path:
    """Return a store of the second layer's states of ``real_rows``. Tests must not change it."""

    def prepare(folder: Path) -> None:
        assert main(["prepare", *keys(real_manifest, encoder_path, folder / "states.h5")]) == 0

    return once("states", prepare) / "states.h5"


def keys(manifest: Path, encoder: Path, store: Path) -> list[str]:
    corpus = ["corpus=manifest", f"corpus.path={manifest}", f"store={store}", "workers=1"]
    return [*corpus, "features=pretrained", f"features.encoder={encoder}", "features.layer=2"]


@pytest.fixture(scope="session")
def probe_path(states_path: Path, once: Once) -> Path:
    """Return the checkpoint of a linear probe on ``states_path``."""

    def train(folder: Path) -> None:
        run = [f"store={states_path}", f"output={folder}/run", "data.batch_size=8", *QUICK]
        assert main(["train", "experiment=probe", "split.seed=1", *run]) == 0

    return once("probe", train) / "run" / "checkpoints" / "best.ckpt"
