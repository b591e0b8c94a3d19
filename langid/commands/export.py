"""Write a trained model as one file: PCM in, posteriors out, state in and out.

Before the file gets its name it is compared with PyTorch on real speech: clips of the store that
the model was trained on, or the files of audio=. A model that cannot be streamed is refused; with
mode=offline it hears an overlapping window. Other precisions than float32 are compared with it, in
size, speed and accuracy, on up to 200 clips of the validation part, on about two minutes of them
with mode=offline. decide_at= and its like are written into the file, for its streams to go by.

Beside NAME.onnx NAME_card.md is written: use, training data and, with report=, the figures that
langid evaluate has measured. A card that you have changed is kept, and without report= one that has
figures of the same weights.

Examples:
  langid export checkpoint=gru/checkpoints/best.ckpt output=m.onnx
  langid export checkpoint=net/checkpoints/best.ckpt output=m.onnx mode=offline precision=float16
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from langid.commands.configuration import plain_of
from langid.commands.paths import destination, listed, path_of
from langid.export.form import CHOICES, SUFFIXES, WINDOW, Form
from langid.streaming.decision import SETTINGS, DecisionSettings
from langid.terminal import print_named
from langid.typed import command_line

if TYPE_CHECKING:
    from langid.export.precision import Comparison


def run(config: DictConfig) -> None:
    """Export, and print how far the file is from PyTorch, and from float32."""
    form = Form(**{key: config[key] for key in (*CHOICES, *WINDOW)})
    read = {"checkpoint": config.checkpoint, "audio": config.audio, "report": config.report}
    output = destination("output", config.output, SUFFIXES[form.format], **read)
    plain = plain_of(config)
    decision = DecisionSettings(**{key: plain[key] for key in SETTINGS if plain[key] is not None})
    from langid.export.parity import speech_to_check, tolerance_of
    from langid.sharing.model_card import card_of, model_card, write_card
    from langid.training.checkpoint import load_identifier

    identifier = load_identifier(Path(str(config.checkpoint)))
    form.check(identifier, decision)  # before any work is done
    report = None if config.report is None else path_of(config.report)
    card = model_card(identifier, output.stem, form.to_run(output.name), report)
    clips = speech_to_check(identifier, None if config.audio is None else listed(config.audio))
    differences, comparison = form.write(identifier, output, clips, decision)
    _print_differences(differences, tolerance_of(identifier), len(clips), comparison)
    _print_file(form, output, clips)
    place = card_of(output)
    print_named(card=" ".join(filter(None, (str(place), write_card(place, card)))))


def _print_differences(
    differences: dict[str, float], accepted: float, clips: int, comparison: "Comparison | None"
) -> None:
    from langid.export.precision import figures

    print(f"largest difference from offline PyTorch on {clips} clips, in float32:")
    for name, difference in differences.items():
        print(f"  {name:26} {difference:.1e}  (accepted {accepted:.0e})")
    if comparison is not None:
        print(f"{comparison.precision} on {comparison.clips} clips of the validation part:")
        print(*(f"  {line}" for line in figures(comparison)), sep="\n")


def _print_file(form: Form, output: Path, clips: list[np.ndarray]) -> None:
    print_named(model=f"{output}  ({output.stat().st_size / 1e6:.2f} MB)")
    if form.format == "pt2":
        print_named(load=f"{form.loading(output)}, which runs what it holds: your own")
    elif form.format == "module":
        print_named(load=form.loading(output))
    if form.format != "onnx":
        return
    from langid.streaming.speed import real_time_factors
    from langid.streaming.windowed_model import load_model, window_line

    model = load_model(output)
    for name, (factor,) in real_time_factors([model], np.concatenate(clips)).items():
        print_named(speed=f"real-time factor {factor:.5f} on one thread, {name}")
    if window := window_line(model.metadata):
        print_named(window=window)
    print_named(next=command_line("stream", model=output, audio="FILE"))
