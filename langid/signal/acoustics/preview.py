"""A page that shows and plays what is done to a clip."""

from pathlib import Path

import numpy as np
import torch

from langid import markup
from langid.audio.decode import read_audio
from langid.plots import figure_svg
from langid.signal.acoustics.chain import WaveformAugment
from langid.signal.acoustics.sound import Sound, Told
from langid.signal.features import LogMel
from langid.signal.front_end import FrontEnd
from langid.signal.learned_detector import LearnedDetector
from langid.sound_plots import draw_sound

RATE = 16000
LONGEST_S = 20.0


def preview(clip: Path, waveform: WaveformAugment, option: str, seeds: int) -> str:
    """Return a page in HTML, which needs no other file: the clip, and what each seed makes of it.

    A longer clip is cut at LONGEST_S. Raises AudioError for a file that cannot be heard.
    """
    whole = read_audio(clip, RATE)
    samples = whole[: int(LONGEST_S * RATE)]
    front_end = FrontEnd(features := LogMel(), LearnedDetector(features.hop_samples))
    samples = np.pad(samples, (0, -len(samples) % features.hop_samples), mode="edge")
    speech = front_end(torch.from_numpy(samples)[None])[1][0].numpy()
    cut = f" (the first {LONGEST_S:g} s)" if len(whole) > LONGEST_S * RATE else ""
    told = (
        f"{clip}{cut}, as training with {option} would hear it. Grey is what is marked as speech."
        " Pauses and babble are of other clips, and heard in training alone."
    )
    sections = _sections(Sound(samples, speech, RATE), waveform, front_end, seeds)
    return markup.page(f"{option}: {clip.name}", markup.paragraph(told), sections)


def _sections(
    sound: Sound, waveform: WaveformAugment, front_end: FrontEnd, seeds: int
) -> dict[str, str]:
    changed = [waveform(sound, np.random.default_rng(seed)) for seed in range(seeds)]
    longest_s = max(len(each.samples) for each, _ in [(sound, {}), *changed]) / RATE
    sections = {"as it is": _heard("as it is", sound, front_end, longest_s)}
    for seed, (each, drawn) in enumerate(changed):
        name = f"seed {seed}"
        sections[name] = _heard(name, each, front_end, longest_s) + _drawn(drawn)
    return sections


def _heard(name: str, sound: Sound, front_end: FrontEnd, longest_s: float) -> str:
    frames = front_end(torch.from_numpy(sound.samples)[None])[0][0].numpy()
    picture = draw_sound(sound.samples, sound.speech, frames, RATE, longest_s)
    seen = "Waveform, marks of speech and log-mel spectrum"
    drawn = figure_svg(picture, f"{seen}: {name}")
    return markup.player(sound.samples, RATE, name) + markup.picture(drawn, seen)


def _drawn(drawn: dict[str, Told]) -> str:
    told = {
        name: ", ".join(f"{key} {value}" for key, value in values.items())
        for name, values in drawn.items()
    }
    return markup.facts(told or {"nothing": ""})
