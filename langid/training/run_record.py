"""The run.json of a run: what it was made of, and what came out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langid.atomic_file import write_text
from langid.differences import flatten
from langid.errors import LangidError
from langid.training.run_description import RunDescription, without_runtime

FILE = "run.json"
# Where a run lies and what it is called, not what it is.
PLACES = ("name", "output", "resume", "store", "trusted")
FOLLOWS = ("callbacks.step_seed.",)
# Line breaks of the layout: those of text are escaped.
NUMBERS = re.compile(r"\[\n\s*((?:null|[-+.\deE]+)(?:,\n\s*(?:null|[-+.\deE]+))*)\n\s*\]")


@dataclass(frozen=True, kw_only=True)
class RunRecord(RunDescription):
    """The description of a run with its whole configuration, its counts and its result.

    ``start`` tells what was taken over from the checkpoint of ``init``. ``status`` is ``started``,
    ``finished``, ``pruned`` or ``failed``. A finished run has ``best``, the validation figures of
    best.ckpt and its ``epoch``, and the ``epochs``, ``steps`` and ``seconds`` of the training.
    """

    config: dict[str, Any]
    class_frames: list[int]
    sequences: dict[str, Any]
    class_weights: list[float]
    parameters: int
    start: dict[str, Any] = field(default_factory=dict)
    status: str = "started"
    best: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> "RunRecord":
        """Return the record in a folder; raises LangidError where it is damaged or foreign."""
        path = folder / FILE
        try:
            return cls.from_plain(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, LangidError) as error:
            raise LangidError(f"{path}: not a record of langid train ({error})") from error

    def write(self, folder: Path) -> None:
        """Write the record into the folder of its run."""
        write_record(folder / FILE, self.to_plain())


def choices(config: dict[str, Any]) -> dict[str, Any]:
    """Return what decides how a run comes out: dotted keys, no names, no places, no runtime."""
    text = json.dumps(config).replace(json.dumps(config["output"])[1:-1], "")
    flat = flatten({key: value for key, value in json.loads(text).items() if key not in PLACES})
    return without_runtime({k: value for k, value in flat.items() if not k.startswith(FOLLOWS)})


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write plain data as JSON so that a reader never sees half of it.

    A list of numbers or None, such as a row of a confusion matrix, is one line.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_text(path, NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n")
