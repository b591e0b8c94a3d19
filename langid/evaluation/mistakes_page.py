"""The part of report.html on the most confident mistakes."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

import numpy as np

from langid.evaluation import markup
from langid.evaluation.mistakes import RATE, Mistake
from langid.evaluation.predictions import Predictions
from langid.plots import figure_png
from langid.sound_plots import draw_recording

COLUMNS = 400  # of a picture
CLASSES = 5  # whose posteriors are drawn
PLAYED_S = 20.0


def mistakes_section(mistakes: Sequence[Mistake], predictions: Predictions, audio: bool) -> str:
    """Return the section; without a mistake a sentence."""
    if predictions.unit != "utterance":
        return markup.paragraph("Scored are sequences of frames, which are no clips to look at.")
    if not mistakes:
        return markup.paragraph("None: every clip is right.")
    parts = [_mistake(one, predictions.classes, audio) for one in mistakes]
    if not audio:
        parts.insert(0, markup.paragraph("With audio=true they can be played here.", "note"))
    return "\n".join(parts)


def _mistake(one: Mistake, classes: Sequence[str], audio: bool) -> str:
    said = f"{one.true}, taken for {one.predicted} with {one.confidence:.1%}"
    parts = [f"<h3>{escape(said)}</h3>"]
    if one.reason:
        parts.append(markup.paragraph(f"Its sound is not there: {one.reason}.", "note"))
    if audio and len(one.samples):
        heard = one.samples[: int(PLAYED_S * RATE)]
        parts.append(markup.player(heard, RATE, f"{one.utterance_id}: {said}"))
    alt = f"Waveform, and posteriors over {one.seconds:.1f} s: {said}"
    parts.append(markup.picture(markup.image(_png(one, classes), alt), one.utterance_id))
    return f"<article>{''.join(parts)}</article>"


def _png(one: Mistake, classes: Sequence[str]) -> bytes:
    """Return waveform, posteriors of the classes that are likeliest or right, and what is said."""
    likeliest = np.argsort(-one.posteriors.mean(0), kind="stable")[:CLASSES].tolist()
    shown = sorted({*likeliest, classes.index(one.true)})
    count = min(COLUMNS, len(one.posteriors))
    of = np.minimum(np.arange(count) * len(one.posteriors) // count, len(one.posteriors) - 1)
    samples = one.samples if len(one.samples) else np.zeros(count)
    parts = np.array_split(samples, count)
    ends = np.array([(part.min(), part.max()) if len(part) else (0, 0) for part in parts])
    columns = np.column_stack([ends, one.speech[of], one.posteriors[of][:, shown]])
    step = one.seconds / count
    times_s = (np.arange(count) + 0.5) * step
    said = [classes[number] for number in one.posteriors[of].argmax(1)]
    timeline, place = [], 0
    for name, run in groupby(said):
        length = len(list(run))
        timeline.append((place * step, (place + length) * step, name))
        place += length
    names = [classes[number] for number in shown]
    return figure_png(draw_recording(times_s, columns, names, timeline, ""))
