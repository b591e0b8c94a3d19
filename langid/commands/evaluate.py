"""Score the test part: report.html, report.json, confusion.png and predictions.tsv.

An utterance's posterior is the mean over its speech frames. Every figure has a 95 % interval that
allows for clips of one speaker being alike; with fewer than five speakers there is none. The
checkpoints of several folds are pooled; with ensemble=true those of one split, as
balance=subclasses makes them, are averaged. part=validation says below which posterior to answer
"unknown" so that 1, 5, 10, 20 or 30 % of the answers are wrong: unknown_below= of langid predict
and langid stream. With streaming=true the clips are also heard as streams: each from a reset, and
one after the other without; with accuracy by seconds of speech, and time to decision at thresholds
chosen on the validation part. A streaming network hears an utterance whole, as langid predict does,
any other one of more than 30 s in pieces of 30 s. part=all scores a store that was not trained on,
which may hold some of the classes alone. heard_s=1 hears one second alone of each utterance, from
its first speech on. unknown= is a store of languages that were never trained on: how well they are
told from the others by the highest posterior. They are told better where a class "unknown" was
trained on yet other languages ('task.merge={French: unknown, German: unknown}'). robustness=true
also hears the clips through noise, rooms, codecs and the like. accelerator= names the device, the
fastest by default.

report.html is one file for people: what was tested, figures, confusion, calibration, detection,
slices, accuracy by seconds heard, what is lost in other acoustics, a map of what the network hears,
and the most confident mistakes, which audio=true lets play.

Examples:
  langid evaluate 'checkpoint=[0/checkpoints/best.ckpt,1/checkpoints/best.ckpt]' store=x.h5 output=o
  langid evaluate checkpoint=gru/checkpoints/best.ckpt store=trio.h5 output=out streaming=true
"""

import shlex
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.asked import asked_of
from langid.commands.configuration import typed
from langid.commands.paths import path_of
from langid.commands.robustness import print_robustness
from langid.corpora.tasks import left_out_line
from langid.exclusive import exclusive_folder
from langid.terminal import interval, print_named, print_table, with_interval

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "frame_accuracy", "nll", "brier", "ece",
           "eer", "cavg", "min_cavg")  # fmt: skip


def run(config: DictConfig) -> None:
    """Score the part, write the report and print its figures."""
    from langid.commands.evaluate_streaming import print_streaming, stream_of
    from langid.evaluation.robustness import check_whole, robustness, write_robustness
    from langid.evaluation.streaming_report import make_streaming_report, write_streaming_report

    asked = asked_of(config)
    stream = stream_of(config, asked.checkpoints)
    unknown = None if config.unknown is None else path_of(config.unknown)
    if config.robustness:
        check_whole(asked)
    if unknown is not None:
        asked.check_unknown(unknown)
    output, part = path_of(config.output), config.part
    command = shlex.join(["langid", "evaluate", *typed()])
    with exclusive_folder(output):
        predictions = asked.tested()
        report = asked.report(predictions)
        if unknown is not None:
            report["open_set"] = asked.open_set(predictions, unknown)
        robust = None
        if config.robustness:
            robust = robustness(asked, predictions, output, _unknown_below(report))
            write_robustness(robust, output)
        streams = None
        if stream is not None:
            on_part = part == "validation"
            chosen_on = predictions if on_part else asked.predictions("validation", None)
            streams = make_streaming_report(stream, predictions, chosen_on, asked.store, part)
            write_streaming_report(streams, output)
        asked.write(output, report, predictions, command, streams, config.audio, robust)
    _print_report(report, output)
    if robust is not None:
        print_robustness(robust)
    if streams is not None:
        print_streaming(streams, output)


def _unknown_below(report: dict[str, Any]) -> float:
    """Return the threshold that an open set has chosen; 0 where there is none."""
    threshold = report.get("open_set", {}).get("threshold")
    return threshold["unknown_below"] if threshold else 0.0


def _print_report(report: dict[str, Any], output: Path) -> None:
    from langid.evaluation.report import no_speech_line, what_is_shared, who_speaks
    from langid.evaluation.threshold import threshold_text

    title, heard_s = f"{report['part']} part: {report['task']}", report["heard_s"]
    if heard_s is not None:
        title += f", heard {heard_s:g} s from the first speech on"
    table = Table("", "value", "95 % interval", title=title)
    rows = {name.replace("_", " "): report[name] for name in FIGURES}
    for name, figures in report["classes"].items():
        if figures["clips"]:
            rows[f"recall {name} ({who_speaks(figures)})"] = figures["recall"]
    for name, figure in rows.items():
        value = "–" if figure["value"] is None else f"{figure['value']:.3f}"
        table.add_row(name, value, interval(figure))
    print_table(table)
    print(f"{who_speaks(report)}; {what_is_shared(report)}")
    print_named(report=output / "report.json", page=output / "report.html")
    if absent := report["absent"]:
        others = len(report["classes"]) - len(absent)
        print(
            f"no clip of {', '.join(absent)} is in this part: balanced accuracy and macro F1 are of"
            f" the other {others} class{'es' * (others > 1)}"
        )
    if silent := no_speech_line(report):
        print(silent)
    if left_out := left_out_line(report["task"], report["left_out"]):
        print(f"of the whole store {left_out}")
    if found := report.get("open_set"):
        print(
            f"unknown: {who_speaks(found)} of {len(found['labels'])} others; AUROC"
            f" {with_interval(found['auroc'])}, where {found['accepted']:.0%} of the known are"
            f" answered, so are {with_interval(found['false_acceptance'])} of these"
        )
        if chosen := found["threshold"]:
            below = threshold_text(chosen["unknown_below"])
            print(
                f"unknown_below={below}, chosen on validation, answers"
                f" {with_interval(chosen['known'])} of the known and"
                f" {with_interval(chosen['unknown'])} of these"
            )
    for rate, chosen in report.get("thresholds", {}).items():
        told = "no unknown_below gives so few"
        if chosen is not None:
            below, answered = chosen["unknown_below"], chosen["answered"]
            told = f"unknown_below={threshold_text(below)} (answers {answered:.0%})"
        print(f"{float(rate):.0%} error: {told}")
    if report["scored"] == "sequence":
        print(f"scored are {report['support']} sequences of these clips, not whole utterances")
