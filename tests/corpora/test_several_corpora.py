"""Several corpora in one store: train on some, test on another."""

import json
from pathlib import Path

import numpy as np
import soundfile

from langid.audio.decode import read_audio
from langid.commands.main import main
from langid.data.store import Store

SMALL = ("model.network.units=8", "data.sequence_frames=200", "data.batch_size=16",
         "trainer.max_epochs=1", "trainer.accelerator=cpu")  # fmt: skip


def test_corpora_of_every_kind_train_and_another_is_tested(
    fleurs: Path, voxlingua: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    for place, code in enumerate(("en", "hi", "zh")):
        clips = real_clips[12 * place + 8 : 12 * place + 11]
        course = np.concatenate([read_audio(clip, 16000) for clip in clips])
        soundfile.write(tmp_path / f"{code}.flac", course, 16000)
    rows = [f"{code}.flac,{code},{at},{at + 2}" for code in ("en", "hi", "zh") for at in (0, 3, 6)]
    (tmp_path / "courses.csv").write_text("\n".join(["path,lang,start_s,end_s", *rows]))
    store = tmp_path / "all.h5"
    for corpus in (
        ["fleurs", f"corpus.root={fleurs}"],
        ["voxlingua107", f"corpus.root={voxlingua}"],
        ["manifest", f"corpus.path={tmp_path}/courses.csv", "corpus.label=lang"],
    ):
        name, *keys = corpus
        given = [f"corpus={name}", *keys, f"store={store}", "add=true", "workers=1"]
        assert main(["prepare", *given]) == 0
    table = Store(store).utterances
    assert table["corpus"].value_counts().to_dict() == {
        "fleurs": 18, "voxlingua107": 15, "courses": 9,
    }  # fmt: skip
    assert set(table["language"]) == {"English", "Hindi", "Mandarin"}
    keys = ["experiment=gru", f"store={store}", "split=by_corpus", "split.test=[fleurs]", *SMALL]
    run = tmp_path / "run"
    validating = "split.validation_fraction=0.3"
    assert main(["train", *keys, validating, f"output={run}"]) == 0
    summary = json.loads((run / "run.json").read_text())["split_summary"]
    assert {name: part["clips"] for name, part in summary["parts"]["test"].items()} == {
        "English": 6, "Hindi": 6, "Mandarin": 6,
    }  # fmt: skip
    assert summary["shared"]["recordings"] == 0
    official = [key for key in keys if not key.startswith("split")] + ["split=official"]
    assert main(["train", *official, f"output={tmp_path}/official"]) == 0
    parts = json.loads((tmp_path / "official" / "run.json").read_text())["split_summary"]["parts"]
    counts = [sum(each["clips"] for each in part.values()) for part in parts.values()]
    assert counts == [6 + 12, 6 + 3, 6]
