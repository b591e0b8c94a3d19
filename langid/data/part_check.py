"""What the parts of a split must hold to be trained on."""

from collections.abc import Mapping, Sequence

import pandas as pd

from langid.corpora.splits import PARTS
from langid.errors import LangidError


def require_classes(
    sequences: Mapping[str, pd.DataFrame], classes: Sequence[str], parts: Sequence[str]
) -> None:
    """Raise LangidError where training lacks a class, or one of the ``parts`` dealt is empty.

    ``sequences`` are those of each part, with ``unit`` and ``target``.
    """
    clips = {part: sequences[part].groupby("target")["unit"].nunique().to_dict() for part in PARTS}
    missing = [index for index in range(len(classes)) if index not in clips["train"]]
    if missing:
        held = [
            f"{classes[index]} ({clips['validation'].get(index, 0)} in validation,"
            f" {clips['test'].get(index, 0)} in test)"
            for index in missing
        ]
        raise LangidError(
            f"the training part has no utterance of {', '.join(held)}; change the split,"
            " prepare more speech, or leave the class out (task.classes)"
        )
    empty = [part for part in parts if not len(sequences[part])]
    if empty:
        raise LangidError(f"the {empty[0]} part is empty; change the split's fractions")
