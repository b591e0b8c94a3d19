"""The part of report.html on the most confident mistakes."""

from collections.abc import Sequence
from html import escape

from langid import markup
from langid.evaluation.mistake_picture import mistake_svg
from langid.evaluation.mistakes import RATE, Mistake
from langid.evaluation.predictions import Predictions

PLAYED_S = 20.0


def mistakes_section(mistakes: Sequence[Mistake], predictions: Predictions, audio: bool) -> str:
    """Return the section; without a mistake a sentence."""
    if predictions.unit != "utterance":
        return markup.paragraph("Scored are sequences of frames, which are no clips to look at.")
    if not mistakes:
        return markup.paragraph("None: every clip is right.")
    parts = [_mistake(one, predictions.classes, audio) for one in mistakes]
    notes = [] if audio else ["With audio=true they can be played here."]
    if predictions.heard_s is not None:
        seconds = f"{predictions.heard_s:g} s from its first speech on"
        notes.append(f"Of each clip there is what was heard: {seconds}.")
    if notes:
        parts.insert(0, markup.paragraph(" ".join(notes), "note"))
    return "\n".join(parts)


def _mistake(one: Mistake, classes: Sequence[str], audio: bool) -> str:
    said = f"{one.true}, taken for {one.predicted} with {one.confidence:.1%}"
    parts = [f"<h3>{escape(said)}</h3>"]
    if one.reason:
        parts.append(markup.paragraph(f"Its sound is not there: {one.reason}.", "note"))
    if audio and len(one.samples):
        heard = one.samples[: int(PLAYED_S * RATE)]
        parts.append(markup.player(heard, RATE, f"{one.utterance_id}: {said}"))
    label = f"Waveform, and posteriors over {one.seconds:.1f} s: {said}"
    parts.append(markup.picture(mistake_svg(one, classes, label), one.utterance_id))
    return f"<article>{''.join(parts)}</article>"
