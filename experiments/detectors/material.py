"""What the network of detector=learned is trained on: clean clips in pauses, noise and bands."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from scipy.fft import irfft, next_fast_len
from torch import Tensor

from langid.audio.decode import AudioError, read_audio
from langid.corpora.common_voice import CommonVoice
from langid.progress import progress
from langid.signal.acoustics.bands import Band, Equaliser
from langid.signal.acoustics.sound import Draws, Sound, as_loud, looped, power
from langid.signal.frame_detectors import SileroDetector
from langid.signal.learned_detector import Bands

RATE, HOP = 16000, 160
CLIPS = 40  # of each locale, each of another speaker
CLEAN_DB = 30.0
LENGTH = 800  # hops of an example, 8 s
ALONE = 0.2  # of the examples: noise, tones and silence that begin and end at once
SWITCHED = 0.3  # of the others: noise that is switched on and off
KINDS = {"colour": 0.35, "music": 0.2, "babble": 0.15, "hum": 0.1, "bursts": 0.1, "none": 0.1}
Heard = tuple[Tensor, Tensor]  # bands and marks


def clean_sounds(release: Path, locales: list[str], draws: Draws) -> list[Sound]:
    """Return clean clips of different speakers, with the marks of Silero."""
    rows = CommonVoice(str(release), locales).read().utterances
    silero = SileroDetector(HOP, RATE)
    found, left, speakers = [], dict.fromkeys(locales, CLIPS), set()
    with progress("clean clips", "clips") as bar:
        for row in bar.track([rows[number] for number in draws.permutation(len(rows))]):
            locale = Path(row["path"]).parents[1].name
            if not left[locale] or row["speaker"] in speakers:
                continue
            try:
                sound = _marked(read_audio(Path(row["path"]), RATE), silero)
            except AudioError:
                continue
            if sound is not None:
                found.append(sound)
                speakers.add(row["speaker"])
                left[locale] -= 1
    return found


def _marked(clip: np.ndarray, silero: SileroDetector) -> Sound | None:
    """Return a clip with its marks, None where it is not clean."""
    hops = clip[: len(clip) // HOP * HOP].reshape(-1, HOP)
    if len(hops) < 100:
        return None
    marks = silero(torch.from_numpy(hops.reshape(1, -1)))[0].numpy()
    if not 20 < marks.sum() < len(marks) - 20:
        return None
    if power(hops[marks]) < power(hops[~marks]) * 10 ** (CLEAN_DB / 10):
        return None
    return Sound(hops.ravel(), marks, RATE)


def example(
    sounds: list[Sound], draws: Draws, kinds: dict[str, float], snr_db: float | None = None
) -> Sound:
    """Return LENGTH hops of a clip with pauses in noise; one in four has no speech at all."""
    if snr_db is None and draws.random() < ALONE:
        return no_speech(draws)
    sound = _with_pauses(sounds[draws.integers(len(sounds))], draws)
    level = sound.speech_power
    if snr_db is None and draws.random() < 0.05:
        sound = Sound(sound.samples * 0, sound.speech & False, RATE)
    samples = sound.samples + _at(coloured(len(sound.samples), draws), level, draws.uniform(25, 70))
    if snr_db is None:
        snr_db = draws.uniform(-5, 30)
    kind = draws.choice(list(kinds), p=np.array(list(kinds.values())) / sum(kinds.values()))
    if kind != "none":
        noise = _at(NOISES[kind](len(samples), draws, sounds), level, snr_db)
        if snr_db is None and draws.random() < SWITCHED:
            noise = noise * _switch(len(noise), draws)
        samples = samples + noise
    sound = Sound(samples.astype(np.float32), sound.speech, RATE)
    for chance, change in CHANGES:
        if draws.random() < chance:
            sound = change(sound, draws)[0]
    samples = sound.samples
    if draws.random() < 0.15:  # digital silence in what is no speech
        gate = sound.speech.copy()
        gate[draws.integers(len(gate)) :] = True
        samples = samples * np.repeat(gate, HOP)
    loud = 10 ** (draws.uniform(-40, 2) / 20) / max(1e-4, float(np.abs(samples).max()))
    return Sound((samples * np.float32(loud)).clip(-1, 1), sound.speech, RATE)


def no_speech(draws: Draws) -> Sound:
    """Return LENGTH hops of noise of all colours, tones and silence, at any level, cut hard."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < LENGTH * HOP:
        noise = draws.choice([coloured, hum, silence], p=[0.6, 0.25, 0.15])
        level = 10 ** (draws.uniform(-70, -3) / 10)
        parts.append(as_loud(noise(int(draws.exponential(1.5) * RATE) + HOP, draws), level))
    samples = np.concatenate(parts)[: LENGTH * HOP].astype(np.float32)
    return Sound(samples.clip(-1, 1), np.zeros(LENGTH, bool), RATE)


def _switch(count: int, draws: Draws) -> np.ndarray:
    """Return 1 where noise is heard and 0 where not, in turns of a second or so."""
    ends = np.cumsum(draws.exponential(RATE, size=100)).astype(int)
    turns = np.searchsorted(ends, np.arange(count), side="right") + draws.integers(2)
    return (turns % 2).astype(np.float32)


def _with_pauses(sound: Sound, draws: Draws) -> Sound:
    """Return LENGTH hops from anywhere in a clip that is repeated, with pauses between.

    One in two begins with a pause.
    """
    samples, marks = [], []
    hops = sound.samples.reshape(-1, HOP)
    while sum(map(len, marks)) < 2 * LENGTH:
        cut = draws.integers(len(hops))
        cut = cut if draws.random() < 0.3 else int(np.argmin(sound.speech[cut:]) + cut)
        for part in (slice(0, cut), slice(cut, None)):
            pause = int(draws.exponential(70))
            samples += [hops[part], np.zeros((pause, HOP), np.float32)]
            marks += [sound.speech[part], np.zeros(pause, bool)]
    start, pause = draws.integers(LENGTH), draws.integers(2) * int(draws.exponential(70))
    chosen = slice(start, start + max(0, LENGTH - pause))
    samples = [np.zeros((min(pause, LENGTH), HOP), np.float32), np.concatenate(samples)[chosen]]
    marks = [np.zeros(min(pause, LENGTH), bool), np.concatenate(marks)[chosen]]
    return Sound(np.concatenate(samples).ravel(), np.concatenate(marks), RATE)


def _at(noise: np.ndarray, level: float, snr_db: float) -> np.ndarray:
    return as_loud(noise, level / 10 ** (snr_db / 10))


def coloured(count: int, draws: Draws, sounds: object = None) -> np.ndarray:
    """Return noise whose power falls by a random exponent of frequency, -1 (blue) to 2.5."""
    size = next_fast_len(count, real=True)
    shape = (2, size // 2 + 1)
    real, imaginary = draws.standard_normal(shape, np.float32)
    tilt = np.maximum(np.arange(shape[1], dtype=np.float32), size / 500)
    return irfft((real + 1j * imaginary) * tilt ** np.float32(-draws.uniform(-1, 2.5) / 2))[:count]


def music(count: int, draws: Draws, sounds: object = None) -> np.ndarray:
    """Return tones with harmonics, several at a time, that are struck or held."""
    found = np.zeros(count, np.float32)
    step = int(draws.uniform(0.12, 0.8) * RATE)
    length = step * draws.integers(1, 4)
    for start in range(0, count, step):
        at = np.arange(min(length, count - start), dtype=np.float32) / RATE
        for _ in range(draws.integers(1, 5)):
            tone = _tone(55 * 2 ** (draws.integers(48) / 12), at, draws)
            fade = np.exp(-at * np.float32(draws.uniform(0, 8))) * np.minimum(1, at * 100)
            found[start : start + len(at)] += tone * fade
    if draws.random() < 0.6:
        found += _at(bursts(count, draws), power(found), draws.uniform(0, 20))
    return found


def _tone(hz: float, at: np.ndarray, draws: Draws) -> np.ndarray:
    """Return a tone with up to 20 harmonics, at times in seconds."""
    harmonics = np.arange(1, draws.integers(2, 21))
    weights = draws.uniform(0, 1, len(harmonics)) / harmonics ** draws.uniform(0.3, 2)
    spectrum = weights * np.exp(1j * draws.uniform(0, 6, len(harmonics)))
    period = irfft(np.concatenate([[0], spectrum]), 1024).astype(np.float32)
    return period[(at * np.float32(hz * 1024)).astype(np.int32) % 1024]


def babble(count: int, draws: Draws, sounds: list[Sound]) -> np.ndarray:
    """Return several other clips at once."""
    found = np.zeros(count, np.float32)
    for number in draws.choice(len(sounds), draws.integers(3, 7)):
        hops = sounds[number].samples.reshape(-1, HOP)[sounds[number].speech]
        found += as_loud(np.roll(looped(hops.ravel(), count), draws.integers(count)), 0.01)
    return found


def hum(count: int, draws: Draws, sounds: object = None) -> np.ndarray:
    """Return a steady tone with harmonics."""
    hz = draws.choice([50, 60, draws.uniform(80, 1500)])
    return _tone(hz, np.arange(count, dtype=np.float32) / RATE, draws)


def silence(count: int, draws: Draws) -> np.ndarray:
    """Return nothing, or a constant offset."""
    return np.full(count, draws.integers(2), np.float32)


def bursts(count: int, draws: Draws, sounds: object = None) -> np.ndarray:
    """Return noise that comes in strokes, even or uneven, or swells."""
    strokes = np.zeros(count, np.float32)
    gaps = draws.gamma(draws.choice([1, 30]), size=200) + 0.02
    at = np.cumsum(gaps / gaps.mean() * draws.uniform(0.08, 0.8) * RATE).astype(int)
    strokes[at[at < count]] = draws.uniform(0.3, 1, (at < count).sum())
    fade = np.exp(-np.arange(RATE // 2) / RATE / draws.uniform(0.01, 0.1)).astype(np.float32)
    size = next_fast_len(count + len(fade), real=True)
    spectrum = np.fft.rfft(strokes, size) * np.fft.rfft(fade, size)
    return coloured(count, draws) * irfft(spectrum, size)[:count].astype(np.float32)


NOISES = {"colour": coloured, "music": music, "babble": babble, "hum": hum, "bursts": bursts}
CHANGES = (
    (0.3, Equaliser(1, 10)),
    (0.25, Band(1, {"telephone": 1, "low_pass": 2}, (2000, 8000))),
)


def examples(
    sounds: list[Sound], count: int, draws: Draws, kinds: dict[str, float], snr_db: float | None
) -> Heard:
    """Return ``bands (count, LENGTH, BANDS)`` and marks of new examples."""
    with progress("examples", "examples") as bar:
        return heard(example(sounds, draws, kinds, snr_db) for _ in bar.track(range(count)))


def heard(sounds: Iterable[Sound]) -> Heard:
    """Return ``bands (sounds, LENGTH, BANDS)`` and marks."""
    layer = Bands(HOP, RATE)
    bands, marks = [], []
    for sound in sounds:
        samples = torch.from_numpy(sound.samples)[None]
        bands.append(layer(samples, layer.initial_state(1))[0][0])
        marks.append(torch.from_numpy(sound.speech))
    return torch.stack(bands), torch.stack(marks)
