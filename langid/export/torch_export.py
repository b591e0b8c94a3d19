"""A trained identifier for programs with torch alone, as a program of ``torch.export``."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from langid.errors import LangidError
from langid.export.onnx import example, quiet
from langid.export.parity import compare, write_checked
from langid.export.streaming_module import StreamingModule, TorchModel
from langid.streaming.decision import MEAN, DecisionSettings
from langid.streaming.onnx_file import check_is_file, checked_metadata
from langid.streaming.onnx_model import EXPECTED, SCHEMA
from langid.training.identifier import LanguageIdentifier
from langid.training.weights_digest import digest

METADATA = "langid.json"  # beside the program, in the same file


def export_pt2(
    identifier: LanguageIdentifier,
    path: Path,
    clips: Sequence[np.ndarray],
    decision: DecisionSettings = MEAN,
) -> dict[str, float]:
    """Write what ``torch.export`` makes of the identifier, and return the largest differences.

    The program is a StreamingModule, with any number of streams and frames, but of no more frames
    in a call than the metadata's ``frames_at_once``, where that is not null: a longer one would go
    on over a pause in it. The metadata lie beside it as ``langid.json``. Checks and errors are
    those of ``export_onnx``.

    ``torch.export.load`` unpickles and evaluates what the file holds, as torch's documentation
    warns: it is for files of one's own. One of unknown origin should be asked for as ONNX.
    """
    module = StreamingModule(identifier)
    arguments, dynamic_shapes = example(module)
    with quiet():
        program = torch.export.export(module, arguments, dynamic_shapes=dynamic_shapes)
    program.example_inputs = None  # torch would refuse one stream and one frame for their sake
    metadata = module.metadata(decision)
    metadata["sha256"] = digest(metadata, program.state_dict)
    content = io.BytesIO()  # torch aborts the process where it meets a full disk
    with quiet():
        torch.export.save(program, content, extra_files={METADATA: json.dumps(metadata)})

    def differences(written: Path) -> dict[str, float]:
        return compare(identifier, {"torch.export": ExportedModel(written)}, clips)

    try:
        return write_checked(path, identifier, content.getbuffer, clips, differences)
    except RuntimeError as error:  # stacked LSTM layers with silence=remove in torch 2.13
        reason = str(error).partition("\n")[0]
        raise LangidError(
            f"{path}: not written, torch.export's program of this network does not run with"
            f" other lengths than it was traced with ({reason}); use format=onnx"
        ) from error


class ExportedModel(TorchModel):
    """A file of ``export_pt2`` behind the interface of OnnxModel; loading runs what it holds.

    Raises LangidError for a file that is absent or damaged, whose weights or metadata were changed,
    or that something else wrote.
    """

    def __init__(self, path: str | Path):
        path = Path(path)
        self.metadata = _metadata(path)
        try:
            with quiet():
                program = torch.export.load(path)
                self.module = program.module()
        except Exception as error:  # torch's errors share no base class
            reason = str(error).partition("\n")[0]
            raise LangidError(
                f"model={path}: torch.export.load does not accept it ({reason}); run langid export"
                " format=pt2 again, with this version of torch"
            ) from error
        if digest(self.metadata, program.state_dict) != self.metadata["sha256"]:
            raise LangidError(
                f"model={path}: its weights or metadata were changed after its export (their"
                " SHA-256 is not the one it was written with); fetch it again, or run langid export"
                " format=pt2"
            )


def _metadata(path: Path) -> dict[str, Any]:
    """Return the checked metadata of a file of ``export_pt2``; nothing in it is executed."""
    check_is_file(path)
    try:
        with zipfile.ZipFile(path) as file:
            if damaged := file.testzip():
                raise ValueError(f"{damaged} is damaged")
            own = [name for name in file.namelist() if name.endswith(f"/extra/{METADATA}")]
            text = file.read(own[0]).decode() if own else ""
    except Exception as error:  # a damaged file can raise about anything
        raise LangidError(
            f"model={path}: not a whole file of torch.export ({error}); fetch it again, or run"
            " langid export format=pt2"
        ) from error
    return checked_metadata(path, text, SCHEMA, EXPECTED)
