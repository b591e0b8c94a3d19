"""Clean clips of real speech, with pauses whose places are known, under noise of known loudness."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from synthetic_sound import RATE

from langid.audio.decode import read_audio
from langid.corpora.common_voice import CommonVoice
from langid.data.acoustics import VOICES
from langid.signal.acoustics.music import synthetic_music
from langid.signal.acoustics.noise import coloured
from langid.signal.acoustics.sound import Draws, Sound, as_loud, looped

HOP = 160
CLEAN_DB = 45.0  # by which a clean clip's loud hops stand out of its quiet ones
STRICT_DB = 25.0  # below the loud hops, down to which a hop is speech for certain
ROOM_DB = 40.0  # by which speech stands out of the room that is everywhere
KINDS = ("white", "pink", "babble", "music")


@dataclass(frozen=True)
class Spoken:
    """A clip with pauses in it: ``sound`` marks what is speech for certain, ``paused`` the rest.

    ``paused (hops,)`` are the pauses that were put in; hops that are neither are not judged.
    """

    language: str
    sound: Sound
    paused: np.ndarray


def clean_clips(release: Path, locales: list[str], most: int, draws: Draws) -> list[Spoken]:
    """Return at most so many clips of each locale, each of another speaker, with pauses."""
    rows = CommonVoice(str(release), locales).read().utterances
    found: list[Spoken] = []
    for language in dict.fromkeys(row["language"] for row in rows):
        own = [row for row in rows if row["language"] == language]
        speakers: set[str] = set()
        for row in (own[number] for number in draws.permutation(len(own))):
            if len(speakers) < most and row["speaker"] not in speakers:
                spoken = with_pauses(read_audio(Path(row["path"]), RATE), language, draws)
                if spoken is not None:
                    speakers.add(row["speaker"])
                    found.append(spoken)
    return found


def with_pauses(clip: np.ndarray, language: str, draws: Draws) -> Spoken | None:
    """Return a clip with pauses, together as long as its speech; None for one that is not clean.

    They stand before, within (where the clip is quietest) and behind what it says. Low room noise
    is heard over it all, so that no pause can be told by being digital silence.
    """
    hops = clip[: len(clip) // HOP * HOP].reshape(-1, HOP)
    level = np.convolve(hops.var(axis=1), np.ones(3) / 3, "same")
    loud, quiet = np.percentile(level, [95, 10])
    if loud < quiet * 10 ** (CLEAN_DB / 10):
        return None
    spoken = level >= loud / 10 ** (STRICT_DB / 10)
    first, last = np.flatnonzero(spoken)[[0, -1]]
    hops, level, spoken = (each[first : last + 1] for each in (hops, level, spoken))
    third = len(hops) // 3
    middle = third + int(level[third : 2 * third].argmin())
    pauses = (draws.dirichlet([5, 5, 5]) * len(hops)).astype(int)
    cuts = np.repeat([0, middle, len(hops)], pauses)
    samples = np.insert(hops, cuts, 0, axis=0).ravel()
    sound = Sound(samples, np.insert(spoken, cuts, False), RATE)
    paused = np.insert(np.zeros(len(hops), bool), cuts, True)
    return Spoken(language, noisy(sound, coloured("pink", len(samples), draws), ROOM_DB), paused)


def noisy(sound: Sound, noise: np.ndarray, snr_db: float) -> Sound:
    """Return a sound with a noise so far below its speech."""
    louder = as_loud(noise, sound.speech_power / 10 ** (snr_db / 10))
    return sound.with_samples(sound.samples + louder)


def conditions(clips: list[Spoken], snrs: list[int], draws: Draws) -> Iterator[tuple[str, Spoken]]:
    """Yield every clip as it is (``clean``), and under each kind of noise at each SNR, by name."""
    for clip in clips:
        yield "clean", clip
        for kind in KINDS:
            noise = _noise(kind, clip, clips, draws)
            for snr_db in snrs:
                sound = noisy(clip.sound, noise, snr_db)
                yield f"{kind} {snr_db}", Spoken(clip.language, sound, clip.paused)


def _noise(kind: str, clip: Spoken, clips: list[Spoken], draws: Draws) -> np.ndarray:
    count = len(clip.sound.samples)
    if kind == "music":
        return synthetic_music(count, RATE, draws)
    if kind == "babble":
        voices = [other for other in clips if other.language != clip.language]
        babble = np.zeros(count, np.float32)
        for number in draws.choice(len(voices), draws.integers(VOICES[0], VOICES[1] + 1)):
            hops = voices[number].sound.samples.reshape(-1, HOP)[~voices[number].paused]
            babble += as_loud(np.roll(looped(hops.ravel(), count), draws.integers(count)), 0.01)
        return babble
    return coloured(kind, count, draws)
