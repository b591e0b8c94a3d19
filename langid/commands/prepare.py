"""Decode a corpus once into a store of features, speech mask and manifest.

Killed at any moment, the same command goes on where it was. Files that cannot be used are listed
with the reason in STORE.skipped.tsv.

Examples:
  langid prepare corpus=common_voice corpus.root=cv-corpus 'corpus.locales=[en,hi,zh-CN]' store=a.h5
  langid prepare corpus=folders corpus.root=recordings store=a.h5 add=true
"""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import cpu_count
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from langid.data.workers import start_workers
from langid.errors import LangidError
from langid.exclusive import exclusively
from langid.terminal import console
from langid.typed import override

if TYPE_CHECKING:  # the heavy imports wait until the worker processes are on their way
    from langid.data.store import Store

STORED = ("content", "features", "detector", "min_duration_s")  # keys that decide what is stored


def run(config: DictConfig) -> None:
    """Prepare the store and print what is in it."""
    existed = _store(config).exists()
    _print_summary(prepare_store(config), existed and not config.add)


def prepare_store(config: DictConfig) -> "Store":
    """Prepare the store, print the notes of the corpus's reader, and return the store."""
    store = _store(config)
    workers = config.workers if config.workers is not None else cpu_count()
    if not isinstance(workers, int) or workers < 1:
        raise LangidError(f"workers={workers}: accepted are 1 and more")
    with exclusively("store", store):  # from before it is looked at
        return _prepare(config, store, workers)


def _store(config: DictConfig) -> Path:
    store = Path(os.path.abspath(Path(str(config.store)).expanduser()))
    if store.suffix not in (".h5", ".hdf5"):
        raise LangidError(f"store={config.store}: expected a name that ends in .h5")
    return store


def _prepare(config: DictConfig, store: Path, workers: int) -> "Store":
    ready = start_workers(1 if store.exists() and not config.add else workers)
    try:
        from langid.build import build

        plain: Any = OmegaConf.to_container(config, resolve=True)
        reader = build(plain["corpus"], "corpus")
        manifest = reader.read()
        for note in manifest.notes:
            print(f"note: {note}", flush=True)
    finally:  # joblib does not bear to be left alone with unfinished jobs
        list(ready)

    from langid.data.prepare import prepare

    corpus = {"_target_": plain["corpus"]["_target_"]} | _plain(reader)
    description = {name: plain[name] for name in STORED}
    return prepare(store, manifest, corpus, description, workers, config.add)


def _plain(reader: Any) -> dict[str, Any]:
    """Return what identifies a reader: its arguments, with paths made absolute."""
    plain: dict[str, Any] = {}
    for key, value in vars(reader).items():
        if isinstance(value, list):
            plain[key] = [item if isinstance(item, str) else str(item) for item in value]
        else:
            plain[key] = value if value is None else str(value)
    return plain


def _print_summary(store: "Store", unchanged: bool) -> None:
    from langid.corpora.manifest import read_table
    from langid.data.merge import beside

    columns = (store.columns[name] for name in ("language", "duration_s", "speaker"))
    rows = list(zip(*columns, strict=True))
    skipped = beside(store.path, "skipped")
    header, left_out = read_table(skipped) if skipped.exists() else ([], [])
    missing = Counter(row[header.index("language")] for row in left_out)
    table = Table("language", "clips", "hours", "speakers", "skipped")
    for language in sorted({row[0] for row in rows} | set(missing)):
        durations = [float(row[1]) for row in rows if row[0] == language]
        speakers = {row[2] for row in rows if row[0] == language}
        known = f"{len(speakers - {''}):,}" + (" + unknown" if "" in speakers else "")
        hours = sum(durations) / 3600
        table.add_row(
            language, f"{len(durations):,}", f"{hours:.2f}", known, f"{missing[language]:,}"
        )
    console().print(table)
    if unchanged:
        print("The store was already complete; nothing was done.")
    print(
        f"store     {store.path}",
        f"manifest  {beside(store.path, 'manifest')}",
        f"skipped   {skipped}",
        f"next      langid train experiment=gru {override('store', store.path)}",
        sep="\n",
        flush=True,
    )
