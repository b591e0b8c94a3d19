"""Score the test part: report.json, confusion.png and predictions.tsv.

An utterance's posterior is the mean over its speech frames. Every figure has a 95 % interval from
a bootstrap over speakers. The checkpoints of several folds are pooled.

examples:
  langid evaluate checkpoint=runs/gru/best.ckpt store=trio.h5 output=runs/gru/test
  langid evaluate 'checkpoint=[f0/best.ckpt,f1/best.ckpt]' store=trio.h5 output=pooled 'corpora=[cv-corpus-6.1-2020-12-11]'
"""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table

from langid.errors import LangidError


def run(config: DictConfig) -> int:
    """Score the part, write the report and print its figures."""
    from langid.evaluation.predictions import predict_part
    from langid.evaluation.report import make_report, write_report

    given = config.checkpoint
    checkpoints = [Path(p) for p in given] if isinstance(given, ListConfig) else [Path(given)]
    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    predictions, identifier = predict_part(
        checkpoints, Path(config.store), config.part, config.workers
    )
    if config.corpora is not None:
        held = sorted(set(predictions["corpus"]))
        unknown = [name for name in config.corpora if name not in held]
        if unknown:
            raise LangidError(
                f"corpora: no {', '.join(unknown)} in the {config.part} part; it holds"
                f" {', '.join(held)}"
            )
        predictions = predictions[predictions["corpus"].isin(list(config.corpora))]
    report = make_report(predictions, identifier.classes, identifier.description, config.part)
    write_report(report, predictions, output)
    _print_report(report, output)
    return 0


def _print_report(report: dict[str, Any], output: Path) -> None:
    console = Console()
    table = Table("", "value", "95 % interval", title=f"{report['part']} part")
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "nll"):
        table.add_row(name.replace("_", " "), *_cells(report[name]))
    for name, figures in report["classes"].items():
        who = f"recall {name} ({figures['clips']} clips, {figures['speakers']} speakers)"
        table.add_row(who, *_cells(figures["recall"]))
    console.print(table)
    shared = report["shared_with_training"]
    console.print(
        f"{report['clips']} clips, {report['speakers']} speakers; shared with training:"
        f" {shared['speakers']} speakers, {shared['utterances']} utterances"
    )
    console.print(f"report    {output / 'report.json'}", soft_wrap=True, highlight=False)
    console.print(f"picture   {output / 'confusion.png'}", soft_wrap=True, highlight=False)


def _cells(figure: dict[str, float]) -> tuple[str, str]:
    return f"{figure['value']:.3f}", f"{figure['low']:.3f} to {figure['high']:.3f}"
