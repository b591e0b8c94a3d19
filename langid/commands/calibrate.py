"""Fit the temperature by which a model is as sure of itself as it is right.

It is fitted on the validation part of the store that the model was trained on, and written into a
copy of the checkpoint; langid evaluate, predict, export and what is exported, on a page too, then
go by it. bias=true adds a bias for each class; without it few answers change, those whose frames
disagree. In what is printed every validation speaker is judged by what was fitted on others.

Examples:
  langid calibrate checkpoint=gru/checkpoints/best.ckpt store=cv.h5 output=calibrated.ckpt
  langid calibrate checkpoint=gru/checkpoints/best.ckpt store=cv.h5 output=calibrated.ckpt bias=true
"""

from omegaconf import DictConfig
from rich.table import Table

from langid.commands.paths import destination, path_of
from langid.terminal import interval, print_named, print_table
from langid.typed import command_line

FIGURES = ("ece", "nll", "brier", "accuracy", "balanced_accuracy")


def run(config: DictConfig) -> None:
    """Calibrate, write the checkpoint, and print what it was and is worth."""
    from langid.evaluation.calibrating import PART, calibrator_of
    from langid.evaluation.report import make_report
    from langid.training.checkpoint import write_calibrated

    checkpoint, store = path_of(config.checkpoint), path_of(config.store)
    output = destination("output", config.output, ".ckpt", checkpoint=config.checkpoint)
    options = config.bias, config.workers, config.accelerator
    calibrator = calibrator_of(checkpoint, store, *options)
    before, after = (make_report(of, PART) for of in (calibrator.before(), calibrator.after()))
    fitted = calibrator.fit()
    write_calibrated(checkpoint, output, fitted)
    table = Table("", "before", "", "after", "", title=f"{PART} part, fitted on other speakers")
    for name in FIGURES:
        pairs = [(f"{of[name]['value']:.3f}", interval(of[name])) for of in (before, after)]
        table.add_row(name.replace("_", " "), *(text for pair in pairs for text in pair))
    print_table(table)
    print_named(temperature=f"{fitted.temperature:.3f}  (fitted on {fitted.validation})")
    if fitted.bias:
        of_classes = zip(calibrator.predictions.classes, fitted.bias, strict=True)
        print_named(bias=", ".join(f"{name} {bias:+.2f}" for name, bias in of_classes))
    print_named(checkpoint=output)
    print_named(next=command_line("evaluate", checkpoint=output, store=store, output="DIR"))
