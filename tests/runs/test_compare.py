"""Tests of langid/runs/compare.py on records made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from langid.runs.compare import compare_runs, differing_choices
from langid.runs.finished import Run
from langid.training.run_record import RunRecord

from ..conftest import described

CLASSES = ["x", "y"]
FEW = "x: 2 speakers, and 1 more class below 5"


def configuration(output: str = "/a/run", **changed: Any) -> dict[str, Any]:
    return {
        "name": "gru",
        "output": output,
        "store": "s.h5",
        "resume": None,
        "seed": 0,
        "model": {"network": {"_target_": "langid.networks.recurrent.GRU", "units": 8}},
        "callbacks": {
            "best": {"dirpath": f"{output}/checkpoints"},
            "step_seed": {"seed": changed.get("seed", 0)},
        },
    } | changed


def made(
    config: dict[str, Any], predicted: str = "xxyy", ids: str = "abcd", scored: str = "utterance"
) -> Run:
    table = pd.DataFrame(
        {
            "utterance_id": list(ids),
            "speaker": list(ids),
            "class": list("xxyy"),
            "predicted": list(predicted),
        }
    )
    right = float((table["predicted"] == table["class"]).mean())
    figure = {"value": right, "low": 0.0, "high": 1.0}
    record = RunRecord(
        **described(classes=CLASSES, store=config["store"]).to_plain(), config=config,
        class_frames=[], sequences={}, class_weights=[], parameters=7, seconds=3.5,
    )  # fmt: skip
    report = {
        "accuracy": figure, "balanced_accuracy": figure, "clips": 4, "speakers": 4,
        "unknown_speakers": 0, "scored": scored,
    }  # fmt: skip
    return Run(Path(config["output"]), record, report, table)


def test_keys_that_differ() -> None:
    runs = [made(configuration(f"/{seed}", seed=seed)) for seed in (0, 1)]
    assert differing_choices(runs) == [{"seed": "0"}, {"seed": "1"}]
    assert differing_choices([runs[0], runs[0]]) == [{}, {}]


def test_keys_that_follow_from_a_class_are_left_out() -> None:
    def network(target: str, **keys: Any) -> Run:
        return made(configuration(model={"network": {"_target_": target} | keys}))

    gru, tcn = "langid.networks.recurrent.GRU", "langid.networks.tcn.TCN"
    runs = [network(gru, units=8), network(tcn, channels=4), network(gru, units=8)]
    assert differing_choices(runs) == [
        {"model.network": "GRU"}, {"model.network": "TCN"}, {"model.network": "GRU"}
    ]  # fmt: skip
    runs.append(network(gru, units=16))
    found = differing_choices(runs)
    assert [row["model.network.units"] for row in found] == ["8", "-", "8", "16"]
    assert "model.network.channels" not in found[0]


def test_the_store_is_told_by_its_content() -> None:
    runs = [made(configuration()), made(configuration(store="/elsewhere/s.h5"))]
    assert differing_choices(runs) == [{}, {}]
    runs[1].record = replace(runs[1].record, fingerprint="0" * 12)
    assert differing_choices(runs) == [{"store": "s ffffff"}, {"store": "s 000000"}]


def test_rows_are_ranked_and_differences_are_from_the_best() -> None:
    runs = [
        made(configuration("/0"), "xyyx"),
        made(configuration("/1", seed=1), "xxyy"),
        made(configuration("/2", seed=2), "xxyx", ids="abce"),
    ]
    table = compare_runs(runs, [0.1, None, 0.2])
    assert table["run"].tolist() == ["/1", "/2", "/0"]
    assert table["note"].tolist() == ["best", "other utterances", FEW]
    assert table["difference"][2] == pytest.approx(-0.5)
    assert table[["difference_low", "difference_high"]].isna().all(axis=None)
    assert pd.isna(table["difference"][1])
    assert pd.isna(table["real_time_factor"][0])


def test_the_time_of_a_resumed_run_is_not_known() -> None:
    table = compare_runs([made(configuration(resume="/a/run/last.ckpt"))], [None])
    assert pd.isna(table["seconds"][0])


def test_sequences_are_the_same_where_utterances_were_cut_alike() -> None:
    runs = [made(configuration(seed=seed), scored="sequence") for seed in (0, 1)]
    assert compare_runs(runs, [None, None])["note"].tolist() == ["best", FEW]
    runs[1].record = replace(runs[1].record, silence="remove")
    assert compare_runs(runs, [None, None])["note"].tolist() == ["best", "other utterances"]
