"""The checkpoints that are scored, which must belong to the store and together."""

from collections.abc import Sequence
from pathlib import Path

import torch

from langid.data.store import Store
from langid.errors import LangidError
from langid.training.checkpoint import load_identifier
from langid.training.identifier import LanguageIdentifier
from langid.training.run_description import without_folders

UNKNOWN = "unknown"  # all of a store that has none of the classes
HEARD_ALIKE = ("task", "classes", "features", "detector", "silence", "split", "data", "stride")


def loaded(
    checkpoints: Sequence[Path], store: Store, part: str, ensemble: bool, device: torch.device
) -> list[LanguageIdentifier]:
    """Return identifiers on a device; raises LangidError for those that cannot score a part.

    That is where one does not belong to the store, they know different classes, or members of an
    ``ensemble`` differ in what they hear.
    """
    identifiers = [load_identifier(path, store=store) for path in checkpoints]
    if not identifiers:
        raise LangidError("checkpoint=[]: expected a checkpoint, or a list of them")
    alike = HEARD_ALIKE if ensemble else ("task", "classes")
    first = identifiers[0].described
    for path, identifier in zip(checkpoints, identifiers, strict=True):
        _check_store(identifier, path, store, part)
        for key in alike:
            if first.flat([key]) != identifier.described.flat([key]):
                raise LangidError(
                    f"checkpoint={path}: its {key} {getattr(identifier.described, key)} is not that"
                    f" of the first one, {getattr(first, key)}; only checkpoints with the same"
                    f" {', '.join(alike)} can be scored together"
                )
        identifier.to(device)
    return identifiers


def _check_store(identifier: LanguageIdentifier, path: Path, store: Store, part: str) -> None:
    """Raise LangidError where a store's features, classes or rows are not those of a training."""
    description = identifier.described
    for name, trained in (("features", description.features), ("detector", description.detector)):
        if without_folders(store.description[name]) != without_folders(trained):
            raise LangidError(
                f"checkpoint={path}: trained on {name} {trained}, the store"
                f" {store.path} has {store.description[name]}; prepare one with the same {name}"
            )
    if part not in ("all", UNKNOWN) and store.fingerprint != description.fingerprint:
        raise LangidError(
            f"checkpoint={path}: trained on another store (fingerprint"
            f" {description.fingerprint[:12]}, {store.path} has {store.fingerprint[:12]}), so"
            f" its {part} part cannot be told; part=all scores every utterance of a foreign store"
        )
    if part == UNKNOWN:
        return
    labels = set(description.build_task().labels(store.utterances, identifier.classes)) - {""}
    if not labels:
        raise LangidError(
            f"checkpoint={path}: knows {', '.join(identifier.classes)}; the store {store.path}"
            " holds none of them"
        )
