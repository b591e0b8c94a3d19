"""A few clips to see and to play: some of each class, and one of each kind that is damaged."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
import torch

from langid import markup
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.inspection.clips import Clips
from langid.inspection.measurements import RATE
from langid.plots import figure_svg
from langid.signal.features import LogMel
from langid.sound_plots import draw_sound

SHOWN, MOST = 12, 24  # clips, where that is one of each class at least
LONGEST_S = 8.0
SEED = 0
SPAN = (1, 99)  # percentiles of the values that a picture tells apart


def heard_clips(report: Mapping[str, Any], store: Store, clips: Clips) -> Iterator[str]:
    """Yield what a page has of each clip; raises AudioError for one that has gone meanwhile."""
    samples_of = StoredSamples(store, RATE)
    places = {name: row for row, name in clips.table["utterance_id"].items()}
    for name, why in _chosen(report, clips).items():
        yield _clip(name, why, clips.table.loc[places[name]], samples_of, places[name])


def _chosen(report: Mapping[str, Any], clips: Clips) -> dict[str, str]:
    """Return the clips to show, and what each stands for."""
    classes = list(report["classes"])
    each = max(1, SHOWN // len(classes))
    mixed = clips.table.sample(frac=1, random_state=SEED)
    chosen = mixed.groupby("class", sort=False).head(each).sort_values("class")
    shown = dict(zip(chosen["utterance_id"], chosen["class"], strict=True))
    shown = dict(list(shown.items())[:MOST])
    for finding in report["findings"]:
        if finding["clips"] and isinstance(finding["clips"][0], str):
            shown[finding["clips"][0]] = finding["kind"]
    return shown


def _clip(name: str, why: str, row: Any, samples_of: StoredSamples, place: int) -> str:
    store = samples_of.store
    samples = samples_of(place)
    whole_s = len(samples) / RATE
    share = min(1.0, LONGEST_S / whole_s)
    samples = samples[: round(share * len(samples))]
    first, stop = store.offsets[place : place + 2]
    values, speech = store.read(first, first + max(1, round(share * (stop - first))))
    frames, bins, span = _frames(store, values, samples)
    cut = f", the first {LONGEST_S:g}" if share < 1 else ""
    told = (
        f"{row['class']}, {whole_s:.1f} s{cut}; {row['loudness_db']:.0f} dB,"
        f" noise floor {row['noise_floor_db']:.0f} dB, bandwidth {row['bandwidth_hz']:.0f} Hz"
    )
    drawn = draw_sound(samples, speech, frames, RATE, len(samples) / RATE, bins, span)
    label = escape(f"Waveform, marks of speech and {bins} of {name}", quote=True)
    heading = f"{why}: {name}"
    parts = [
        f"<h3>{escape(heading)}</h3>",
        markup.player(samples, RATE, heading),
        markup.picture(figure_svg(drawn, label), told),
    ]
    return f"<article>{''.join(parts)}</article>"


def _frames(
    store: Store, values: np.ndarray, samples: np.ndarray
) -> tuple[np.ndarray, str, tuple[float, float]]:
    """Return what stands below a waveform, its name, and the range of its values.

    These are the features of a store, or of samples their log-mel spectrum.
    """
    bins = "features"
    if store.content.name == "samples":
        bins = "mel bands"
        values = LogMel(RATE)(torch.from_numpy(samples)[None])[0].numpy()
    low, high = np.percentile(values.astype(float), SPAN)
    return values.astype(np.float32), bins, (float(low), float(high) + 1e-6)
