"""What stands beside every result: seed, versions, configuration, data."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("langid-speech", "torch", "pytorch-lightning", "numpy", "h5py", "soundfile", "soxr")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write plain data as JSON so that a reader never sees half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)
