"""Which formats of sound can be decoded here, by the decoder that langid uses."""

import io
from pathlib import Path

import numpy as np
import soundfile

from langid.audio.decode import BLOCK_S, AudioError, blocks_of
from langid.audio.excerpt import Excerpt
from langid.audio.native_stderr import native_stderr_off

RATE = 16000
FORMATS = {  # as libsndfile calls them
    "WAV": ("WAV", "PCM_16"),
    "FLAC": ("FLAC", "PCM_16"),
    "MP3": ("MP3", "MPEG_LAYER_III"),
    "Ogg Opus": ("OGG", "OPUS"),
    "Ogg Vorbis": ("OGG", "VORBIS"),
}


def reason_against(name: str) -> str:
    """Return why a second of a tone in a format cannot be decoded; nothing where it can."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    form, subtype = FORMATS[name]
    try:
        file = io.BytesIO()
        with native_stderr_off():
            soundfile.write(file, tone, RATE, format=form, subtype=subtype)
        heard = np.concatenate([*blocks_of(file, Excerpt(Path("tone")), RATE, BLOCK_S)])
    except (AudioError, soundfile.SoundFileError, ValueError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    kept = float(np.square(heard).sum() / np.square(tone).sum())
    return "" if 0.8 < kept < 1.25 else f"of the power of a tone {kept:.0%} is left"
