"""Writes checkpoints so that a reader never sees half of one."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from langid.atomic_file import replaced


class WholeCheckpoint(TorchCheckpointIO):
    """Writes beside the old checkpoint and replaces it in one step.

    Lightning's own writer goes through the folder of temporary files and copies where that lies on
    another disk, so a process that is killed, or a full disk, could leave half a file.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write the checkpoint; raises LangidError, the old one kept, where the disk is full."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with replaced(Path(path)) as partial:
            partial.write_bytes(buffer.getbuffer())
