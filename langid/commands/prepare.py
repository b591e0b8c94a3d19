"""Decode a corpus once into a store of features, speech mask and manifest.

Killed at any moment, the same command goes on where it was. Files that cannot be used are listed
with the reason in STORE.skipped.tsv.

Examples:
  langid prepare corpus=common_voice corpus.root=cv-corpus 'corpus.locales=[en,hi,zh-CN]' store=a.h5
  langid prepare corpus=folders corpus.root=recordings store=a.h5 add=true
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from langid.data.workers import default_workers, start_workers
from langid.errors import LangidError

if TYPE_CHECKING:  # the heavy imports wait until the worker processes are on their way
    from langid.corpora.manifest import Manifest
    from langid.data.store import FeatureStore


def run(config: DictConfig) -> int:
    """Prepare the store and print what is in it."""
    store = Path(os.path.abspath(Path(str(config.store)).expanduser()))
    if store.suffix not in (".h5", ".hdf5"):
        raise LangidError(f"store={config.store}: expected a name that ends in .h5")
    workers = config.workers if config.workers is not None else default_workers()
    if not isinstance(workers, int) or workers < 1:
        raise LangidError(f"workers={workers}: accepted are 1 and more")
    existed = store.exists()
    started = start_workers(1 if existed and not config.add else workers)

    from langid.data.prepare import Request, prepare
    from langid.training.checkpoint import build, build_front_end

    description: dict[str, Any] = {
        "features": OmegaConf.to_container(config.features, resolve=True),
        "detector": OmegaConf.to_container(config.detector, resolve=True),
    }
    front_end = build_front_end(description)
    reader = build(config.corpus)
    manifest: Manifest = reader.read()
    list(started)
    result = prepare(
        Request(
            manifest=manifest,
            corpus={"_target_": config.corpus["_target_"]} | _plain(reader),
            front_end=front_end,
            description=description,
            store=store,
            min_duration_s=config.min_duration_s,
            workers=workers,
            add=config.add,
        )
    )
    _print_summary(result, existed and not config.add)
    return 0


def _plain(reader: Any) -> dict[str, Any]:
    """Return what identifies a reader: its arguments, with paths made absolute."""
    plain: dict[str, Any] = {}
    for key, value in vars(reader).items():
        if isinstance(value, list):
            plain[key] = [item if isinstance(item, str) else str(item) for item in value]
        else:
            plain[key] = value if value is None else str(value)
    return plain


def _print_summary(store: "FeatureStore", unchanged: bool) -> None:
    import pandas as pd

    from langid.corpora.manifest import SKIPPED_COLUMNS, read_rows
    from langid.data.prepare import beside

    console = Console()
    header, rows = read_rows(beside(store.path, "skipped"))
    skipped = pd.DataFrame(rows, columns=list(SKIPPED_COLUMNS) if header else None)
    table = Table("language", "clips", "hours", "speakers", "skipped")
    languages = sorted(set(store.utterances["language"]) | set(skipped["language"]))
    for language in languages:
        of_language = store.utterances[store.utterances["language"] == language]
        speakers = set(of_language["speaker"])
        known = f"{len(speakers - {''}):,}" + (" + unknown" if "" in speakers else "")
        hours = of_language["duration_s"].astype(float).sum() / 3600
        left_out = int((skipped["language"] == language).sum())
        table.add_row(language, f"{len(of_language):,}", f"{hours:.2f}", known, f"{left_out:,}")
    console.print(table)
    if unchanged:
        console.print("The store was already complete; nothing was done.")
    console.print(f"store     {store.path}", soft_wrap=True, highlight=False)
    console.print(f"manifest  {beside(store.path, 'manifest')}", soft_wrap=True, highlight=False)
    console.print(f"skipped   {beside(store.path, 'skipped')}", soft_wrap=True, highlight=False)
    console.print(f"next      langid train experiment=gru store={store.path}", soft_wrap=True)
