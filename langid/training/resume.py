"""What a run's folder holds, and how the run goes on."""

import json
import shutil
from dataclasses import dataclass
from enum import Enum, auto
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


class State(Enum):
    """How far the run is that a folder holds, beside the one that is asked for."""

    NEW = auto()  # none is there
    UNSAVED = auto()  # it ended before its first epoch was saved
    RESUMABLE = auto()  # it goes on from its last.ckpt
    FINISHED = auto()
    OTHER = auto()  # it is another run


@dataclass(frozen=True)
class RunState:
    """The state of a folder, and of another run what ``differs`` from the one asked for."""

    folder: Path
    state: State
    differs: tuple[str, ...] = ()


def state_of(folder: Path, config: dict[str, Any]) -> RunState:
    """Return how far a run with this plain resolved configuration is; nothing is changed.

    Raises LangidError where the record in the folder is damaged and where the store is not there.
    """
    if not (folder / FILE).is_file():
        return RunState(folder, State.NEW)
    record = RunRecord.read(folder)
    made_with = {"init": record.init, "teacher": record.teacher}
    digests = {key: of["sha256"] if of else None for key, of in made_with.items()}
    held = _with_content(choices(record.config), record.fingerprint, digests)
    if differs := differing(held, decisions(config), "the run"):
        return RunState(folder, State.OTHER, tuple(differs))
    checkpoints = folder / "checkpoints"
    if record.status == "finished" and (checkpoints / "best.ckpt").is_file():
        return RunState(folder, State.FINISHED)
    resumable = (checkpoints / "last.ckpt").is_file()
    return RunState(folder, State.RESUMABLE if resumable else State.UNSAVED)


def prepare_resume(run: RunState) -> str | None:
    """Return the checkpoint that an unfinished run goes on from; None where it starts afresh.

    Of a run that saved no epoch the empty folder of checkpoints is removed: nothing is lost. Raises
    LangidError for another run.
    """
    checkpoints = run.folder / "checkpoints"
    if run.state is State.OTHER:
        raise LangidError(
            f"{run.folder} holds another run ({'; '.join(run.differs[:SHOWN_DIFFERENCES])}); choose"
            " another output=DIR"
        )
    if run.state is State.UNSAVED:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return str(checkpoints / "last.ckpt") if run.state is State.RESUMABLE else None


def decisions(config: dict[str, Any]) -> dict[str, Any]:
    """Return what decides how a run comes out: choices, content of store and start.

    Raises LangidError where one of them is not there.
    """
    # Through JSON and back, as the record went: tuples and numbers look alike then.
    plain = json.loads(json.dumps(config))
    fingerprint = Store(Path(str(config["store"])).expanduser()).fingerprint
    digests = {key: digest_of(key, config[key]) for key in ("init", "teacher")}
    return _with_content(choices(plain), fingerprint, digests)


def _with_content(
    chosen: dict[str, Any], store: str, digests: dict[str, str | None]
) -> dict[str, Any]:
    more = {f"SHA-256 of {key}": digest[:12] for key, digest in digests.items() if digest}
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
    if path.is_dir():
        raise LangidError(
            f"resume={path}: is a folder; a run goes on from its own checkpoints/last.ckpt, and a"
            f" new one starts from what was shared by {override('init', path)}"
        )
    held: RunDescription = read_checkpoint(path)["langid"]
    differences = differing(
        held.flat(RESUMED_ALIKE), description.flat(RESUMED_ALIKE), "the checkpoint"
    )
    if differences:
        raise LangidError(
            f"resume={path}: it comes from another run ({'; '.join(differences)}); give the same"
            " overrides and store as before"
        )
