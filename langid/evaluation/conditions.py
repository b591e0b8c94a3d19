"""Acoustic conditions that utterances are heard in, and sounds in which nobody speaks."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from langid.audio.decode import AudioError
from langid.corpora.manifest import COLUMNS
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.errors import LangidError
from langid.signal.acoustics.chain import Acoustics
from langid.signal.acoustics.music import synthetic_music
from langid.signal.acoustics.noise import coloured
from langid.signal.acoustics.sound import Draws, Sound

SNRS_DB = (20, 10, 5, 0)
COLOURS = ("white", "pink")
# Of each condition the arguments of Acoustics; a range of one number is that number.
CONDITIONS: dict[str, dict[str, dict[str, Any]]] = {
    "telephone band": {"band": {"kinds": {"telephone": 1}, "cutoff_hz": [3400, 3400]}},
    "MP3 at 16 kbit/s": {"codec": {"kinds": {"mp3": 1}, "kbit_s": [16]}},
    **{
        f"{colour} noise at {snr_db} dB": {
            "noise": {"snr_db": [snr_db, snr_db], "kinds": {"colour": 1}, "colours": [colour]}
        }
        for colour in COLOURS
        for snr_db in SNRS_DB
    },
    "reverberation of 0.5 s": {"room": {"t60_s": [0.5, 0.5], "distance_m": [1, 3]}},
    "20 dB louder, cut off at full scale": {"gain": {"db": [20, 20], "overdriven": True}},
    "20 dB softer": {"gain": {"db": [-20, -20]}},
    "5 % of the samples clipped": {"clipping": {"share": [0.05, 0.05]}},
    "1 s of silence before it": {"leading_silence": {"seconds": [1, 1]}},
}
SPEECHLESS: dict[str, Callable[[int, int, Draws], np.ndarray]] = {
    "music": synthetic_music,
    "white noise": lambda count, rate, draws: coloured("white", count, draws),
    "pink noise": lambda count, rate, draws: coloured("pink", count, draws),
    "digital silence": lambda count, rate, draws: np.zeros(count, np.float32),
}
SPEECHLESS_CLIPS = 50  # of each kind
SPEECHLESS_S = 5.0
PAUSES_S = 0.5  # what an utterance has at least, to be heard by its pauses alone


class UtterancesAgain:
    """Rows of a store with their samples.

    Of a store of features clips are decoded again; raises LangidError for one that cannot be.
    """

    def __init__(self, store: Store, rows: Sequence[int]):
        self.store, self.rows = store, rows
        self.samples = StoredSamples(store, store.description["sample_rate"])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[dict[str, str], np.ndarray]:
        row = int(self.rows[number])
        cells = {name: str(self.store.columns[name][row]) for name in COLUMNS}
        return cells, self._heard(self._sound(row), cells["utterance_id"])

    def _heard(self, sound: Sound, utterance_id: str) -> np.ndarray:
        """Return the samples that are heard of an utterance."""
        raise TypeError(f"{type(self).__name__} does not say what is heard of an utterance")

    def _sound(self, row: int) -> Sound:
        """Return an utterance in whole hops of the store's, as many as it has marks."""
        try:
            samples = self.samples(row)
        except AudioError as error:
            raise LangidError(
                f"store={self.store.path}: holds features, so that clips are decoded again, and one"
                f" cannot be ({error}); put it back, or prepare and train with content=samples"
            ) from error
        speech = self.store.read_speech(*self.store.offsets[row : row + 2])
        count = len(speech) * self.store.description["hop_samples"]
        samples = np.pad(samples[:count], (0, max(0, count - len(samples))), mode="edge")
        return Sound(samples, np.asarray(speech), self.store.description["sample_rate"])


class ChangedUtterances(UtterancesAgain):
    """Rows of a store with their samples in a condition.

    What is drawn depends on the condition and the ``utterance_id`` alone: all networks hear the
    same.
    """

    def __init__(self, store: Store, rows: Sequence[int], name: str):
        super().__init__(store, rows)
        arguments = {key: {"probability": 1} | own for key, own in CONDITIONS[name].items()}
        self.name, self.change = name, Acoustics(**arguments)

    def _heard(self, sound: Sound, utterance_id: str) -> np.ndarray:
        return self.change(sound, draws_of(self.name, utterance_id))[0].samples


class Pauses(UtterancesAgain):
    """What the store's detector marks as no speech, one after the other, of rows of a store.

    Rows with less than PAUSES_S of it are left out: ``rows`` are those that are there.
    """

    def __init__(self, store: Store, rows: Sequence[int]):
        frames = PAUSES_S * store.frames_per_second
        quiet = [np.sum(~store.read_speech(*store.offsets[row : row + 2])) for row in rows]
        super().__init__(
            store, [row for row, count in zip(rows, quiet, strict=True) if count >= frames]
        )

    def _heard(self, sound: Sound, utterance_id: str) -> np.ndarray:
        return np.asarray(sound.samples[~np.repeat(sound.speech, sound.hop_samples)])


class WithoutSpeech:
    """Sounds in which nobody speaks: SPEECHLESS_CLIPS of each kind, told by ``recording``."""

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate

    def __len__(self) -> int:
        return SPEECHLESS_CLIPS * len(SPEECHLESS)

    def __getitem__(self, number: int) -> tuple[dict[str, str], np.ndarray]:
        kind = list(SPEECHLESS)[number // SPEECHLESS_CLIPS]
        name = f"{kind} {number % SPEECHLESS_CLIPS}"
        count = round(SPEECHLESS_S * self.sample_rate)
        samples = SPEECHLESS[kind](count, self.sample_rate, draws_of(kind, name))
        named = {"utterance_id": name, "recording": kind, "duration_s": f"{SPEECHLESS_S:.3f}"}
        peak = max(1.0, float(np.abs(samples).max()))
        return dict.fromkeys(COLUMNS, "") | named, samples / np.float32(peak)


def draws_of(condition: str, utterance_id: str) -> Draws:
    """Return the draws of an utterance in a condition, the same everywhere."""
    digest = hashlib.sha256(f"{condition}\n{utterance_id}".encode()).digest()
    return np.random.default_rng(list(digest))
