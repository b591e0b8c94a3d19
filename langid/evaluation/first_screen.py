"""The first screen of report.html: one sentence, and what was tested, split and typed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from langid import markup
from langid.evaluation.report import heard_elsewhere, too_good, what_is_shared, who_speaks
from langid.plots import SHOWN
from langid.training.run_description import without_folders


def first_screen(report: Mapping[str, Any], command: str) -> str:
    """Return the verdict, what makes it too good, and what was tested how, by which command."""
    clips = {
        name: f"{who_speaks(of)}, {of['minutes']:.1f} minutes"
        for name, of in report["classes"].items()
        if of["clips"]
    }
    held = "; ".join(f"{name}: {told}" for name, told in list(clips.items())[:SHOWN])
    more = f"; and {len(clips) - SHOWN} more classes" if len(clips) > SHOWN else ""
    splits = report["split"] if isinstance(report["split"], list) else [report["split"]]
    tested = f"{who_speaks(report)}, {report['minutes']:.1f} minutes{_alone(report)}"
    told = {
        "tested": f"{tested}; {held}{more}",
        "training": what_is_shared(report),
        "split": _split(splits),
        "calibration": "; ".join(dict.fromkeys(map(_calibration, report["calibrations"]))),
        "corpora": ", ".join(f"{name} ({count})" for name, count in report["corpora"].items()),
        "fingerprint": f"`{report['fingerprint']}`",
        "command": f"`{command}`",
    }
    if report["began_from"]:
        told["began from"] = f"`{', '.join(map(_place, report['began_from']))}`"
    if report["absent"]:
        told["absent"] = f"no clip of {', '.join(report['absent'])}; no mean takes them in"
    warnings = [markup.paragraph(said, "warning") for said in too_good(report)]
    verdict = markup.paragraph(summary(report), "verdict")
    return "".join([verdict, *warnings, markup.facts(told)])


def _place(path: str) -> str:
    """Return the path of a checkpoint as anyone may know it: no folders above those of its run."""
    whole = Path(path)
    if whole.is_absolute() and whole.parent.name == "checkpoints":
        return str(Path(*whole.parts[-3:]))
    return str(without_folders(path))


def summary(report: Mapping[str, Any]) -> str:
    """Return one sentence: how good, by how much of a clip, how sure, on whom."""
    figure, present = report["balanced_accuracy"], _present(report)
    sure = f"no interval, {figure['reason']}" if figure["low"] is None else (
        f"95 % interval {figure['low']:.1%} to {figure['high']:.1%}"
    )  # fmt: skip
    over = "" if len(present) == 1 else f", on average over {len(present)} classes"
    sure += f"; chance {1 / len(report['classes']):.1%}"
    units = "sequences of " if report["scored"] == "sequence" else ""
    return (
        f"It recognises {figure['value']:.1%} of a class's clips{_alone(report)}{over} ({sure}), on"
        f" {units}{who_speaks(report)}; {_heard(report)}."
    )


def _alone(report: Mapping[str, Any]) -> str:
    """Say how much is heard of each clip, if not all."""
    seconds = report["heard_s"]
    return "" if seconds is None else f", heard for {seconds:g} s from the first speech on"


def _heard(report: Mapping[str, Any]) -> str:
    shared = report["shared_with_training"]
    if shared is None:
        return "whether they were heard in training is not known"
    if shared["speakers"] or shared.get("recordings") or shared["utterances"]:
        return "some of them were heard in training, so that it is too good"
    if shared["speakers"] is None:
        return "whether their speakers were heard in training is not known"
    known = " known" if report["unknown_speakers"] else ""
    before = report["shared_with_start"]
    if before and any(before[of] for of in ("speakers", "recordings", "utterances")):
        count = before["speakers"] or "some"
        return f"no{known} speaker was heard in training, but {count} by what it began from"
    others = heard_elsewhere(report if before is None else {**report, "began_from": []})
    beside = f", but what {others} heard is not known" if others else ""
    return f"no{known} speaker was heard in training{beside}"


def _present(report: Mapping[str, Any]) -> list[str]:
    return [name for name in report["classes"] if name not in report["absent"]]


def _calibration(of: Mapping[str, Any] | None) -> str:
    if of is None:
        return "none, posteriors are those of the training"
    bias = " and a bias of each class" if of["bias"] else ""
    fitted = (
        f"the validation part ({of['validation']})" if of["validation"] else "what is not known"
    )
    return f"a temperature of {of['temperature']:.4g}{bias}, fitted on {fitted}"


def _split(splits: Sequence[Mapping[str, Any]]) -> str:
    """Return the split of one run, or of several, of which each key has all its values."""
    told = {key: dict.fromkeys(_plain(one.get(key, "")) for one in splits) for key in splits[0]}
    names = ", ".join(target.rpartition(".")[2] for target in told.pop("_target_", {}))
    asked = [f"{key} {', '.join(values)}" for key, values in told.items() if any(values)]
    return ", ".join([names, *asked])  # a key without a value, as train_only=[], was not asked for


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
