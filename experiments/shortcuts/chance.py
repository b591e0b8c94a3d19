"""How often the shortcut test finds what is not there: classes dealt to speakers at random.

python experiments/shortcuts/chance.py STORE.h5 ROUNDS
"""

import sys
from pathlib import Path

import numpy as np

from langid.corpora.splits import speaker_groups
from langid.data.store import Store
from langid.inspection.clips import measure_clips
from langid.inspection.shortcuts import shortcut_test


def main(path: Path, rounds: int) -> None:
    """Print of each test the mean balanced accuracy, and how often it is above chance."""
    store = Store(path)
    clips = measure_clips(store, range(len(store.utterances)), workers=1)
    groups = speaker_groups(clips.table)
    dealt = clips.table.groupby(groups)["language"].first()
    found: dict[str, list[tuple[float, bool, bool]]] = {}
    for seed in range(rounds):
        random = np.random.default_rng(seed).permutation(dealt.to_numpy())
        classes = groups.map(dict(zip(dealt.index, random, strict=True)))
        table = clips.table.assign(**{"class": classes})
        report = shortcut_test(table, clips.quiet, sorted(set(classes)))
        for name, test in report["tests"].items():
            figure = test["balanced_accuracy"]
            above = figure["low"] is not None and figure["low"] > report["chance"]
            found.setdefault(name, []).append((figure["value"], above, test["gives_away"]))
    for name, each in found.items():
        value, above, gives_away = np.array(each).sum(0)
        print(
            f"{name}: balanced accuracy {value / rounds:.3f}, interval above chance {above:.0f},"
            f" gives away {gives_away:.0f} of {rounds}"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
