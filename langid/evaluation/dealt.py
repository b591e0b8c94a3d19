"""What of a store was heard in training."""

from collections.abc import Sequence

import pandas as pd

from langid.data.store import Store
from langid.errors import LangidError
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import data_of


def trained_on(identifiers: Sequence[LanguageIdentifier], store: Store) -> pd.DataFrame | None:
    """Return the utterances of the store that were heard in training, where that can be told."""
    heard: set[int] = set()
    for identifier in identifiers:
        description = identifier.described
        if description.fingerprint != store.fingerprint:
            return None
        try:
            data = data_of(description, store.path)
        except LangidError:  # splits deal otherwise than they did
            return None
        found, then = data.summary(), description.split_summary
        if _clips(found["parts"]["train"]) != _clips(then["parts"]["train"]):
            return None
        heard |= set(data.parts["row"][data.parts["part"] == "train"])
    return store.utterances.iloc[sorted(heard)]


def _clips(summary: dict[str, dict[str, int]]) -> dict[str, int]:
    return {name: counts["clips"] for name, counts in summary.items()}
