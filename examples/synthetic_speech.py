"""A small English, Hindi and Mandarin corpus, synthesised offline in Common Voice's layout.

eSpeak NG (GPL) speaks in worker processes of its own: the calling process never loads it.
"""

import argparse
import ctypes
import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from synthetic_sentences import sentences

from langid.errors import LangidError
from langid.progress import progress

SAMPLE_RATE = 16_000
CLIPS_PER_VOICE = 4
CLIPS_PER_PROCESS = 12  # fixed, because eSpeak's samples depend on what its process said before
PARTS = ("train", "dev", "test")
COLUMNS = "client_id path sentence up_votes down_votes age gender accents locale segment"

# eSpeak's voices for each locale, with the accent in Common Voice's words.
VOICES = {
    "en": (("en-us", "United States English"), ("en-gb-x-rp", "England English")),
    "hi": (("hi", ""),),
    "zh-CN": (("cmn", ""),),
}
# eSpeak's human-like variants, without near copies: the parts of the corpus must not share one.
VARIANTS = {
    "female": "f1 f2 f3 f4 f5 Alicia Andrea Annie grandma steph",
    "male": "m1 m2 m3 m4 m5 m6 m7 Alex Andy Gene Jacky Mike antonio edward gustave max paul quincy "
    "robert victor",
}
Samples = NDArray[np.float64]
Cast = list[tuple[str, str]]  # variants with their genders


@dataclass(frozen=True)
class Clip:
    """One recording to make: its place in the corpus, its words and its voice."""

    part: str
    locale: str
    path: str
    sentence: str
    seed: int  # of silence, room, noise and level
    voice: str  # eSpeak's language voice and variant, as in "en-us+f2"
    pitch: int  # on eSpeak's scale, 0 to 99
    rate: int  # words per minute
    gender: str
    accents: str

    def row(self) -> str:
        """Return the clip's line of Common Voice's table."""
        client_id = f"{self.voice}-p{self.pitch}-r{self.rate}"
        votes, age, segment = ("2", "0"), "", ""
        known = (self.gender, self.accents, self.locale)
        return "\t".join((client_id, self.path, self.sentence, *votes, age, *known, segment))


def plan(clips_per_language: int, seed: int) -> list[Clip]:
    """Draw every clip; no two parts share a sentence or (in any language) a variant."""
    rng = default_rng(seed)
    cast: dict[str, Cast] = {part: [] for part in PARTS}
    for gender, names in VARIANTS.items():
        shuffled = rng.permutation(names.split()).tolist()
        for part, cut in _share(len(shuffled)).items():
            cast[part] += [(variant, gender) for variant in shuffled[cut]]
    clips = []
    for locale in VOICES:
        texts = rng.permutation(sentences(locale)).tolist()
        for part, cut in _share(clips_per_language).items():
            own, voices = texts[_share(len(texts))[part]], _voices(locale, cast[part], rng)
            for index, number in enumerate(range(clips_per_language)[cut]):
                if index % CLIPS_PER_VOICE == 0:
                    voice = next(voices)
                path, noise = f"synthetic_{locale}_{number:05d}.wav", int(rng.integers(2**32))
                clips.append(Clip(part, locale, path, own[index % len(own)], noise, **voice))
    return clips


def _share(total: int) -> dict[str, slice]:
    """Cut ``total`` things into 60 % train, 20 % dev and 20 % test."""
    held_out = round(total / 5)
    dev, test = total - 2 * held_out, total - held_out
    return {"train": slice(dev), "dev": slice(dev, test), "test": slice(test, total)}


def _voices(locale: str, cast: Cast, rng: Generator) -> Iterator[dict[str, Any]]:
    """Draw voices without end: every variant once, then again with other settings."""
    for turn in itertools.count():
        for index, (variant, gender) in enumerate(rng.permutation(cast).tolist()):
            name, accents = VOICES[locale][(index + turn) % len(VOICES[locale])]
            pitch, rate = int(rng.integers(30, 71)), int(rng.integers(135, 186))
            voice = {"voice": f"{name}+{variant}", "pitch": pitch, "rate": rate}
            yield voice | {"gender": gender, "accents": accents}


def degrade(speech: Samples, rng: Generator) -> Samples:
    """Place speech (16 kHz) between silences, in a random room, with random noise and level."""
    before_s, after_s = rng.uniform(0.2, 0.5, 2)
    padding = int(before_s * SAMPLE_RATE), int(after_s * SAMPLE_RATE)
    dry = np.pad(_unit_power(speech), padding)
    # The room: exponentially decaying noise, 60 dB down after RT60, below the direct sound.
    rt60_s, tail_db = rng.uniform(0.1, 0.4), rng.uniform(-12, -3)
    time_s = np.arange(1, int(rt60_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    impulse = np.concatenate(([1.0], tail * 10 ** (tail_db / 20) / np.linalg.norm(tail)))
    size = 1 << (len(dry) + len(impulse)).bit_length()  # numpy's FFT is slow at prime sizes
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(impulse, size))[: len(dry)]
    # White or pink noise; as the speech has unit power, its level is the ratio.
    spectrum = np.fft.rfft(rng.standard_normal(size))
    if rng.integers(2):
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    snr_db, peak_dbfs = rng.uniform(15, 35), rng.uniform(-20, -1)
    noise = _unit_power(np.fft.irfft(spectrum)[: len(dry)])
    noisy: Samples = wet + noise * 10 ** (-snr_db / 20)
    return noisy * float(10 ** (peak_dbfs / 20) / np.abs(noisy).max())


def _unit_power(samples: Samples) -> Samples:
    return samples / float(np.sqrt(np.mean(samples**2)))


class Espeak:
    """eSpeak NG; its state is global, so that a process can hold only one."""

    def __init__(self) -> None:
        """Load the library, and change to its data folder: longer paths than 158 bytes fail."""
        try:
            loader = importlib.import_module("espeakng_loader")
        except ImportError as error:
            message = "the demo corpus needs eSpeak NG: pip install 'langid-speech[demo]'"
            raise LangidError(message) from error
        self._library = ctypes.CDLL(loader.get_library_path())
        self._data = Path(loader.get_data_path())
        os.chdir(self._data)
        synchronous, do_not_exit = 2, 0x8000
        self.sample_rate = self._library.espeak_Initialize(synchronous, 0, b".", do_not_exit)
        _refuse(self.sample_rate <= 0, f"eSpeak NG cannot read its data in {self._data}")
        self._library.espeak_ng_SetRandSeed(1)  # otherwise breath is noise seeded by the clock
        self._chunks: list[bytes] = []
        receiver = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        # An attribute, because the library does not keep the callback alive.
        self._callback = receiver(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def speak(self, text: str, voice: str, pitch: int, rate: int) -> Samples:
        """Return ``text`` as samples (at ``sample_rate``, in Hz) without silence at the ends."""
        # An unknown variant is not reported, and after an unknown voice the last one speaks on.
        known = Path("voices", "!v", voice.partition("+")[2]).is_file()
        known = known and self._library.espeak_SetVoiceByName(voice.encode()) == 0
        _refuse(not known, f"eSpeak NG has no voice {voice!r}; take one from {self._data}")
        statuses = [self._library.espeak_SetParameter(*p, 0) for p in ((1, rate), (3, pitch))]
        _refuse(any(statuses), f"eSpeak NG refuses the rate {rate} or the pitch {pitch}")
        self._chunks.clear()
        data, utf8 = ctypes.create_string_buffer(text.encode()), 1
        size = ctypes.c_size_t(len(data))
        status = self._library.espeak_Synth(data, size, 0, 0, 0, utf8, None, None)
        speech = np.frombuffer(b"".join(self._chunks), np.int16) / 2**15
        loud = np.flatnonzero(np.abs(speech) > 0.01)
        _refuse(status != 0 or not loud.size, f"eSpeak NG as {voice!r} does not say {text!r}")
        return speech[loud[0] : loud[-1] + 1]


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise LangidError(message)


def _render(clips: Sequence[Clip], output: Path) -> None:
    """Speak, degrade and write clips in this process, which must be a fresh one."""
    output, espeak = output.absolute(), Espeak()
    for clip in clips:
        speech = espeak.speak(clip.sentence, clip.voice, clip.pitch, clip.rate)
        speech = soxr.resample(speech, espeak.sample_rate, SAMPLE_RATE)
        path = output / clip.locale / "clips" / clip.path
        samples = degrade(speech, default_rng(clip.seed))
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")


def _render_elsewhere(clips: Sequence[Clip], output: Path) -> None:
    """Have a fresh process render clips."""
    command = [sys.executable, __file__, str(output), "--batch"]
    script = json.dumps([asdict(clip) for clip in clips])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    worker = subprocess.run(command, input=script, env=env, capture_output=True, text=True)
    failure = worker.stderr.strip() or f"eSpeak NG's process ended with code {worker.returncode}"
    _refuse(worker.returncode != 0, failure)


def _render_all(clips: Sequence[Clip], output: Path, workers: int) -> None:
    batches = [clips[i : i + CLIPS_PER_PROCESS] for i in range(0, len(clips), CLIPS_PER_PROCESS)]
    with progress("synthesis", "clips") as bar, ThreadPoolExecutor(workers) as pool:
        task = bar.add_task("", total=len(clips))
        done = pool.map(lambda batch: _render_elsewhere(batch, output), batches)
        for batch, _ in zip(batches, done, strict=True):
            bar.advance(task, len(batch))


def _write_tables(clips: Sequence[Clip], output: Path) -> None:
    for locale, part in itertools.product(VOICES, PARTS):
        rows = [clip.row() for clip in clips if (clip.locale, clip.part) == (locale, part)]
        table = "\n".join((COLUMNS.replace(" ", "\t"), *rows, ""))
        (output / locale / f"{part}.tsv").write_text(table, encoding="utf-8", newline="\n")


def synthesise(
    output: Path, clips_per_language: int = 120, seed: int = 0, workers: int | None = None
) -> None:
    """Write the corpus to ``output``, whole or not at all, with ``workers`` processes at a time."""
    workers = (os.cpu_count() or 1) if workers is None else workers
    few = f"clips per language: found {clips_per_language}, give 5 or more, some for each part"
    _refuse(clips_per_language < 5, few)
    _refuse(seed < 0, f"seed: found {seed}, give 0 or more")
    _refuse(workers < 1, f"workers: found {workers}, give 1 or more")
    output = output.absolute()
    free = not output.exists() or (output.is_dir() and not any(output.iterdir()))
    _refuse(not free, f"{output}: found something there already, give a new or an empty folder")
    output.parent.mkdir(parents=True, exist_ok=True)
    clips = plan(clips_per_language, seed)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as folder:
        draft = Path(folder, "corpus")
        for locale in VOICES:
            (draft / locale / "clips").mkdir(parents=True)
        _render_all(clips, draft, workers)
        _write_tables(clips, draft)
        if output.exists():
            output.rmdir()  # Windows does not rename onto an empty folder
        draft.rename(output)


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder to make; it must be new or empty")
    parser.add_argument("--clips-per-language", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes at a time; default: one per core")
    parser.add_argument("--batch", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    try:
        if args.batch:
            _render([Clip(**clip) for clip in json.load(sys.stdin)], args.output)
        else:
            synthesise(args.output, args.clips_per_language, args.seed, args.workers)
            print(f"{args.clips_per_language} clips each of {', '.join(VOICES)} in {args.output}")
    except LangidError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
