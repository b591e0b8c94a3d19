"""A store from a corpus: its reader is built and read while the processes of ``prepare`` start."""

import contextlib
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langid.data.backends import processes_asked, sharing_by
from langid.errors import LangidError
from langid.exclusive import exclusively
from langid.workers import ended_from_outside, settle, start_workers

if TYPE_CHECKING:  # the heavy imports wait until the worker processes are on their way
    from langid.data.store import Store

# Keys that decide what is stored.
STORED = ("content", "features", "detector", "min_duration_s", "max_duration_s")


def prepare_corpus(config: dict[str, Any]) -> "Store":
    """Prepare the store that a configuration asks for, and print the notes of the corpus's reader.

    ``config`` is plain and resolved, with the keys of conf/prepare.yaml. A store that is there
    already, and the same, is returned as it is. Raises LangidError for what cannot be prepared.
    """
    store = place_of(config)
    workers = processes_asked(config["backend"], config["workers"], config["cluster"])
    remedy = "the same line goes on where it was; where memory is short, take fewer"
    with exclusively("store", store), ended_from_outside(remedy):  # from before it is looked at
        return _prepare(config, store, workers)


def place_of(config: dict[str, Any]) -> Path:
    """Return the path of the store; raises LangidError for a name that is not one of a store."""
    store = Path(os.path.abspath(Path(str(config["store"])).expanduser()))
    if store.suffix not in (".h5", ".hdf5"):
        raise LangidError(f"store={config['store']}: expected a name that ends in .h5")
    return store


def get_ready() -> None:
    """Import in a process of ``prepare`` what its work needs."""
    import langid.data.shard
    import langid.signal.front_end
    import langid.signal.speech_detector  # noqa: F401

    settle()
    gc.freeze()  # joblib collects garbage every second: let it not look through all of torch


def _prepare(config: dict[str, Any], store: Path, workers: int) -> "Store":
    backend = config["backend"]
    if store.exists() and not config["add"]:  # it is what is asked, or refused: no work
        sharing: contextlib.AbstractContextManager[int] = contextlib.nullcontext(1)
        ready = start_workers(1, get_ready)
    else:
        sharing = sharing_by(backend, workers, config["cluster"])
        ready = start_workers(workers if backend == "loky" else 1, get_ready)
    try:
        from langid.build import build
        from langid.signal.encoder_files import pinned

        features = pinned(config["features"])
        reader = build(config["corpus"], "corpus")
        manifest = reader.read()
        for note in manifest.notes:
            print(f"note: {note}", flush=True)
    finally:  # joblib does not bear to be left alone with unfinished jobs
        list(ready)

    from langid.data.prepare import prepare

    corpus = {"_target_": config["corpus"]["_target_"]} | _plain(reader)
    description = {name: config[name] for name in STORED} | {"features": features}
    options = config["add"], config["accelerator"]
    with sharing as workers:
        return prepare(store, manifest, corpus, description, workers, *options)


def _plain(reader: Any) -> dict[str, Any]:
    """Return what identifies a reader: its arguments, with paths made absolute."""
    plain = dict(vars(reader))
    for key, value in plain.items():
        if value is not None:
            plain[key] = list(map(str, value)) if isinstance(value, list) else str(value)
    return plain
