"""The files of a pretrained encoder: where they are, that none is code, and their hash."""

import contextlib
import functools
import hashlib
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langid.errors import LangidError

WEIGHTS = "*.safetensors"
PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+(?<!\.ckpt)")  # owner/name
WANTED = ["config.json", "preprocessor_config.json", WEIGHTS, "*.safetensors.index.json"]


@dataclass(frozen=True)
class EncoderFiles:
    """A folder with an encoder, of what the user called it."""

    name: str
    folder: Path


def pinned(features: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of features with the revision and the hash of their weights, if any.

    A folder is told by its whole path, for it to be found from any other. Of an encoder on the
    Hugging Face hub the files are fetched where they are not there yet. Raises LangidError for one
    that cannot be had, or that is not the one asked for.
    """
    if "sha256" not in features:
        return features
    encoder, revision = str(features["encoder"]), features["revision"]
    if (folder := _local(encoder, features["sha256"])) is None:
        revision = _fetch(encoder, revision)
    elif revision is not None and features["sha256"] is None:
        raise LangidError(
            f"features.revision={revision}: {encoder} is a folder, {folder}, which has none; leave"
            " it out, or move the folder away to fetch the encoder from the hub"
        )
    elif Path(encoder).expanduser().is_dir():
        encoder = os.path.abspath(Path(encoder).expanduser())
    files = found_files(encoder, revision, features["sha256"])
    found = {"encoder": encoder, "revision": revision, "sha256": _sha256(files.folder)}
    return features | found


def names_encoder(name: str) -> bool:
    """Return whether a text names an encoder, by its folder or on the hub, and no checkpoint."""
    folder = _local(name, None)
    if folder is not None:
        return (folder / "preprocessor_config.json").is_file()
    return HUB_NAME.fullmatch(name) is not None and not Path(name).parent.is_dir()


def found_files(encoder: str, revision: str | None, sha256: str | None) -> EncoderFiles:
    """Return the files of an encoder, without any request to the network.

    It is a folder, one of the folder LANGID_MODELS, or what has been fetched of the hub. Raises
    LangidError where it is not there, lacks a file, has pickled weights alone, or others than those
    of the hash.
    """
    _require_extra()
    folder = _local(encoder, sha256) or _fetched(encoder, revision)
    if folder is None:
        if Path(encoder).expanduser().is_file():
            raise LangidError(
                f"features.encoder={encoder}: is a file; expected a folder with config.json,"
                " preprocessor_config.json and model.safetensors"
            )
        if revision is not None:
            raise LangidError(
                f"features.encoder={encoder}: its revision {revision} is not there; fetch exactly"
                f" that from the Hugging Face hub with hf download {encoder} --revision {revision},"
                " or put its folder into LANGID_MODELS"
            )
        advice = "a folder as transformers saves one, in LANGID_MODELS or by its path"
        raise LangidError(
            f"features.encoder={encoder}: not found; expected {advice}, or a name on the Hugging"
            " Face hub (owner/name), which langid prepare fetches"
        )
    for name in ("config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            raise LangidError(f"features.encoder={encoder}: no {name} in {folder}")
    if not list(folder.glob(WEIGHTS)):
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
        found = f"{pickled[0]} is pickled and could run code" if pickled else "none"
        raise LangidError(
            f"features.encoder={encoder}: expected weights as model.safetensors; found {found};"
            " save it anew with model.save_pretrained(FOLDER)"
        )
    if sha256 is not None and (found := _sha256(folder)) != sha256:
        raise LangidError(
            f"features.encoder={encoder}: other weights than those that were prepared with (SHA-256"
            f" {found}, expected {sha256}); put these back into {folder}"
        )
    return EncoderFiles(encoder, folder)


def _require_extra() -> None:
    if importlib.util.find_spec("transformers") is None:
        raise LangidError(
            "features=pretrained: transformers is not installed; run pip install"
            " 'langid-speech[pretrained]'"
        )


def _local(encoder: str, sha256: str | None) -> Path | None:
    """Return the folder of a path, or of a name in LANGID_MODELS.

    What is named by its owner or by a whole path is looked for there by its last name alone, but
    only where its hash is known: it could be another.
    """
    given = Path(encoder).expanduser()
    places = [given]
    models = os.environ.get("LANGID_MODELS")
    if models and (sha256 is not None or given.name == encoder):
        places.append(Path(models) / given.name)
    return next((place.resolve() for place in places if place.is_dir()), None)


def _fetched(encoder: str, revision: str | None) -> Path | None:
    """Return the folder in the hub's cache, if it is there."""
    from huggingface_hub import snapshot_download

    with contextlib.suppress(Exception):  # of many kinds: no such name, not fetched
        return Path(
            snapshot_download(
                encoder, revision=revision, allow_patterns=WANTED, local_files_only=True
            )
        )
    return None


def _fetch(encoder: str, revision: str | None) -> str:
    """Fetch an encoder from the hub and return its revision."""
    _require_extra()
    from huggingface_hub import snapshot_download

    if not HUB_NAME.fullmatch(encoder) or Path(encoder).is_file():
        found_files(encoder, revision, None)  # which says that there is no such folder
    try:
        folder = snapshot_download(encoder, revision=revision, allow_patterns=WANTED)
    except Exception as error:  # of the network, of the hub, of the disk
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LangidError(
            f"features.encoder={encoder}: no such folder, and it cannot be fetched from the"
            f" Hugging Face hub ({reason})"
        ) from error
    return Path(folder).name  # the cache calls folders by revision


def _sha256(folder: Path) -> str:
    """Return a hash of the weights; of several files, of their hashes in the order of names."""
    hashes = [
        _file_sha256(path, path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(folder.glob(WEIGHTS))
    ]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


@functools.cache  # as long as the file is the same
def _file_sha256(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
