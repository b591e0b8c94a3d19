"""Read a store through, and say whether it still holds what langid prepare wrote.

Frames and manifest of every utterance are compared with their checksum. Damaged utterances are
named, each on a line of its own, and the exit code is 2. Training and evaluation compare what they
read too, and stop where it differs; this command finds it beforehand, after a copy or a bad disk.

Examples:
  langid verify store=cv.h5
"""

from omegaconf import DictConfig

from langid.commands.paths import path_of
from langid.errors import LangidError
from langid.progress import progress
from langid.terminal import print_named


def run(config: DictConfig) -> None:
    """Compare every utterance; raises LangidError where one is damaged."""
    from langid.data.checksums import damaged
    from langid.data.store import Store

    store = Store(path_of(config.store))
    if store.checksums is None:
        raise LangidError(
            f"store={store.path}: an earlier version wrote it, without checksums, so that nothing"
            " tells whether it is whole; langid prepare with another store=PATH.h5 writes them"
        )
    found = []
    with progress("reading", "frames") as bar:
        task = bar.add_task("reading", total=int(store.offsets[-1]))
        for row in range(len(store.checksums)):
            if store.is_damaged(row):
                found.append(row)
            bar.advance(task, int(store.offsets[row + 1] - store.offsets[row]))
    if found:
        for row in found:
            print(store.columns["utterance_id"][row])
        raise damaged(store, found)
    print_named(store=store.path, whole=f"{len(store.checksums):,} utterances")
