"""Tests of langid/runs/compare.py on records made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from langid.evaluation.scoring import score, score_right
from langid.runs.compare import compare_runs, differing_choices, labels_of, short_ends
from langid.runs.comparison_page import write_page
from langid.runs.comparison_text import head_and_rows, verdict
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
        made(configuration("/1", balance="weights"), "xxyy"),
        made(configuration("/2", balance="classes"), "xxyx", ids="abce"),
    ]
    table = compare_runs(runs, [0.1, None, 0.2])
    assert table["run"].tolist() == ["/1", "/2", "/0"]
    assert table["note"].tolist() == ["best", "other utterances", FEW]
    assert table["difference"][2] == pytest.approx(-0.5)
    assert table[["difference_low", "difference_high"]].isna().all(axis=None)
    assert pd.isna(table["difference"][1])
    assert pd.isna(table["real_time_factor"][0])
    assert "of those on the same clips (1 run between them on others" in verdict(table)
    assert "those on the same clips" not in verdict(compare_runs([runs[0], runs[1]], [None] * 2))


def test_systems_are_named_by_their_keys_as_short_as_these_tell_apart() -> None:
    keys = {"model.network.units": ["8", "16"], "teacher.network.units": "4", "optimizer.lr": "0.1"}
    table = pd.DataFrame({"run": ["/a/0", "/b/0"], **keys, "seeds": ["0", "0"]})
    assert labels_of(table) == [
        f"model.network.units={units}, teacher.network.units=4, lr=0.1" for units in (8, 16)
    ]
    assert labels_of(table.assign(**{"model.network.units": "8"})) == ["a/0", "b/0"]
    assert short_ends(["a", "b.a", "c"], ".") == ["a", "b.a", "c"]


def test_mcnemar_s_test_stands_beside_p_where_it_is_known(tmp_path: Path) -> None:
    runs = [
        made(configuration("/0"), "xyyx"),
        made(configuration("/1", balance="weights"), "xxyy"),
    ]
    table = compare_runs(runs, [None] * 2)
    head, (best, other) = head_and_rows(table)
    p, by_clips = other[head.index("p")].split("\nby clips ")
    assert float(p) > 0 and float(by_clips) == table["p_mcnemar"][1] == 0.5
    assert best[head.index("p")] == "-"
    write_page(table, tmp_path, "validation part")
    page = (tmp_path / "compare.html").read_text()
    assert f"{p} by clips {by_clips}</td>" in page and "McNemar&#x27;s test, which takes" in page
    assert ">balance=weights</text>" in page


def test_the_time_of_a_resumed_run_is_not_known() -> None:
    table = compare_runs([made(configuration(resume="/a/run/last.ckpt"))], [None])
    assert pd.isna(table["seconds"][0])


def test_sequences_are_the_same_where_utterances_were_cut_alike() -> None:
    runs = [made(configuration(balance=of), scored="sequence") for of in ("none", "weights")]
    assert compare_runs(runs, [None, None])["note"].tolist() == ["best", FEW]
    runs[1].record = replace(runs[1].record, silence="remove")
    assert compare_runs(runs, [None, None])["note"].tolist() == ["best", "other utterances"]


# Seeds


def seeded(seed: int, predicted: str, rate: float = 0.1) -> Run:
    optimizer = {"lr": rate}
    return made(configuration(f"/{rate}/{seed}", seed=seed, optimizer=optimizer), predicted)


def test_runs_that_differ_in_their_seed_alone_are_one_row() -> None:
    runs = [seeded(1, "xxyx"), seeded(0, "xxyy"), seeded(2, "xyxx"), seeded(0, "xxyx", rate=0.2)]
    table = compare_runs(runs, [0.1, 0.2, 0.3, 0.4])
    assert table["seeds"].tolist() == ["0", "0, 1, 2"]
    assert table["run"].tolist() == ["/0.2/0", "/0.1/0"]
    assert table["folders"].tolist() == [["/0.2/0"], ["/0.1/0", "/0.1/1", "/0.1/2"]]
    assert table["optimizer.lr"].tolist() == ["0.2", "0.1"] and "seed" not in table
    values = [1.0, 0.75, 0.25]
    pooled = table.iloc[1]
    assert pooled["balanced_accuracy"] == pytest.approx(sum(values) / 3)
    assert pooled["seed_spread"] == pytest.approx(np.std(values, ddof=1))
    assert (pooled["seed_lowest"], pooled["seed_highest"]) == (0.25, 1.0)
    assert pooled["difference"] == pytest.approx(sum(values) / 3 - 0.75)
    assert pooled["real_time_factor"] == 0.2
    assert np.isnan(pooled["p_mcnemar"]) and 0 < pooled["p"] <= 1
    assert np.isnan(table["seed_spread"][0])


def test_a_seed_that_is_there_twice_leaves_runs_apart() -> None:
    table = compare_runs([seeded(0, "xxyx"), seeded(0, "xxyy"), seeded(1, "xxxx")], [None] * 3)
    assert table["seeds"].tolist() == ["0", "0", "1"]


def test_seeds_on_other_utterances_are_left_apart() -> None:
    other = made(configuration("/0.1/1", seed=1, optimizer={"lr": 0.1}), "xxyy", ids="abce")
    assert compare_runs([seeded(0, "xxyx"), other], [None] * 2)["seeds"].tolist() == ["1", "0"]


def test_pooled_intervals_are_between_speakers_and_seeds_do_not_narrow_them() -> None:
    """Ten runs that say the same know no more than one."""
    rng, classes = np.random.default_rng(0), ["x", "y"]
    targets, right = rng.integers(0, 2, 400), rng.random(400) < 0.7
    speakers = [f"s{number // 8}" for number in range(400)]
    posteriors = np.eye(2)[np.where(right, targets, 1 - targets)] * 0.8 + 0.1
    single = score(targets, posteriors, speakers, classes)
    pooled = score_right(targets, np.mean([right] * 10, axis=0), speakers, classes)
    assert pooled["balanced_accuracy"] == pytest.approx(single["balanced_accuracy"])
    assert pooled["accuracy"] == pytest.approx(single["accuracy"])
    half = score_right(targets, np.full(400, 0.5), speakers, classes)["accuracy"]
    assert half["value"] == 0.5 and half["low"] < 0.5 < half["high"]
