"""A training step in other acoustics against one without, from the same stored samples.

All are ``langid train experiment=gru`` itself, GRU 200 on 128 sequences of 500 frames, with
``data.workers=2``: with ``waveform=none``, ``light`` and ``field``. Workers load ahead, so that no
step alone tells what they cost: what counts is the time of all steps behind the first ones, of
trainings that take turns, and of each the fastest, as other load can only add to it. Beside it
stands the processor time of whole trainings, workers included, which other load does not change
and which is all that counts where every processor is busy. Sound is noise in bursts of syllables.
The first table is what each transform takes for a second of sound, on one thread, when it is made.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from omegaconf import OmegaConf
from synthetic_sound import RATE, synthetic_sound
from train_step import BATCH, FRAMES, HOP, train, write_store

from langid.commands.configuration import root
from langid.signal.acoustics.chain import Acoustics
from langid.signal.acoustics.codecs import RATES
from langid.signal.acoustics.sound import Sound

LIMIT = 1.3
OPTIONS = ("none", "light", "field")
WARM_UP = 12  # steps, in which workers start, load ahead and make their rooms
SOUNDS = 8  # of five seconds that each transform is timed on


class Pace:
    """When steps ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, _: Any, batch: Any, __: int) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())

    def step_s(self, first: int) -> float:
        """Return the mean seconds of the steps behind the first ones."""
        return (self.ends[-1] - self.ends[first]) / (len(self.ends) - 1 - first)


Times = dict[str, list[tuple[float, float]]]


def processor_s() -> float:
    """Return the processor time of this process and of workers that have ended."""
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(rounds: int, steps: int, batch: int, frames: int) -> Times:
    """Train in turns; return the seconds of a step, and of processors, of each training."""
    seconds: Times = {option: [] for option in OPTIONS}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "samples.h5"
        write_store(store, (steps + WARM_UP + 2) * batch, frames, content="samples")
        for number in range(rounds):
            for option in OPTIONS:
                pace, before = Pace(), processor_s()
                train(
                    pace.on_train_batch_end,
                    "experiment=gru",
                    "trainer.accelerator=cpu",
                    f"waveform={option}",
                    f"store={store}",
                    f"output={folder}/{option}-{number}",
                    f"data.batch_size={batch}",
                    f"data.sequence_frames={frames}",
                    "data.workers=2",
                    "trainer.max_epochs=1",
                )
                step_s = pace.step_s(min(WARM_UP, len(pace.ends) - 2))
                seconds[option].append((step_s, (processor_s() - before) / len(pace.ends)))
    return seconds


def transform_ms(sounds: int) -> dict[str, tuple[float, float]]:
    """Return milliseconds for a second of sound, and the probability, of each transform."""
    field: Any = OmegaConf.to_container(OmegaConf.load(root("conf") / "waveform" / "field.yaml"))
    del field["_target_"]
    speech = np.ones(500, bool)
    clips = np.split(synthetic_sound(5.0 * sounds), sounds)
    others = {"pause": lambda count, _: clips[0][:count], "babble": lambda count, _: None}
    heard = [Sound(clip, speech, RATE, others) for clip in clips]
    found = {}
    for name, arguments in field.items():
        share = arguments["probability"]
        made = {name: arguments | {"probability": 1}}
        found[name] = _ms_a_second(Acoustics(**made), heard), share
        kinds = arguments["kinds"] if name == "codec" else {}
        for kind in kinds:
            made = {name: {"probability": 1, "kinds": {kind: 1}}}
            of_kind = share * kinds[kind] / sum(kinds.values())
            found[f"  {kind}"] = _ms_a_second(Acoustics(**made), heard), of_kind
    assert set(RATES) == set(field["codec"]["kinds"])
    return found


def _ms_a_second(chain: Callable[..., Any], sounds: list[Sound]) -> float:
    """Return the processor time of a second of sound; what is made once was made before."""
    times = []
    for _ in range(2):
        started, draws = time.process_time(), np.random.default_rng(0)
        for sound in sounds:
            chain(sound, draws)
        times.append(time.process_time() - started)
    return 1e3 * times[-1] / sum(len(sound.samples) / RATE for sound in sounds)


def figures(none_s: float, light_s: float, field_s: float) -> list[Figure]:
    """Return the figures of the fastest trainings."""
    return [
        Figure(f"training step with waveform={name} against none", own / none_s, LIMIT, " x")
        for name, own in (("light", light_s), ("field", field_s))
    ]


def main() -> int:
    """Measure and return 0 where the figures hold, else 1."""
    parser = CommandLine(__doc__, rounds=1, steps=2, batch=16, frames=50, sounds=1)
    parser.add_argument("--rounds", type=int, default=2, help="trainings of each (2)")
    parser.add_argument("--steps", type=int, default=16, help="of each training that count (16)")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"sequences in one ({BATCH})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"in a sequence ({FRAMES})")
    parser.add_argument("--sounds", type=int, default=SOUNDS, help=f"of 5 s, timed on ({SOUNDS})")
    options = parser.options()
    rows = [["transform", "ms a second", "probability", "ms on average"]]
    for name, (taken, share) in transform_ms(options.sounds).items():
        rows.append([name, f"{taken:.2f}", f"{share:.3f}", f"{taken * share:.3f}"])
    print_table("waveform=field, one thread, of a second of sound", rows)
    seconds = measure(options.rounds, options.steps, options.batch, options.frames)
    rows = [["waveform", "fastest ms", "median ms", "processor ms of a step"]]
    best = []
    for option, times in seconds.items():
        step, used = np.array(times).T * 1e3
        best.append(float(step.min()))
        rows.append([option, *(f"{of:.1f}" for of in (step.min(), np.median(step), used.min()))])
    size = f"{options.batch} x {options.frames} frames of hops of {HOP} samples"
    print_table(f"{size}, GRU 200, two workers; {machine()}", rows)
    return verdict(figures(*best), options.quick)


if __name__ == "__main__":
    sys.exit(main())
