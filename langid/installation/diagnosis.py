"""What there is to know of an installation, and what keeps langid from working."""

import platform
from pathlib import Path
from typing import NamedTuple

from langid import __version__
from langid.installation import packages
from langid.installation.machine import facts
from langid.installation.packages import versions_line


class Diagnosis(NamedTuple):
    """``text`` to paste into a bug report; ``problems`` are sentences on what is missing."""

    text: str
    problems: list[str]


def diagnose(runs: Path) -> Diagnosis:
    """Return what this machine has; ``runs`` is the folder that runs go to.

    A path below the home folder begins with ``~``, so that no name of a user is told. Nothing is
    asked of the network.
    """
    known = packages.requirements()
    needed = known.pop("", [])
    problems = [problem for one in needed if (problem := packages.problem_of(one))]
    if not needed:
        problems.append(
            f"{packages.DISTRIBUTION} is not installed, Python finds its folder alone: run pip"
            f" install {packages.DISTRIBUTION}"
        )
    formats = _formats()
    problems += [
        f"{name} cannot be decoded ({reason}): run pip install --force-reinstall soundfile"
        for name, reason in formats.items()
        if reason
    ]
    rows = [
        ("langid", f"{__version__}, Python {platform.python_version()}"),
        *facts(runs),
        ("decodes", ", ".join(name for name, reason in formats.items() if not reason) or "nothing"),
        ("tested set", packages.tested_line(packages.pinned())),
        ("packages", versions_line(needed)),
        *((f"extra {extra}", versions_line(brought)) for extra, brought in known.items()),
        *(("problem", problem) for problem in problems or ["none"]),
    ]
    text = "\n".join(f"{name:16} {_without_home(value)}" for name, value in rows)
    return Diagnosis(text, problems)


def _formats() -> dict[str, str]:
    """Return why each format cannot be decoded; nothing of any where a package is missing."""
    try:
        from langid.installation.formats import FORMATS, reason_against
    except Exception:  # which is told among the packages
        return {}
    return {name: reason_against(name) for name in FORMATS}


def _without_home(text: str) -> str:
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
