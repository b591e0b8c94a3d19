"""Sound and pictures as addresses that hold them, for pages that need no other file."""

import base64
import io

import numpy as np
import soundfile


def wav_uri(samples: np.ndarray, rate: int) -> str:
    """Return float ``samples (samples,)`` as the address of a WAV file of 16 bits."""
    soundfile.write(wav := io.BytesIO(), samples, rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(wav.getvalue()).decode()}"


def png_uri(png: bytes) -> str:
    """Return a picture as an address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
