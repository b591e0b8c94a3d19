"""A page that shows and plays what is done to a clip."""

import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from langid.audio.decode import read_audio
from langid.data_uri import png_uri, wav_uri
from langid.plots import figure_png
from langid.signal.acoustics.chain import WaveformAugment
from langid.signal.acoustics.sound import Sound, Told
from langid.signal.features import LogMel
from langid.signal.front_end import FrontEnd
from langid.signal.speech_detector import EnergyDetector
from langid.sound_plots import draw_sound

RATE = 16000
LONGEST_S = 20.0
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; max-width: 960px; margin: 2em auto; padding: 0 1em;
  color: #222; background: #fff; }}
section {{ border-top: 1px solid #ccc; padding: .5em 0 1em; }}
h2 {{ font-size: 1em; margin: .6em 0; }}
img, audio {{ width: 100%; display: block; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: .6em 0; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; }}
</style>
<h1>{title}</h1>
<p>{told}</p>
{sections}
</html>
"""
SECTION = """<section>
<h2>{title}</h2>
<audio controls preload="metadata" src="{sound}"></audio>
<img alt="Waveform and log-mel spectrum of: {title}" src="{picture}">
<dl>{drawn}</dl>
</section>"""


def preview(clip: Path, waveform: WaveformAugment, option: str, seeds: int) -> str:
    """Return a page in HTML, which needs no other file: the clip, and what each seed makes of it.

    A longer clip is cut at LONGEST_S. Raises AudioError for a file that cannot be heard.
    """
    whole = read_audio(clip, RATE)
    samples = whole[: int(LONGEST_S * RATE)]
    front_end = FrontEnd(features := LogMel(), EnergyDetector(features.hop_samples))
    samples = np.pad(samples, (0, -len(samples) % features.hop_samples), mode="edge")
    speech = front_end(torch.from_numpy(samples)[None])[1][0].numpy()
    cut = f" (the first {LONGEST_S:g} s)" if len(whole) > LONGEST_S * RATE else ""
    return PAGE.format(
        title=html.escape(f"{option}: {clip.name}"),
        told=html.escape(
            f"{clip}{cut}, as training with {option} would hear it. Grey is what is marked as"
            " speech. Pauses and babble are of other clips, and heard in training alone."
        ),
        sections="\n".join(_sections(Sound(samples, speech, RATE), waveform, front_end, seeds)),
    )


def _sections(
    sound: Sound, waveform: WaveformAugment, front_end: FrontEnd, seeds: int
) -> Iterator[str]:
    changed = [waveform(sound, np.random.default_rng(seed)) for seed in range(seeds)]
    longest_s = max(len(each.samples) for each, _ in [(sound, {}), *changed]) / RATE
    yield _section("as it is", sound, {}, front_end, longest_s)
    for seed, (each, drawn) in enumerate(changed):
        yield _section(f"seed {seed}", each, drawn or {"nothing": {}}, front_end, longest_s)


def _section(
    title: str, sound: Sound, drawn: dict[str, Told], front_end: FrontEnd, longest_s: float
) -> str:
    frames = front_end(torch.from_numpy(sound.samples)[None])[0][0].numpy()
    picture = draw_sound(sound.samples, sound.speech, frames, RATE, longest_s)
    rows = [
        f"<dt>{name}</dt><dd>"
        + html.escape(", ".join(f"{key} {value}" for key, value in told.items()))
        + "</dd>"
        for name, told in drawn.items()
    ]
    return SECTION.format(
        title=title,
        drawn="".join(rows),
        sound=wav_uri(sound.samples, RATE),
        picture=png_uri(figure_png(picture)),
    )
