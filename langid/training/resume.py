"""Whether a run may begin in a folder, and whether it may go on from a checkpoint."""

from pathlib import Path
from typing import Any

from langid.data.prepare import differing, flatten
from langid.errors import LangidError
from langid.training.checkpoint import read_checkpoint
from langid.training.run_record import without_runtime
from langid.typed import override

# What must be the same when a run goes on from a checkpoint; the number of epochs, say, need not.
RESUMED_ALIKE = (
    "fingerprint", "seed", "task", "classes", "features", "detector", "model", "silence", "split",
    "data", "balance", "augment", "loss", "optimizer", "scheduler",
)  # fmt: skip


def check_folder(folder: Path, resume: Path | None) -> None:
    """Raise LangidError where a folder holds a run other than the one that is resumed."""
    checkpoints = folder / "checkpoints"
    if checkpoints.exists() and (resume is None or resume.parent != checkpoints.resolve()):
        raise LangidError(
            f"output={folder}: a run is already there; go on with"
            f" {override('resume', checkpoints / 'last.ckpt')}, or choose another output=DIR"
        )


def check_resumable(path: Path, description: dict[str, Any]) -> None:
    """Raise LangidError where the run that is asked for is not the one of the checkpoint."""
    held, asked = (
        without_runtime(flatten({key: of.get(key) for key in RESUMED_ALIKE}))
        for of in (read_checkpoint(path)["langid"], description)
    )
    differences = differing(held, asked, "the checkpoint")
    if differences:
        raise LangidError(
            f"resume={path}: it comes from another run ({'; '.join(differences)}); give the same"
            " overrides and store as before"
        )
