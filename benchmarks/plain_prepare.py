"""The references of prepare.py: plain loops without and with speech marks, and the courses' way.

prepare.py starts this file in a process of its own; it prints one line of JSON.
"""

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLE_RATE = 16000


def clips_of(release: Path, locales: list[str] | None) -> list[Path]:
    """Return the clips of some locales of a release, by default of all."""
    clips = sorted(release.glob("*/clips/*.mp3"))
    return [clip for clip in clips if locales is None or clip.parents[1].name in locales]


@functools.cache
def features() -> Callable[..., object]:
    """Return langid's default features, once per process, on one thread."""
    import torch

    from langid.signal.features import MFCC

    torch.set_num_threads(1)
    mfcc = MFCC(sample_rate=SAMPLE_RATE)
    mfcc.use_fft = True
    return mfcc


@functools.cache
def detector() -> Callable[..., object]:
    """Return langid's default detector, once per process."""
    from langid.signal.learned_detector import LearnedDetector

    found = LearnedDetector(SAMPLE_RATE // 100, SAMPLE_RATE)
    found.by_runtime = True
    return found


def decoded(path: Path) -> Any:
    """Return the samples of a clip ``(1, samples)``: soundfile and soxr, no more."""
    import soundfile
    import soxr
    import torch

    samples, rate = soundfile.read(path, dtype="float32")
    return torch.from_numpy(soxr.resample(samples, rate, SAMPLE_RATE))[None]


def plain(path: Path) -> int:
    """Return the number of frames of a clip, of which the same features as langid's are made."""
    import torch

    with torch.inference_mode():
        return int(features()(decoded(path)).shape[1])  # type: ignore[attr-defined]


def marked(path: Path) -> int:
    """Return the number of speech frames of a clip, of which features are made too."""
    import torch

    samples = decoded(path)
    with torch.inference_mode():
        features()(samples)
        return int(detector()(samples).sum())  # type: ignore[attr-defined]


def courses(path: Path) -> float:
    """Return the seconds of a clip after what the EE599 course's script does with it."""
    import librosa
    import numpy as np

    samples, _ = librosa.load(path, sr=SAMPLE_RATE)
    intervals = librosa.effects.split(samples, top_db=50)  # type: ignore[attr-defined]
    speech = np.concatenate([samples[start:stop] for start, stop in intervals])
    librosa.feature.mfcc(y=speech, sr=SAMPLE_RATE, n_mfcc=64, n_fft=400, hop_length=160)
    return len(samples) / SAMPLE_RATE


def run_loop(way: str, paths: list[Path], processes: int) -> dict[str, float]:
    """Return frames and seconds of a joblib loop, the start of its processes included."""
    import joblib
    import plain_prepare  # so that workers import it: __main__ is pickled

    call = joblib.delayed(getattr(plain_prepare, way))
    started = time.perf_counter()
    frames = sum(joblib.Parallel(n_jobs=processes)(call(path) for path in paths))
    return {"frames": frames, "loop_s": time.perf_counter() - started}


def run_courses(paths: list[Path]) -> dict[str, float]:
    """Return seconds of audio, of work and of processor time of all threads.

    A warm-up comes first, in which librosa loads its parts and numba compiles.
    """
    for path in paths[:5]:
        courses(path)
    started, processor = time.perf_counter(), time.process_time()
    audio_s = sum(courses(path) for path in paths)
    return {
        "audio_s": audio_s,
        "loop_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - processor,
    }


def main() -> int:
    """Run the reference that is asked for and print what it measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("plain", "marked", "courses"))
    parser.add_argument("release", type=Path, help="a Common Voice release folder")
    parser.add_argument("--processes", type=int, default=2, help="processes of the joblib loop")
    parser.add_argument("--every", type=int, default=1, help="take only each n-th clip")
    parser.add_argument("--locales", nargs="+", help="whose clips (all)")
    options = parser.parse_args()
    paths = clips_of(options.release, options.locales)[:: options.every]
    if options.way == "courses":
        result = run_courses(paths)
    else:
        result = run_loop(options.way, paths, options.processes)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
