"""Tests of the map and the tree of embeddings in report.html, and of what is said without them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from langid.evaluation.embedding_map import LEAST, MAPPED, nearness, places
from langid.evaluation.embedding_page import embedding_section
from langid.evaluation.predictions import Predictions
from langid.report_plots import draw_map, draw_tree

from ..conftest import described

CLASSES = ["x<b>", "y", "z", "w"]


def made(vectors: np.ndarray | None, targets: list[int], **columns: Any) -> Predictions:
    """Return predictions with the embeddings ``vectors`` of their first utterances."""
    table = pd.DataFrame({
        "utterance_id": [f"u{number}" for number in range(len(targets))], "corpus": "cv",
        "speaker": [f"s{number // 2}" for number in range(len(targets))],
        "language": [CLASSES[one] for one in targets],
    } | columns).set_axis(np.arange(len(targets)) * 3)  # fmt: skip
    held = None if vectors is None else pd.DataFrame(vectors, table.index[: len(vectors)])
    return Predictions(table, "utterance", CLASSES, [described(classes=CLASSES)], "f",
                       embeddings=held)  # fmt: skip


def around(centres: np.ndarray, targets: list[int]) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(len(targets), centres.shape[1]))
    return (centres[targets] + 0.05 * noise).astype(np.float32)


FOUR = np.array([[1, 0, 0], [0.9, 0.3, 0], [0, 0, 1], [0, -0.2, 1]])
TARGETS = [0, 1, 2, 3] * 10


def section(predictions: Predictions) -> str:
    return embedding_section({"embeddings": nearness(predictions)}, predictions)


def test_distances_are_between_the_means_of_classes() -> None:
    found = nearness(made(np.array([[2, 0], [4, 0], [0, 3], [3, 3], [-1, 0]]), [0, 0, 1, 2, 3]))
    assert found["classes"] == CLASSES and found["width"] == 2 and found["utterances"] == 5
    half = 1 - np.sqrt(0.5)
    expected = [[0, 1, half, 2], [1, 0, half, 1], [half, half, 0, 1 + np.sqrt(0.5)]]
    np.testing.assert_allclose(found["distances"][:3], expected, atol=1e-6)
    absent = nearness(made(around(FOUR, [0, 2] * 3), [0, 2] * 3))
    assert absent["classes"] == ["x<b>", "z"]


def test_neighbours_stay_neighbours_and_the_same_comes_out_again() -> None:
    vectors = around(FOUR[[0, 2]], [0, 1] * 20)
    found, perplexity = places(vectors)
    assert found.shape == (40, 2) and np.isfinite(found).all() and perplexity == 13
    apart = np.linalg.norm(found[:, None] - found, axis=2) + np.where(np.eye(40), np.inf, 0)
    assert (apart.argmin(1) % 2 == np.arange(40) % 2).all()
    np.testing.assert_array_equal(places(vectors)[0], found)
    np.testing.assert_array_equal(places(8 * vectors)[0], found)  # directions count


def test_the_section_has_a_map_and_a_tree() -> None:
    text = section(made(around(FOUR, TARGETS), TARGETS))
    assert text.count("<svg ") == 2
    assert "40 utterances, perplexity 13. All are of corpus cv." in text
    for label in ("by class", "by speaker", "cosine distance"):
        assert f">{label}</text>" in text
    assert ">by corpus</text>" not in text
    assert '<th scope="row">y</th><td>x&lt;b&gt;</td>' in text
    assert "<b>" not in text and "checkpoints" not in text
    corpora = section(made(around(FOUR, TARGETS), TARGETS, corpus=["a", "b"] * 20))
    assert ">by corpus</text>" in corpora


def test_groups_whose_names_begin_alike_are_told_apart() -> None:
    speakers = [f"session-{number // 20:03}" for number in range(40)]
    corpora = [f"cv-corpus-{number % 2}.1-{'x' * 128}-2020" for number in range(40)]
    text = section(made(around(FOUR, TARGETS), TARGETS, speaker=speakers, corpus=corpora))
    for name in (*speakers, "cv-corpus-0.…xxxxxx-2020", "cv-corpus-1.…xxxxxx-2020"):
        assert f">{name}</text>" in text
    one = section(made(around(FOUR, TARGETS), TARGETS, speaker="a" * 64 + "b" * 64))
    assert f"All are of corpus cv and of speaker {'a' * 12}…{'b' * 11}." in one


def test_of_several_checkpoints_the_first_is_shown_and_of_many_utterances_some() -> None:
    predictions = made(around(FOUR, TARGETS), TARGETS * 2)
    folds = replace(predictions, descriptions=predictions.descriptions * 5)
    assert "They are those of the first of 5 checkpoints" in section(folds)
    assert "No more than" not in section(folds)


def test_that_some_are_drawn_of_many_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langid.evaluation.embedding_page.MAPPED", 40)
    assert "No more than 40 are drawn" in section(made(around(FOUR, TARGETS), TARGETS))
    assert MAPPED == 1000


CASES: dict[str, tuple[Callable[[], Predictions], str]] = {
    "no layer": (lambda: made(None, TARGETS), "do not come from one linear layer"),
    "few": (lambda: made(FOUR, [0, 1, 2, 3]), f"4 utterances of this part; a map needs {LEAST}"),
    "none": (lambda: made(np.zeros((0, 3)), [0, 1]), "0 utterances"),
    "not finite": (lambda: made(np.full((6, 3), np.nan), [0, 1] * 3), "is not finite"),
    "infinite": (lambda: made(np.full((6, 3), np.inf), [0, 1] * 3), "is not finite"),
    "the same": (lambda: made(np.ones((6, 3)), [0, 1] * 3), "gets the same of all utterances"),
    "zeros": (lambda: made(np.zeros((6, 3)), [0, 1] * 3), "gets the same of all utterances"),
    "narrow": (lambda: made(np.ones((6, 1)), [0, 1] * 3), "the last layer gets 1 numbers"),
    "wide": (lambda: made(np.ones((6, 10001)), [0, 1] * 3), "gets 10,001 numbers"),
    "silent class": (
        lambda: made(np.array([[1.0, 2], [0, 0]] * 3), [0, 1] * 3),
        "the mean of y is 0 and has no direction",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_where_nothing_can_be_drawn_a_sentence_says_why(name: str) -> None:
    predictions, told = CASES[name][0](), CASES[name][1]
    assert told in nearness(predictions)["reason"]
    text = section(predictions)
    assert text.startswith("<p>Not drawn: ") and "<svg" not in text and told in text


@pytest.mark.parametrize("targets", [[0] * 5, [0, 1] * 3])
def test_of_one_or_two_classes_there_is_a_map_and_no_tree(targets: list[int]) -> None:
    text = section(made(around(FOUR, targets), targets, speaker=""))
    assert text.count("<svg ") == 1
    assert "speaker unknown" in text
    assert "nan" not in text.split("<figcaption>")[1]


def test_a_map_tells_twelve_groups_apart_and_the_others_are_grey() -> None:
    counts = range(1, 15)
    labels = np.array([f"s{n:02}" for n in counts for _ in range(n)] + [""], object)
    figure = draw_map(np.zeros((len(labels), 2)), {"speaker": labels})
    [axes] = figure.axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["2 others, unknown", *(f"s{n:02}" for n in reversed(range(3, 15)))]
    looks = {
        (tuple(dots.get_facecolor()[0]), len(dots.get_paths()[0].vertices))
        for dots in axes.collections
    }
    assert len(looks) == 13
    assert [len(dots.get_offsets()) for dots in axes.collections] == [4, *reversed(range(3, 15))]


def test_a_tree_joins_the_nearest_first() -> None:
    distances = np.array(nearness(made(around(FOUR, TARGETS), TARGETS))["distances"])
    [axes] = draw_tree(distances, CLASSES).axes
    leaves = [label.get_text() for label in axes.get_yticklabels()]
    assert {frozenset(leaves[:2]), frozenset(leaves[2:])} == {
        frozenset(CLASSES[:2]), frozenset(CLASSES[2:])
    }  # fmt: skip
    ends = sorted(line.get_xdata().max() for line in axes.lines)
    first, second = sorted((distances[0, 1], distances[2, 3]))
    across = distances[np.ix_([0, 1], [2, 3])].mean()
    np.testing.assert_allclose(ends, [first, second, across])
