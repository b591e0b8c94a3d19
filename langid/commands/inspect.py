"""Look at speech before anything learns from it: what there is, and what would spoil a result.

Writes inspect.html, a page with pictures and players that needs no other file, and inspect.json.
Hours, clips, speakers, genders and ages of each class, and the class weights that follow; copies,
speakers with too many clips, damage; and the shortcut test: whether the class can be told from
codec, rate, bandwidth, loudness, noise floor and leading silence, or from the quietest 15 % of the
frames, by classifiers that have not heard the speaker. Of a store of features, clips are decoded
again. With corpus= in place of store= a corpus is looked at before it is prepared.

Examples:
  langid inspect store=cv.h5 output=look
  langid inspect corpus=folders corpus.root=recordings output=look
"""

import tempfile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.configuration import plain_of
from langid.commands.paths import listed, path_of
from langid.errors import LangidError
from langid.exclusive import exclusive_folder
from langid.terminal import print_named, print_table, with_interval
from langid.workers import worker_count


def run(config: DictConfig) -> None:
    """Inspect a store, or a corpus by one of its samples that is deleted afterwards."""
    if (config.store is None) == ("corpus" not in config):
        raise LangidError(
            "langid inspect needs a store or a corpus: add store=PATH.h5, or corpus=NAME and its"
            " keys, and not both"
        )
    output = path_of(config.output)
    with exclusive_folder(output):
        if config.store is not None:
            _inspect(config, path_of(config.store), output)
            return
        from langid.data.from_corpus import prepare_corpus

        with tempfile.TemporaryDirectory(dir=output, prefix=".corpus-") as folder:
            asked = {"store": f"{folder}/corpus.h5", "content": "samples", "add": False}
            asked |= {"backend": "loky", "cluster": None, "accelerator": "cpu"}
            store = prepare_corpus(plain_of(config) | asked)
            _inspect(config, store.path, output)


def _inspect(config: DictConfig, path: Path, output: Path) -> None:
    from langid.atomic_file import write_text
    from langid.build import build
    from langid.data.store import Store
    from langid.inspection.page import page_of
    from langid.inspection.report import inspect_store
    from langid.training.run_record import write_record

    store, task = Store(path), build(plain_of(config.task), "task")
    corpora = None if config.corpora is None else listed(config.corpora)
    report, clips = inspect_store(store, task, corpora, worker_count(config.workers))
    write_text(output / "inspect.html", page_of(report, store, clips), "output")
    write_record(output / "inspect.json", report)
    _print(report)
    print_named(page=output / "inspect.html", report=output / "inspect.json")


def _print(report: dict[str, Any]) -> None:
    from langid.inspection.findings import VERDICTS

    shortcuts = report["shortcuts"]
    if shortcuts["tests"]:
        table = Table("without speech", "balanced accuracy", "")
        for name, test in shortcuts["tests"].items():
            figure, verdict = test["balanced_accuracy"], VERDICTS[test["gives_away"]]
            table.add_row(name, with_interval(figure), verdict)
        print_table(table)
    for finding in report["findings"]:
        print(f"{finding['kind']:9} {finding['told']}")
