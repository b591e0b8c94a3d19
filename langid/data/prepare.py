"""A manifest of audio files to a store, in three steps that go one way: plan, shards, merge."""

from pathlib import Path
from typing import Any

from langid.atomic_file import writing
from langid.corpora.manifest import Manifest
from langid.data.merge import merge
from langid.data.plan import make_plan
from langid.data.shard import write_shards
from langid.data.store import Store
from langid.exclusive import exclusively


def prepare(
    store: Path,
    manifest: Manifest,
    corpus: dict[str, Any],
    description: dict[str, Any],
    workers: int = 1,
    add: bool = False,
    accelerator: str = "cpu",
) -> Store:
    """Write the store that is asked for and return it; an equal one is returned as it is.

    ``corpus`` is the configuration of the reader, ``description`` that of what is stored: content,
    features, detector, min_duration_s and max_duration_s. Killed at any moment and run again, it
    goes on where it was and ends with the same bytes. Beside the store stand its manifest and
    ``skipped.tsv``, the rows left out with the reason. ``accelerator`` (see ``device_of``) makes
    features that gain by it. Raises LangidError for an existing store that differs from what is
    asked, and while another process writes it.
    """
    with exclusively("store", store):
        plan = make_plan(store, manifest, corpus, description, workers, add, accelerator)
        if plan is not None:
            with writing(store):
                merge(plan, write_shards(plan))
        return Store(store)
