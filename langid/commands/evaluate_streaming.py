"""The part of ``langid evaluate`` that streams clips, and its tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from rich.table import Table

from langid.errors import LangidError
from langid.terminal import print_named, print_table, with_interval

if TYPE_CHECKING:
    from langid.streaming.streamer import StreamingIdentifier

PARTS = ("test", "validation")


def stream_of(config: DictConfig, checkpoints: Sequence[Path]) -> "StreamingIdentifier | None":
    """Return the stream to hear clips with, over PyTorch or an exported file; None for none.

    Raises LangidError for what cannot be streamed, and a file that is not the checkpoint's.
    """
    if not config.streaming:
        if config.exported is not None:
            raise LangidError(f"exported={config.exported}: is for streaming=true; add it")
        return None
    if config.heard_s is not None:
        raise LangidError(
            f"heard_s={config.heard_s}: streaming=true hears clips whole, and tells accuracy by the"
            " seconds of speech heard; take one of the two"
        )
    if len(checkpoints) != 1:
        raise LangidError(f"streaming=true: takes one checkpoint, {len(checkpoints)} were given")
    if config.part not in PARTS:
        raise LangidError(
            f"part={config.part}: with streaming=true accepted are {', '.join(PARTS)}, beside which"
            " there is a validation part to choose thresholds on"
        )
    from langid.export.streaming_module import stream_over

    return stream_over(checkpoints[0], config.exported)


def print_streaming(report: dict[str, Any], output: Path) -> None:
    """Print what was measured, and where it was written."""
    print_tables(report)
    if report["part"] == "validation":
        print("thresholds were chosen on the part itself: take part=test for what they are worth")
    for name in ("json", "csv", "png"):
        print_named(streams=output / f"streaming.{name}")


def print_tables(report: dict[str, Any]) -> None:
    """Print what was measured."""
    for make in (_conditions, _since_reset, _by_speech, _decisions):
        print_table(make(report))


def _conditions(report: dict[str, Any]) -> Table:
    from langid.evaluation.report import who_speaks
    from langid.evaluation.streaming_report import CONDITIONS

    table = Table(
        "heard as", "accuracy", "points behind offline", "balanced accuracy", "points behind",
        title=f"{report['part']} part as streams: {who_speaks(report)}, 95 % intervals",
    )  # fmt: skip
    for name, title in CONDITIONS.items():
        condition = report["conditions"][name]
        cells, behind = [], condition.get("behind", {})
        for metric in ("accuracy", "balanced_accuracy"):
            points = with_interval(behind.get(metric), "+.1%").replace("%", "")
            cells += [with_interval(condition[metric]), points]
        table.add_row(title, *cells)
    return table


def _since_reset(report: dict[str, Any]) -> Table:
    from langid.evaluation.streaming_report import CONDITIONS

    table = Table(
        "seconds since the stream began", "clips", "accuracy", "the same clips offline",
        title="accuracy without reset, by time",
    )  # fmt: skip
    for name, spans in report["since_reset"].items():
        for span in spans:
            when = f"{span['from_s']:g} to {span['to_s']:g}, {CONDITIONS[name].rpartition(', ')[2]}"
            accuracy, offline = with_interval(span["accuracy"]), f"{span['offline']:.3f}"
            table.add_row(when, str(span["clips"]), accuracy, offline)
    return table


def _by_speech(report: dict[str, Any]) -> Table:
    table = Table(
        "speech", "accuracy, all clips", "clips with so much", "accuracy",
        "speakers with so much", "accuracy, clips joined",
        title="accuracy by seconds of speech since a reset",
    )  # fmt: skip
    for row, of_speakers in zip(report["by_speech"], report["by_speech_of_speakers"], strict=True):
        clips, speakers = (
            (str(some["clips"]), with_interval(some["long"])) for some in (row, of_speakers)
        )
        table.add_row(f"{row['seconds']:g} s", with_interval(row["all"]), *clips, *speakers)
    return table


def _decisions(report: dict[str, Any]) -> Table:
    from langid.evaluation.report import who_speaks

    chosen_on = report["thresholds_chosen_on"]
    table = Table(
        "error rate", "decide_at", "validation: decided, wrong", f"{report['part']}: decided",
        "wrong", "median speech to decision", "median audio",
        title=f"time to decision; thresholds chosen on validation: {who_speaks(chosen_on)}",
    )  # fmt: skip
    for row in report["decisions"]:
        found, measured = row["validation"], row["measured"]
        told = f"{found['decided']} of {found['clips']}, {found['error']:.3f}"
        cells = ["none gives it", f"at best {told}"]
        if measured is not None:
            share = f"{measured['decided']} of {measured['clips']}"
            cells = [f"{row['decide_at']:g}", told, share]
        if measured and measured["decided"]:
            times = (measured["speech_s"][1], measured["audio_s"][1])
            cells += [with_interval(measured["error"]), *(f"{time:.2f} s" for time in times)]
        table.add_row(f"{row['error_rate']:.0%}", *cells)
    return table
