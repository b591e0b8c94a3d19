"""What is installed: whether langid can use it, and whether it is what langid was tested with."""

import importlib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

DISTRIBUTION = "langid-speech"
MODULES = {  # whose names are not those of their packages
    "hydra-core": "hydra",
    "scikit-learn": "sklearn",
    "pyyaml": "yaml",
    "torchaudio": "langid.signal.torchaudio_loader",
}
SHOWN = 10  # packages that one line names
PACKAGE = Path(__file__).resolve().parents[1]


def requirements() -> dict[str, list[Requirement]]:
    """Return what langid needs on this machine, under "", and what each of its extras brings.

    A clone says so itself, for it may be newer than what pip knows of it. Empty where neither a
    clone nor an installation is found.
    """
    held = _of_clone() or _of_installation()
    found = {extra: [Requirement(text) for text in texts] for extra, texts in held.items()}
    return {
        extra: [one for one in some if one.name != DISTRIBUTION and _is_needed(one, extra)]
        for extra, some in found.items()
        if extra != "dev"
    }


def _of_clone() -> dict[str, list[str]]:
    path = PACKAGE.parent / "pyproject.toml"
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"] if path.is_file() else {}
    if project.get("name") != DISTRIBUTION:
        return {}
    return {"": project["dependencies"], **project["optional-dependencies"]}


def _of_installation() -> dict[str, list[str]]:
    try:
        texts = metadata.requires(DISTRIBUTION) or []
        extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return {}
    of_extras = [text for text in texts if "extra ==" in text]
    return {"": texts} | dict.fromkeys(extras, of_extras)


def _is_needed(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def installed(name: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def problem_of(requirement: Requirement) -> str:
    """Return a sentence on what keeps langid from using a package, and what to do; or nothing."""
    name, found = requirement.name, installed(requirement.name)
    command = f"run pip install '{name}{requirement.specifier}'"
    if found is None:
        return f"{name} is not installed, and langid needs it: {command}"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{name} {found} is installed, langid needs {requirement.specifier}: {command}"
    try:
        importlib.import_module(MODULES.get(canonicalize_name(name), name.replace("-", "_")))
    except Exception as error:  # of a broken installation it can be any
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return f"{name} {found} cannot be imported ({reason}): {command} --force-reinstall"
    return ""


def pinned() -> dict[str, str]:
    """Return the versions that langid is tested with, of constraints.txt; empty where it is not."""
    places = (PACKAGE / "constraints.txt", PACKAGE.parent / "constraints.txt")
    path = next((place for place in places if place.is_file()), None)
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    pairs = [line.split("==") for line in lines if "==" in line and line[0] != "#"]
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def tested_line(pins: Mapping[str, str]) -> str:
    """Say whether what is installed of the tested set is of the tested versions."""
    found = {name: version for name in pins if (version := installed(name)) is not None}
    others = [
        f"{name} {version} (tested {pins[name]})"
        for name, version in found.items()
        if not _same(version, pins[name])
    ]
    if not pins:
        return "not known, there is no constraints.txt"
    if not others:
        return f"yes, all {len(found)} packages that are installed of it"
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    return f"no, {len(others)} of {len(found)} packages differ: {', '.join(others[:SHOWN])}{more}"


def _same(found: str, tested: str) -> bool:
    return Version(found).public == Version(tested).public  # without what was built where: +cpu


def versions_line(wanted: Iterable[Requirement]) -> str:
    """Return packages with the versions that are installed as one line."""
    names = (one.name for one in wanted)
    return ", ".join(f"{name} {installed(name) or 'not installed'}" for name in names) or "none"
