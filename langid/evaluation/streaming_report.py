"""What ``langid evaluate streaming=true`` writes: streaming.json, streaming.csv and .png."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from langid.atomic_file import write_text
from langid.corpora.part_counts import clips_and_speakers
from langid.corpora.splits import speaker_groups
from langid.data.store import Store
from langid.errors import LangidError
from langid.evaluation.decision_time import accuracy_by_speech, choose_decide_at, time_to_decision
from langid.evaluation.predictions import Predictions
from langid.evaluation.report import who_speaks
from langid.evaluation.scoring import Figure, paired_difference, score
from langid.evaluation.streamed import DEALT, STREAM_S, Streamed, deal, join, stream_clips
from langid.evaluation.threshold import ERROR_RATES
from langid.plots import draw_streaming, save_figure
from langid.progress import progress
from langid.streaming.decision import UNKNOWN
from langid.streaming.streamer import StreamingIdentifier
from langid.training.run_description import versions
from langid.training.run_record import write_record

SCHEMA = "langid-streaming-2"
SINCE_S = (0.0, 30.0, 60.0, 120.0, STREAM_S)  # of a stream, which a clip begins before its end
METRICS = ("accuracy", "balanced_accuracy")
CONDITIONS = {
    "offline": "whole clips, offline",
    "reset": "streamed, each from a reset",
    "mixed": "streamed without reset, classes mixed",
    "same": "streamed without reset, one class",
}


def make_streaming_report(
    stream: StreamingIdentifier,
    predictions: Predictions,
    validation: Predictions,
    store: Path,
    part: str,
) -> dict[str, Any]:
    """Return as plain data how a stream does on the clips of a part, beside whole clips.

    ``conditions``: ``offline`` (the predictions), ``reset`` (each clip from a reset), ``mixed`` and
    ``same`` (clips of all classes, or of one, one after the other without a reset), a clip scored
    by its mean posterior over its own speech frames, or the last of them; ``behind`` is what a
    condition loses against offline. ``since_reset``: both of the latter by the seconds since the
    stream began. ``by_speech``, ``decisions``: see langid.evaluation.decision_time; the thresholds
    are chosen on ``validation``. ``by_speech_of_speakers``: the same of each speaker's clips,
    joined in one stream, which go on for longer. Raises LangidError where not whole utterances are
    scored.
    """
    return {
        "schema": SCHEMA,
        "part": part,
        "classes": predictions.classes,
        **clips_and_speakers(predictions.table),
        **_measured(stream, predictions, validation, store),
        "thresholds_chosen_on": {"part": "validation", **clips_and_speakers(validation.table)},
        "streams": DEALT,
        "fingerprint": predictions.fingerprint,
        "trained_seed": predictions.descriptions[0].seed,
        "split": predictions.descriptions[0].split,
        "versions": versions(),
    }


def _measured(
    stream: StreamingIdentifier, predictions: Predictions, validation: Predictions, store: Path
) -> dict[str, Any]:
    """Return ``conditions`` and all else that is measured on clips."""
    clips, chosen_on = (_clips(them, Store(store)) for them in (predictions, validation))
    each, chosen_each = ([[number] for number in range(len(of))] for of in (clips, chosen_on))
    before = _streamed(stream, chosen_on, chosen_each, "validation")
    seconds, targets = clips["seconds"].to_numpy(), predictions.targets
    classes = predictions.classes
    mixed, same = (deal(seconds, groups) for groups in (np.zeros_like(targets), targets))
    conditions = {"offline": _figures(clips, predictions.posteriors, classes)}
    streamed = {}
    for name, streams in (("reset", each), ("mixed", mixed), ("same", same)):
        streamed[name] = _streamed(stream, clips, streams, name)
        conditions[name] = _condition(streamed[name], classes) | {"streams": len(streams)}
    of_speakers = list(clips.groupby(["speaker", "target"]).indices.values())
    joined = join(_streamed(stream, clips, of_speakers, "speakers"), of_speakers)
    return {
        "conditions": conditions,
        "since_reset": {name: _since_reset(streamed[name]) for name in ("mixed", "same")},
        "by_speech": accuracy_by_speech(streamed["reset"]),
        "by_speech_of_speakers": accuracy_by_speech(joined),
        "decisions": _decisions(before, streamed["reset"]),
    }


def _clips(predictions: Predictions, store: Store) -> pd.DataFrame:
    """Return of each clip ``excerpt, seconds, target, speaker``, and ``offline``, its class there.

    A clip of an unknown speaker is a speaker of its own.
    """
    if predictions.unit != "utterance":
        raise LangidError(
            "streaming=true: the split of this training cuts utterances, and streams are of whole"
            " clips; train with split=speaker or kfold"
        )
    rows = store.utterances.iloc[predictions.table.index]
    return rows[[]].assign(
        excerpt=[store.excerpt(row) for row in predictions.table.index],
        seconds=rows["frames"] / store.frames_per_second,
        target=predictions.targets,
        speaker=speaker_groups(predictions.table),
        offline=predictions.posteriors.argmax(1),
    )


def _streamed(
    stream: StreamingIdentifier, clips: pd.DataFrame, streams: Sequence[Sequence[int]], name: str
) -> Streamed:
    unknown = stream.classes.index(UNKNOWN) if UNKNOWN in stream.classes else None
    own = clips.iloc[np.concatenate(streams)]
    with progress(f"streaming: {name}", "clips") as bar:
        said = bar.track(stream_clips(stream, clips["excerpt"].tolist(), streams), total=len(own))
        cumulative = bool(stream.model.metadata.get("cumulative"))
        return Streamed(list(said), own, stream.hop_s, unknown, cumulative)


def _figures(clips: pd.DataFrame, posteriors: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    figures = score(clips["target"].to_numpy(), posteriors, clips["speaker"].tolist(), classes)
    return {name: figures[name] for name in METRICS} | {"clips": len(clips)}


def _condition(streamed: Streamed, classes: Sequence[str]) -> dict[str, Any]:
    own, means = streamed.table, streamed.means
    told = own["offline"].to_numpy(), means.argmax(1)
    behind = paired_difference(streamed.targets, *told, own["speaker"].tolist(), classes)
    return _figures(own, means, classes) | {"behind": behind}


def _since_reset(streamed: Streamed) -> list[dict[str, Any]]:
    """Return the accuracy of the clips that began within each span after the reset."""
    since_s = np.array([clip.since_s for clip in streamed.clips])
    right = streamed.means.argmax(1) == streamed.targets
    right_offline = streamed.table["offline"].to_numpy() == streamed.targets
    rows = []
    for begin, end in itertools.pairwise(SINCE_S):
        within = (since_s >= begin) & (since_s < end)
        if within.any():
            row = {"from_s": begin, "to_s": end, "clips": int(within.sum())}
            accuracy, offline = (streamed.share(of, within) for of in (right, right_offline))
            rows.append(row | {"accuracy": accuracy, "offline": offline["value"]})
    return rows


def _decisions(before: Streamed, streamed: Streamed) -> list[dict[str, Any]]:
    """Return for each error rate its threshold, chosen ``before``, and what comes of it."""
    rows = []
    for rate in ERROR_RATES:
        threshold, found = choose_decide_at(before, rate)
        measured = None if threshold is None else time_to_decision(streamed, threshold)
        chosen = {"decide_at": threshold, "validation": found | {"clips": len(before.clips)}}
        rows.append({"error_rate": rate, **chosen, "measured": measured})
    return rows


def table_of(report: dict[str, Any]) -> pd.DataFrame:
    """Return the report's figures with intervals, one a row; ``reason`` says why one has none."""
    rows = [
        {"figure": name, "of": of, "clips": clips, "reason": "", **figure}
        for name, of, figure, clips in _rows(report)
        if figure is not None
    ]
    columns = ["figure", "of", "value", "low", "high", "reason", "clips"]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, str, Figure | None, int]]:
    """Yield each figure with its name, what it is of, and how many clips that are."""
    for name, condition in report["conditions"].items():
        for metric in METRICS:
            yield metric, name, condition[metric], condition["clips"]
            behind = condition.get("behind", {}).get(metric)
            yield f"{metric} behind", name, behind, condition["clips"]
    for name, spans in report["since_reset"].items():
        for span in spans:
            of = f"{name}, {span['from_s']:g} to {span['to_s']:g} s after the reset"
            yield "accuracy", of, span["accuracy"], span["clips"]
    for row, of_speakers in zip(report["by_speech"], report["by_speech_of_speakers"], strict=True):
        of = f"after {row['seconds']:g} s of speech"
        yield "accuracy", of, row["all"], report["clips"]
        for some, who in ((row, "clips"), (of_speakers, "speakers")):
            yield "accuracy", f"{of}, {who} with so much", some["long"], some["clips"]
    for row in report["decisions"]:
        if (measured := row["measured"]) is not None:
            of = f"decide_at={row['decide_at']:g} (error rate {row['error_rate']:g})"
            yield "decided", of, measured["share"], measured["clips"]
            yield "error", of, measured["error"], measured["decided"]
            if measured["decided"]:
                quartiles = dict(zip(("low", "value", "high"), measured["speech_s"], strict=True))
                yield "speech_s, quartiles", of, quartiles, measured["decided"]


def write_streaming_report(report: dict[str, Any], folder: Path) -> None:
    """Write the report as JSON, its figures as CSV, and a picture."""
    write_text(folder / "streaming.csv", table_of(report).round(6).to_csv(index=False))
    title = f"{report['part']}: {who_speaks(report)}"
    save_figure(draw_streaming(report, title), folder / "streaming.png")
    write_record(folder / "streaming.json", report)
