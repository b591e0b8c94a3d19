"""What is measured of the sound of one clip."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import welch

from langid.signal.features import LogMel

QUIETEST = 0.15  # share of a clip's frames that counts as non-speech
RATE = 16000  # at which all clips are measured
BANDS = 40
F_MIN = 20.0  # hertz
SPECTRUM_WINDOW = 512  # samples
BANDWIDTH_DB = 60.0  # below the strongest frequency
TOP = 0.985  # of the clip's peak
LAST_S = 0.05
ALL_BUT_SILENT = 1e-12  # power: -120 dB


@dataclass(frozen=True)
class Measurements:
    """Levels in dB of full scale, of one clip.

    ``loudness_db`` is that of its speech, of all where there is none; ``noise_floor_db`` that of
    its quietest 15 % of frames; ``bandwidth_hz`` the highest frequency within 60 dB of the
    strongest; ``peak`` the largest sample; ``flat_share`` the share of samples within 1.5 % of
    it, of which clipping leaves many; ``end_db`` the level of the last 50 ms against the speech.
    ``quiet (2 * bands,)`` are mean and standard deviation of the log-mel bands over the quietest
    frames.
    """

    loudness_db: float
    noise_floor_db: float
    leading_silence_s: float
    bandwidth_hz: float
    peak: float
    flat_share: float
    end_db: float
    quiet: np.ndarray


def measure(samples: np.ndarray, speech: np.ndarray) -> Measurements:
    """Return what is measured of ``samples (samples,)``, float32, with ``speech (time,) bool``."""
    powers = np.square(samples - samples.mean())
    first = speech.argmax() if speech.any() else len(speech)
    heard = _stretched(speech, len(samples)) if speech.any() else np.ones(len(samples), bool)
    loudness_db = _decibels(powers[heard].mean())
    quiet, noise_floor_db = _quietest(samples)
    magnitudes = np.abs(samples)
    return Measurements(
        loudness_db=loudness_db,
        noise_floor_db=noise_floor_db,
        leading_silence_s=float(first * len(samples) / len(speech) / RATE),
        bandwidth_hz=_bandwidth(samples),
        peak=float(magnitudes.max()),
        flat_share=float((magnitudes > TOP * magnitudes.max()).mean()),
        end_db=_decibels(powers[-round(LAST_S * RATE) :].mean()) - loudness_db,
        quiet=quiet,
    )


def band_edges() -> np.ndarray:
    """Return the frequencies in hertz, ``(bands + 2,)``, between which the bands lie."""
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (F_MIN, RATE / 2))
    return np.asarray(700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1))


def _quietest(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """Return mean and deviation of bands over the quietest frames, and the level of these."""
    bands = _bands()
    with torch.inference_mode():
        frames = bands(torch.from_numpy(samples)[None])[0].numpy()
    powers = np.exp(frames).sum(1) / (bands.n_fft / 2)
    chosen = np.argsort(powers, kind="stable")[: max(1, round(QUIETEST * len(powers)))]
    values = frames[chosen]
    return np.concatenate([values.mean(0), values.std(0)]), _decibels(powers[chosen].mean())


def _bandwidth(samples: np.ndarray) -> float:
    frequencies, power = welch(samples, RATE, nperseg=min(SPECTRUM_WINDOW, len(samples)))
    return float(frequencies[power >= power.max() * 10 ** (-BANDWIDTH_DB / 10)].max())


def _stretched(speech: np.ndarray, length: int) -> np.ndarray:
    """Return the marks of frames as marks of samples, ``(length,) bool``."""
    frame = -(-length // len(speech))
    marks: np.ndarray = np.repeat(speech, frame)[:length]
    return marks


def _decibels(power: float) -> float:
    return float(10 * np.log10(power + ALL_BUT_SILENT))


@functools.cache
def _bands() -> LogMel:
    bands = LogMel(RATE, n_mels=BANDS, f_min=F_MIN)
    bands.use_fft = True
    return bands
