"""What a run's folder holds, and how the run goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

from langid.data.store import Store
from langid.differences import differing
from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint
from langid.training.init import digest_of
from langid.training.run_description import RESUMED_ALIKE, RunDescription
from langid.training.run_record import FILE, RunRecord, choices
from langid.typed import override

SHOWN_DIFFERENCES = 3


def unfinished(folder: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the configuration by which a run begins or goes on; None where it is finished.

    ``config`` is plain and resolved. Of a run that saved no epoch the folder of checkpoints is
    removed: nothing is lost. Raises LangidError where the folder holds another run or a damaged
    record, and where the store is not there.
    """
    if not (folder / FILE).is_file():
        return config | {"resume": None}
    record = RunRecord.read(folder)
    start = record.init["sha256"] if record.init else None
    held = _with_content(choices(record.config), record.fingerprint, start)
    if differs := differing(held, decisions(config), "the run"):
        raise LangidError(
            f"{folder} holds another run ({'; '.join(differs[:SHOWN_DIFFERENCES])}); choose"
            " another output=DIR"
        )
    best, last = (folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    if record.status == "finished" and best.is_file():
        return None
    if last.is_file():
        return config | {"resume": str(last)}
    shutil.rmtree(last.parent, ignore_errors=True)
    return config | {"resume": None}


def decisions(config: dict[str, Any]) -> dict[str, Any]:
    """Return what decides how a run comes out: choices, content of store and start.

    Raises LangidError where one of them is not there.
    """
    # Through JSON and back, as the record went: tuples and numbers look alike then.
    plain = json.loads(json.dumps(config))
    fingerprint = Store(Path(str(config["store"])).expanduser()).fingerprint
    return _with_content(choices(plain), fingerprint, digest_of(config["init"]))


def _with_content(chosen: dict[str, Any], store: str, start: str | None) -> dict[str, Any]:
    more = {"SHA-256 of init": start[:12]} if start else {}
    return chosen | {"fingerprint of the store": store[:12]} | more


def check_folder(folder: Path, resume: Path | None) -> None:
    """Raise LangidError where a folder holds a run other than the one that is resumed."""
    checkpoints = folder / "checkpoints"
    if checkpoints.exists() and (resume is None or resume.parent != checkpoints.resolve()):
        raise LangidError(
            f"output={folder}: a run is already there; go on with"
            f" {override('resume', checkpoints / 'last.ckpt')}, or choose another output=DIR"
        )


def check_resumable(path: Path, description: RunDescription) -> None:
    """Raise LangidError where the run that is asked for is not the one of the checkpoint."""
    held: RunDescription = read_checkpoint(path)["langid"]
    differences = differing(
        held.flat(RESUMED_ALIKE), description.flat(RESUMED_ALIKE), "the checkpoint"
    )
    if differences:
        raise LangidError(
            f"resume={path}: it comes from another run ({'; '.join(differences)}); give the same"
            " overrides and store as before"
        )
