"""The part of report.html on what the network hears: a map of utterances and a tree of classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from langid import markup
from langid.evaluation.embedding_map import MAPPED, places
from langid.evaluation.predictions import Predictions
from langid.plots import figure_svg, short_names
from langid.report_plots import draw_map, draw_tree

HOW = (
    "Each dot is an utterance, by what the last layer of the network gets of it; t-SNE puts near to"
    " each other what is near there. Dots of one class that keep together are heard as alike. Where"
    " dots keep together by corpus or speaker, the network hears these as well. How far groups are"
    " from each other, how large they are, and that one has parts, need not mean anything; how well"
    " classes are told apart the figures say."
)


def embedding_section(report: Mapping[str, Any], predictions: Predictions) -> str:
    """Return the section of a report with ``embeddings``; where there are none it says why."""
    found, embeddings = report["embeddings"], predictions.embeddings
    if "reason" in found or embeddings is None:
        return markup.paragraph(f"Not drawn: {found['reason']}.")
    parts = [markup.paragraph(HOW), _map(predictions, embeddings)]
    if len(found["classes"]) > 2:
        parts.append(_tree(found))
    return "\n".join(parts)


def _map(predictions: Predictions, embeddings: pd.DataFrame) -> str:
    rows = predictions.table.loc[embeddings.index]
    labels = {
        "class": rows[predictions.column],
        "corpus": rows["corpus"],
        "speaker": rows["speaker"],
    }
    drawn, one = {}, []
    for name, values in labels.items():
        if name == "class" or values.nunique() > 1:
            drawn[name] = values.to_numpy()
        else:
            [held] = short_names(values.unique())
            one.append(f"{name} {held or 'unknown'}")
    where, perplexity = places(embeddings.to_numpy())
    label = f"Map of {len(rows)} utterances by {', '.join(drawn)}; the figures tell what it shows"
    told = [f"{len(rows)} utterances, perplexity {perplexity:.3g}."]
    if len(rows) == MAPPED:
        told.append(
            f"No more than {MAPPED} are drawn, of each class alike, as far as it has so many."
        )
    if one:
        told.append(f"All are of {' and of '.join(one)}.")
    checkpoints = len(predictions.descriptions)
    if checkpoints > 1:
        told.append(
            f"They are those of the first of {checkpoints} checkpoints: others have other axes, so"
            " that their utterances do not go on one map."
        )
    return markup.picture(figure_svg(draw_map(where, drawn), label), " ".join(told))


def _tree(found: Mapping[str, Any]) -> str:
    names, distances = found["classes"], np.array(found["distances"])
    apart = np.where(np.eye(len(names), dtype=bool), np.inf, distances)
    nearest = apart.argmin(1)
    rows = [
        [name, names[other], f"{apart[place, other]:.3f}"]
        for place, (name, other) in enumerate(zip(names, nearest, strict=True))
    ]
    label = "Tree of the classes by what the network hears; the nearest of each is in the table"
    caption = (
        "Classes that are heard as most alike are joined first, by the cosine distance between"
        " their means (average linkage). It is the network's hearing, accents, microphones and all,"
        " and no family tree of languages."
    )
    drawn = markup.picture(figure_svg(draw_tree(distances, names), label), caption)
    head = ("class", "nearest to it", "cosine distance")
    return drawn + markup.table("The class whose mean is nearest", head, rows)
