"""Decode a corpus once into a store of features, speech mask and manifest.

Killed at any moment, the same command goes on where it was. Files that cannot be used are listed
with the reason in STORE.skipped.tsv.

Examples:
  langid prepare corpus=common_voice corpus.root=cv-corpus 'corpus.locales=[en,hi,zh-CN]' store=a.h5
  langid prepare corpus=folders corpus.root=recordings store=a.h5 add=true
"""

from collections import Counter
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.configuration import plain_of
from langid.data.from_corpus import place_of, prepare_corpus
from langid.terminal import console, print_named
from langid.typed import command_line

if TYPE_CHECKING:  # the heavy imports wait until the worker processes are on their way
    from langid.data.store import Store


def run(config: DictConfig) -> None:
    """Prepare the store and print what is in it."""
    plain = plain_of(config)
    existed = place_of(plain).exists()
    store = prepare_corpus(plain)
    print_summary(store, existed and not plain["add"])
    experiment = "probe" if "encoder" in plain["features"] else "gru"
    print_named(
        next=command_line(
            "train", experiment=experiment, store=store.path, trusted=plain["trusted"]
        )
    )


def print_summary(store: "Store", unchanged: bool) -> None:
    """Print what a store holds, by language, and where it lies."""
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
    if store.upsampled:
        rate = store.description["sample_rate"]
        print(
            f"note: {store.upsampled:,} of {len(rows):,} clips have a lower sample rate than the"
            f" {rate:,} Hz that features are made at; the upper part of their band is empty"
        )
    if unchanged:
        print("The store was already complete; nothing was done.")
    print_named(store=store.path, manifest=beside(store.path, "manifest"), skipped=skipped)
