"""All changes of a sound, in the order in which they come about."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from langid.build import not_taken
from langid.errors import LangidError
from langid.signal.acoustics.bands import Band, Equaliser
from langid.signal.acoustics.codecs import Codec
from langid.signal.acoustics.level import Clipping, Gain
from langid.signal.acoustics.noise import Noise
from langid.signal.acoustics.packets import PacketLoss
from langid.signal.acoustics.rooms import Room
from langid.signal.acoustics.sound import Draws, Refused, Sound, Told, Transform
from langid.signal.acoustics.timing import LeadingSilence, Shift, Speed, Tempo

# From the mouth through room, microphone and line to the listener.
TRANSFORMS: dict[str, type[Transform]] = {
    "speed": Speed,
    "tempo": Tempo,
    "room": Room,
    "noise": Noise,
    "equaliser": Equaliser,
    "band": Band,
    "gain": Gain,
    "clipping": Clipping,
    "codec": Codec,
    "packet_loss": PacketLoss,
    "shift": Shift,
    "leading_silence": LeadingSilence,
}


class WaveformAugment:
    """What changes sounds in training, and there alone, before features are made of them."""

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, dict[str, Told]]:
        """Return the changed sound, and by name what was drawn of each change that was made.

        Lengths may change, and marks of speech follow. All that is random comes from ``draws``.
        """
        raise TypeError(f"{type(self).__name__} does not say how a sound is changed")


class Acoustics(WaveformAugment):
    """Another recording of the same speech: each transform with a probability of its own.

    ``transforms`` are the arguments of those in TRANSFORMS, in whose order they are made; those
    that are not given are not made. Raises LangidError for others and for odd values.
    """

    def __init__(self, **transforms: Any):
        if unknown := [name for name in transforms if name not in TRANSFORMS]:
            raise LangidError(
                f"waveform.{unknown[0]}: no such transform; accepted are {', '.join(TRANSFORMS)}"
            )
        self.transforms = {
            name: _transform(name, transforms[name]) for name in TRANSFORMS if name in transforms
        }

    def __call__(self, sound: Sound, draws: Draws) -> tuple[Sound, dict[str, Told]]:
        told = {}
        for name, transform in self.transforms.items():
            if draws.random() < transform.probability:
                sound, told[name] = transform(sound, draws)
                sound = _within_full_scale(sound)
        return sound, told


def _transform(name: str, arguments: Any) -> Transform:
    made = TRANSFORMS[name]
    if not isinstance(arguments, Mapping):
        raise LangidError(f"waveform.{name}={arguments}: expected keys with values")
    if unknown := not_taken(made, arguments):
        raise LangidError(f"waveform.{name}.{unknown[0]}: no such key of {made.__name__}")
    try:
        return made(**arguments)
    except (Refused, TypeError) as error:  # TypeError: a key is missing
        raise LangidError(f"waveform.{name}.{error}") from error


def _within_full_scale(sound: Sound) -> Sound:
    """Return the sound, softer where it would be cut off: that is for Clipping alone."""
    peak = float(np.abs(sound.samples).max(initial=0.0))
    return replace(sound, samples=sound.samples / np.float32(peak)) if peak > 1 else sound
