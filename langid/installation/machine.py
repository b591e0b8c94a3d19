"""What this machine has: processors, devices, a microphone, disk, and folders of speech."""

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from langid.errors import LangidError

FOLDERS = ("LANGID_DATA", "LANGID_MODELS")
SHOWN = 8  # names of what lies in a folder


def facts(runs: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of what is known of this machine; ``runs`` is where runs go."""
    yield "system", platform.platform()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "processors", f"{os.cpu_count()}, of which {usable} may be used"
    yield "devices", _devices()
    yield "microphone", _microphone()
    yield "free disk", f"{_free(Path())} here, {_free(runs)} for {runs}"
    for name in FOLDERS:
        yield name, _folder(os.environ.get(name))


def _devices() -> str:
    try:
        import torch
    except Exception as error:  # which is told among the packages
        return f"not known, torch cannot be imported ({type(error).__name__})"
    found = [f"cpu ({torch.get_num_threads()} threads)"]
    for number in range(torch.cuda.device_count()):
        of = torch.cuda.get_device_properties(number)
        found.append(f"cuda:{number} {of.name} ({of.total_memory / 2**30:.0f} GiB)")
    if torch.backends.mps.is_available():
        found.append("mps")
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
    return f"{', '.join(found)}; torch is built {built}"


def _microphone() -> str:
    try:
        from langid.streaming.sources import microphone_rate

        return f"at {microphone_rate()} Hz"
    except LangidError as error:
        return f"none: {error}"
    except Exception as error:  # as above
        return f"not known ({type(error).__name__})"


def _free(folder: Path) -> str:
    """Return how much may be written where a folder is, or would be made."""
    place = folder.absolute()
    there = next(one for one in (place, *place.parents) if one.is_dir())
    try:
        return f"{shutil.disk_usage(there).free / 2**30:.1f} GiB"
    except OSError as error:
        return f"not known ({error.strerror})"


def _folder(value: str | None) -> str:
    if not value:
        return "not set"
    try:
        names = sorted(path.name for path in Path(value).iterdir() if path.name[0] != ".")
    except OSError as error:
        return f"{value}: cannot be read ({error.strerror})"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{value}: {', '.join(names[:SHOWN]) or 'empty'}{more}"
