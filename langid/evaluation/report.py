"""What ``langid evaluate`` writes: report.json, confusion.png and predictions.tsv."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.atomic_file import write_text
from langid.corpora.part_counts import clips_and_speakers, minutes, shared_between_parts
from langid.corpora.splits import PARTS, speaker_groups
from langid.data.store import Store
from langid.evaluation.calibration import calibration
from langid.evaluation.confusion import confusions
from langid.evaluation.detection import detection
from langid.evaluation.predictions import Predictions
from langid.evaluation.scoring import ABSENT, frame_accuracy, score
from langid.evaluation.slices import sliced
from langid.evaluation.threshold import may_be_answered, thresholds
from langid.metrics import DetectionCosts
from langid.plots import draw_confusion, save_figure
from langid.training.run_description import RunDescription, versions
from langid.training.run_record import write_record

SCHEMA = "langid-report-3"


def make_report(
    predictions: Predictions,
    part: str,
    costs: DetectionCosts | None = None,
    store: Store | None = None,
) -> dict[str, Any]:
    """Return the report of a part as plain data.

    ``clips``, ``speakers`` and ``unknown_speakers`` are those of ``clips_and_speakers``, in all and
    of each class; ``scored`` names and ``support`` counts the units that are scored, of each of
    which ``heard_s`` seconds are heard from its first speech on (None: all), and ``no_speech``
    counts those without any. ``absent`` are the
    classes that the part has no clip of, and that no mean over classes takes in. ``slices`` are
    those of langid.evaluation.slices, by sample rate and level where a ``store`` is given, and
    ``checkpoints`` the SHA-256 of the weights that are scored, ``calibrations`` the temperature and
    biases of each and on how much of its ``validation`` part they were fitted (None: it has none).
    Of the validation part alone there are ``thresholds`` too: chosen on the test part they would
    flatter it.
    """
    table, classes, column = predictions.table, predictions.classes, predictions.column
    targets, posteriors = predictions.targets, predictions.posteriors
    speakers = speaker_groups(table).tolist()
    figures = score(targets, posteriors, speakers, classes)
    frames = (table[name].to_numpy() for name in ("frames", "right_frames"))
    figures["frame_accuracy"] = frame_accuracy(targets, speakers, *frames)
    figures |= calibration(targets, posteriors, speakers)
    detected = detection(targets, posteriors, speakers, classes, costs or DetectionCosts())
    eers = detected.pop("eers")
    figures |= detected | confusions(targets, posteriors.argmax(1), speakers, classes)
    for name in classes:
        figures["classes"][name] |= {"eer": eers.get(name, ABSENT)}
        of_class = table[table[column] == name]
        figures["classes"][name] |= clips_and_speakers(of_class) | {"minutes": minutes(of_class)}
    if part == "validation":
        figures["thresholds"] = thresholds(targets, posteriors, may_be_answered(table))
    return {
        "schema": SCHEMA,
        "part": part,
        "task": column,
        "heard_s": predictions.heard_s,
        **figures,
        **clips_and_speakers(table),
        "no_speech": int((table["frames"] == 0).sum()),
        "minutes": minutes(table),
        "absent": [name for name in classes if not figures["classes"][name]["clips"]],
        "scored": predictions.unit,
        "corpora": table["corpus"].value_counts().to_dict(),
        **sliced(predictions, store),
        "left_out": predictions.left_out,
        "score": f"mean posterior over the speech frames of each {predictions.unit}",
        **_training(predictions, part),
        "checkpoints": predictions.checkpoints,
        "calibrations": [one and one.to_plain() for one in predictions.calibrations],
        "fingerprint": predictions.fingerprint,
        "versions": versions(),
    }


def no_speech_line(report: Mapping[str, Any]) -> str:
    """Return how many units have no speech in them, and how they are scored; empty for none."""
    count, unit = report["no_speech"], "clip" if report["scored"] == "utterance" else "sequence"
    if not count:
        return ""
    one = count == 1
    return (
        f"{count} {unit}{'s have' if not one else ' has'} no speech in {'it' if one else 'them'},"
        f" and {'is' if one else 'are'} scored by all frames"
    )


def _training(predictions: Predictions, part: str) -> dict[str, Any]:
    """Return what is known of the training, one entry per checkpoint where they differ.

    ``began_from`` are the checkpoints of ``init`` and ``teacher``, and ``heard_alike`` whether they
    are known to have learned from the same utterances; ``shared_with_start`` is what those of
    ``init`` have heard of the held-out parts, if that is known; ``encoder`` is the pretrained one.
    """
    told: dict[str, Any] = {"shared_with_training": _shared(predictions, part)}
    starts = [of for one in predictions.descriptions for of in (one.init, one.teacher) if of]
    told["began_from"] = list(dict.fromkeys(of["checkpoint"] for of in starts))
    told["shared_with_start"] = _shared_with_start(predictions.descriptions, part)
    told["heard_alike"] = all(
        len(one.heard) == 1 and one.heard[0] for one in predictions.descriptions
    )
    encoders = (one.features.get("encoder") for one in predictions.descriptions)
    told["encoder"] = next(encoders, None)
    names = {"fingerprint": "trained_on", "versions": "trained_with"}
    for key in ("silence", "split", "seed", *names):
        values = [getattr(description, key) for description in predictions.descriptions]
        same = all(value == values[0] for value in values)
        told[names.get(key, key)] = values[0] if same else values
    return told


def _shared(predictions: Predictions, part: str) -> dict[str, int | None] | None:
    """Return how many speakers, recordings and utterances are heard in training too.

    Of a part that is held out, those of all such parts, summed over the folds; of another, those
    that are scored. ``speakers`` is None where none is known; all is None where nothing can be
    told of the training.
    """
    table, descriptions = predictions.table, predictions.descriptions
    if part in PARTS[1:]:
        shared = _summed([one.split_summary["shared"] for one in descriptions], descriptions)
    elif predictions.trained_on is None:
        return None
    else:
        both = {"train": predictions.trained_on, "test": table}
        parts = np.repeat(list(both), [len(rows) for rows in both.values()])
        shared = shared_between_parts(pd.concat(both.values()), parts)
    return shared if (table["speaker"] != "").any() else shared | {"speakers": None}


def _shared_with_start(descriptions: Sequence[RunDescription], part: str) -> dict[str, int] | None:
    """Return what starts have heard of the held-out parts, as ``_shared`` does of the training.

    None where there is no start, where a part is not held out, and where nobody can tell.
    """
    known = ((of.init or {}).get("shared") for of in descriptions if not of.teacher)
    counts = [count for count in known if count]
    if part not in PARTS[1:] or len(counts) < len(descriptions):
        return None
    return _summed(counts, descriptions)


def _summed(
    counts: Sequence[Mapping[str, int]], descriptions: Sequence[RunDescription]
) -> dict[str, Any]:
    """Return the sums over folds of what is counted of each of some runs."""
    if all(of.split == descriptions[0].split for of in descriptions):
        counts = counts[:1]  # an ensemble: all of them heard the same parts
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def too_good(report: Mapping[str, Any]) -> list[str]:
    """Return sentences on what was chosen or fitted on the clips that are scored."""
    said, validation = [], report["part"] == "validation"
    if validation:
        said.append("The best epoch was chosen on this part, so that its figures are too good.")
    whole = report["part"] == "all" and report["fingerprint"] in report["trained_on"]
    # Reports of earlier versions do not tell of calibration.
    if any(report.get("calibrations", [])) and (validation or whole):
        fitted = "The calibration was fitted on this part" + ", among others" * whole
        said.append(f"{fitted}: ECE, NLL and Brier are too good.")
    return said


def heard_elsewhere(report: Mapping[str, Any]) -> str:
    """Name what the training stands on of which nobody knows what it heard; empty for nothing."""
    if report["began_from"] and not report["heard_alike"]:
        return "the networks that it began from, or learned of, have"
    return "its pretrained encoder has" if report["encoder"] else ""


def may_have_been_heard(report: Mapping[str, Any]) -> str:
    """Say why languages of no class may have been trained on all the same; empty for no reason."""
    elsewhere, splits = heard_elsewhere(report), report["split"]
    reasons = [f"what {elsewhere} heard is not known"] if elsewhere else []
    for split in splits if isinstance(splits, list) else [splits]:
        if names := split.get("unlabelled"):
            told = names if isinstance(names, str) else ", ".join(names)
            reasons.append(f"it learned from speech without a label, of {told}")
    return "; ".join(dict.fromkeys(reasons))


def write_report(report: Mapping[str, Any], table: pd.DataFrame, folder: Path) -> None:
    """Write the report, its confusion matrix as a picture, and the table of predictions."""
    classes = list(report["classes"])
    title = f"{report['part']}: {who_speaks(report)}"
    picture = draw_confusion(np.array(report["confusion"]), classes, title)
    save_figure(picture, folder / "confusion.png")
    rounded = table.round({f"p({name})": 6 for name in classes})
    write_text(folder / "predictions.tsv", rounded.to_csv(sep="\t", index=False))
    write_record(folder / "report.json", report)  # last: a report that is there is complete


def who_speaks(counts: Mapping[str, int]) -> str:
    """Return clips, speakers, and clips of unknown speakers as text for people."""
    clips, speakers, unknown = (counts[of] for of in ("clips", "speakers", "unknown_speakers"))
    if unknown == clips:
        return f"{counted(clips, 'clip')}, all of unknown speakers"
    more = f" and {counted(unknown, 'clip')} of unknown speakers" if unknown else ""
    return f"{counted(clips, 'clip')}, {counted(speakers, 'speaker')}{more}"


def counted(number: int, name: str) -> str:
    """Return a number and what it counts."""
    return f"{number} {name}{'s' * (number != 1)}"


def what_is_shared(report: Mapping[str, Any]) -> str:
    """Say what of the part is heard in training too, and of what nobody knows."""
    shared, held_out = report["shared_with_training"], report["part"] in ("test", "validation")
    if shared is None and report["fingerprint"] in report["trained_on"]:  # one, or a list of them
        return (
            "this store was trained on, but its split is not dealt as it was: what of it was heard"
            " in training cannot be told"
        )
    if shared is None:
        return "shared with training: not known of a store that was not trained on"
    known = {of: shared.get(of) for of in ("speakers", "recordings", "utterances")}
    told = [f"{count} {of}" for of, count in known.items() if count is not None]
    if report["unknown_speakers"]:
        told.append(f"unknown for {report['unknown_speakers']} clips of unknown speakers")
    line = f"shared with training: {', '.join(told)}"
    if before := report.get("shared_with_start"):  # reports of earlier versions do not tell
        counts = (f"{before[of]} {of}" for of in ("speakers", "recordings", "utterances"))
        line += f"; with what it began from: {', '.join(counts)}"
    return line if held_out else f"it holds what was trained on; {line}"
