"""Clips that hold the same sound."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from langid.inspection.clips import Clips
from langid.inspection.fingerprints import near_pairs


def duplicates(clips: Clips) -> list[dict[str, Any]]:
    """Return pairs of clips that hold the same sound, those of two classes first.

    ``bits`` are the share of the fingerprints' bits that differ; a pair is ``exact`` where no
    sample does. ``across`` says what else of the two is not the same: class, speaker, part.
    """
    pairs = [_pair(clips.table, *of) for of in _all_pairs(clips)]
    return sorted(pairs, key=lambda pair: ("class" not in pair["across"], pair["bits"]))


def _all_pairs(clips: Clips) -> Iterator[tuple[int, int, float, bool]]:
    """Yield two rows, the share of bits, and whether the samples are the same."""
    exact = set()
    rows = pd.Series(range(len(clips.table)))
    for _, same in rows.groupby(clips.table["sha256"].to_numpy()):
        for other in same[1:]:  # beside the first, which stands for all
            exact.add((int(same.iloc[0]), int(other)))
    yield from ((*pair, 0.0, True) for pair in sorted(exact))
    copies = {other for _, other in exact}
    for one, other, bits in near_pairs(clips.prints):
        if not {one, other} & copies:
            yield one, other, bits, False


def _pair(table: pd.DataFrame, one: int, other: int, bits: float, exact: bool) -> dict[str, Any]:
    rows = [table.iloc[one], table.iloc[other]]
    names = {"class": "class", "speaker": "speaker", "part": "split"}
    return {
        "clips": [row["utterance_id"] for row in rows],
        "classes": [row["class"] for row in rows],
        "exact": exact,
        "bits": round(bits, 3),
        "across": [name for name, column in names.items() if rows[0][column] != rows[1][column]],
    }
