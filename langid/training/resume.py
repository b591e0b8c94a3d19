"""Whether a run may begin in a folder, and whether it may go on from a checkpoint."""

from pathlib import Path

from langid.differences import differing
from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint
from langid.training.run_description import RESUMED_ALIKE, RunDescription
from langid.typed import override


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
