"""Score the test part: report.json, confusion.png and predictions.tsv.

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
told from the others by the highest posterior. accelerator= names the device, the fastest by
default.

Examples:
  langid evaluate 'checkpoint=[f0/best.ckpt,f1/best.ckpt]' store=trio.h5 output=pooled
  langid evaluate checkpoint=runs/gru/best.ckpt store=trio.h5 output=out streaming=true
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.paths import listed, path_of
from langid.corpora.tasks import left_out_line
from langid.exclusive import exclusive_folder
from langid.terminal import interval, print_named, print_table, with_interval

if TYPE_CHECKING:
    from langid.evaluation.predictions import Predictions

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "frame_accuracy", "nll", "brier", "ece",
           "eer", "cavg", "min_cavg")  # fmt: skip


def run(config: DictConfig) -> None:
    """Score the part, write the report and print its figures."""
    from langid.commands.evaluate_streaming import print_streaming, stream_of
    from langid.data.store import Store
    from langid.evaluation.open_set import open_set
    from langid.evaluation.predictions import of_corpora, predict_part, predict_unknown
    from langid.evaluation.report import make_report, write_report
    from langid.evaluation.streaming_report import make_streaming_report, write_streaming_report
    from langid.metrics import DetectionCosts

    checkpoints = [path_of(path) for path in listed(config.checkpoint)]
    stream = stream_of(config, checkpoints)
    store, output, part = path_of(config.store), path_of(config.output), config.part
    costs = DetectionCosts(**config.cavg)

    def predictions_of(part: str) -> "Predictions":
        options = config.workers, config.ensemble, config.accelerator, config.heard_s
        found = predict_part(checkpoints, store, part, *options)
        corpora = config.corpora
        return found if corpora is None else of_corpora(found, listed(corpora), part)

    with exclusive_folder(output):
        predictions = predictions_of(part)
        report = make_report(predictions, part, costs, Store(store))
        if config.unknown is not None:
            unknown = path_of(config.unknown)
            others = predict_unknown(checkpoints, unknown, config.workers, config.accelerator)
            report["open_set"] = open_set(predictions, others, unknown)
        write_report(report, predictions.table, output)
        _print_report(report, output)
        if stream is not None:
            chosen_on = predictions if part == "validation" else predictions_of("validation")
            streams = make_streaming_report(stream, predictions, chosen_on, store, part)
            write_streaming_report(streams, output)
            print_streaming(streams, output)


def _print_report(report: dict[str, Any], output: Path) -> None:
    from langid.evaluation.report import who_speaks

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
    print(f"{who_speaks(report)}; {_shared(report)}")
    print_named(report=output / "report.json", picture=output / "confusion.png")
    if absent := report["absent"]:
        others = len(report["classes"]) - len(absent)
        print(
            f"no clip of {', '.join(absent)} is in this part: balanced accuracy and macro F1 are of"
            f" the other {others} class{'es' * (others > 1)}"
        )
    if left_out := left_out_line(report["task"], report["left_out"]):
        print(f"of the whole store {left_out}")
    if found := report.get("open_set"):
        print(
            f"unknown: {who_speaks(found)} of {len(found['labels'])} others; AUROC"
            f" {with_interval(found['auroc'])}, where {found['accepted']:.0%} of the known are"
            f" answered, so are {with_interval(found['false_acceptance'])} of these"
        )
    for rate, chosen in report.get("thresholds", {}).items():
        told = "no unknown_below gives so few"
        if chosen is not None:
            below, answered = chosen["unknown_below"], chosen["answered"]
            told = f"unknown_below={below:.6f} (answers {answered:.0%})"
        print(f"{float(rate):.0%} error: {told}")
    if report["scored"] == "sequence":
        print(f"scored are {report['support']} sequences of these clips, not whole utterances")


def _shared(report: dict[str, Any]) -> str:
    """Say what of the part is heard in training too, and of what nobody knows."""
    shared, held_out = report["shared_with_training"], report["part"] in ("test", "validation")
    if shared is None and report["fingerprint"] in report["trained_on"]:  # one, or a list of them
        return (
            "this store was trained on, but its split is not dealt as it was: what of it was heard"
            " in training cannot be told"
        )
    if shared is None:
        return "shared with training: not known of a store that was not trained on"
    told = [f"{shared['utterances']} utterances"]
    if shared["speakers"] is not None:
        told.insert(0, f"{shared['speakers']} speakers")
    if report["unknown_speakers"]:
        told.append(f"unknown for {report['unknown_speakers']} clips of unknown speakers")
    line = f"shared with training: {', '.join(told)}"
    return line if held_out else f"it holds what was trained on; {line}"
