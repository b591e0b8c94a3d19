"""langid prepare against a plain joblib loop, itself with one process, and the courses' own way.

All read the Common Voice 6.1 sample of all its locales from the same page cache, one after the
other in every round, and the medians count. ``langid prepare`` and the plain loop (soundfile, soxr
and the same features, nothing written) are commands with the same number of processes, timed from
start to end. Both run also with one process: what the loop, which shares nothing, gains by more is
what the machine allows. A second loop marks speech too, which the first leaves out. ``langid
prepare`` also runs with ``content=samples``, and once more when its store is there already.

The courses' way (librosa.load, effects.split, librosa MFCC) is one process on a part of the clips.
As people run it, its BLAS takes a thread per core and keeps all of them busy; so speed a core is
seconds of audio per second of processor time, the start of processes left out on both sides (of
langid, by a second run on one language, which is subtracted). The table also shows the courses' way
with BLAS on one thread.
"""

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from command_line import CommandLine
from figures import Figure, machine, print_table, verdict
from timed_command import Run, timed

HERE = Path(__file__).resolve().parent
RELEASE = "cv-corpus-6.1-2020-12-11"
SINGLE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
TIME_LIMIT, MEMORY_LIMIT_GB, COURSES_LIMIT = 1.15, 1.5, 2.5
SCALING_LIMIT, SAMPLES_LIMIT, NOTHING_LIMIT_S = 1.8, 1.1, 3.0


@dataclass
class Rounds:
    """All runs of each way, and the audio of the sample in seconds."""

    langid: list[Run] = field(default_factory=list)
    nothing: list[Run] = field(default_factory=list)  # langid where its store is there
    single: list[Run] = field(default_factory=list)  # langid with one process
    samples: list[Run] = field(default_factory=list)  # langid with content=samples
    start: list[Run] = field(default_factory=list)  # langid on one language only
    plain: list[Run] = field(default_factory=list)
    plain_single: list[Run] = field(default_factory=list)  # the plain loop with one process
    marked: list[Run] = field(default_factory=list)  # the loop that marks speech too
    courses: list[dict[str, float]] = field(default_factory=list)
    courses_single: list[dict[str, float]] = field(default_factory=list)
    audio_s: float = 0.0
    start_audio_s: float = 0.0
    clips: int = 0


def durations_of(manifest: Path) -> list[float]:
    """Return the seconds of every clip of a manifest that ``langid prepare`` wrote."""
    with open(manifest, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [float(row["duration_s"]) for row in rows]


def measure(release: Path, options: argparse.Namespace) -> Rounds:
    """Run all ways in turn, after one round of langid and the plain loop to warm up.

    A quick run has no warm-up.
    """
    result = Rounds()
    chosen = [f"corpus.locales=[{','.join(options.locales)}]"] if options.locales else []
    same_clips = ["--locales", *options.locales] if options.locales else []
    for number in range(1 if options.quick else 0, options.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, "-m", "langid", "prepare", "corpus=common_voice",
                f"corpus.root={release}",
            ]  # fmt: skip
            alone = [*command, *chosen, "workers=1", f"store={folder}/single.h5"]
            command.append(f"workers={options.processes}")
            whole = [*command, *chosen, f"store={folder}/all.h5"]
            run = timed(whole)
            other = [*command, *chosen, f"store={folder}/samples.h5", "content=samples"]
            more = [timed(line) for line in (whole, alone, other)] if number else []
            durations = durations_of(Path(folder) / "all.manifest.tsv")
            start = timed([*command, "corpus.locales=[en]", f"store={folder}/one.h5"])
            start_audio_s = sum(durations_of(Path(folder) / "one.manifest.tsv"))
        reference = [sys.executable, HERE / "plain_prepare.py"]
        where = [release, *same_clips]
        many = ["--processes", options.processes]
        plain = timed([*reference, "plain", *where, *many])
        print(f"round {number}: langid {run.wall_s:.1f} s, plain loop {plain.wall_s:.1f} s", end="")
        if number == 0:
            print(" (warm-up, not counted)", flush=True)
            continue
        result.plain_single.append(timed([*reference, "plain", *where, "--processes", 1]))
        result.marked.append(timed([*reference, "marked", *where, *many]))
        courses_way = [*reference, "courses", *where, "--every", options.every]
        courses = json.loads(timed(courses_way).output)
        single = json.loads(timed(courses_way, **SINGLE_THREAD).output)
        print(f", courses' way {courses['loop_s']:.1f} s on 1/{options.every} of the clips")
        result.langid.append(run)
        for runs, one in zip((result.nothing, result.single, result.samples), more, strict=True):
            runs.append(one)
        result.start.append(start)
        result.start_audio_s = start_audio_s
        result.plain.append(plain)
        result.courses.append(courses)
        result.courses_single.append(single)
        result.audio_s, result.clips = sum(durations), len(durations)
    return result


def report(rounds: Rounds, processes: int, quick: bool) -> int:
    """Print the table and the verdict, and return the exit code."""
    audio_s = rounds.audio_s
    langid_s, langid_cpu_s = (_median(rounds.langid, name) for name in ("wall_s", "cpu_s"))
    steady_audio_s = audio_s - rounds.start_audio_s
    steady_rate = steady_audio_s / (langid_cpu_s - _median(rounds.start, "cpu_s"))
    plain_s, plain_cpu_s = (_median(rounds.plain, name) for name in ("wall_s", "cpu_s"))
    peaks_gb = [max(run.peak_gb for run in runs) for runs in (rounds.langid, rounds.plain)]
    loop_s = statistics.median(json.loads(run.output)["loop_s"] for run in rounds.plain)
    rows = [
        ["", "processes", "wall s", "cpu s", "peak GB a process", "audio s per cpu s"],
        _row("langid prepare", processes, langid_s, langid_cpu_s, audio_s, peaks_gb[0]),
        ["  without the start of processes", str(processes), "", "", "",
         f"{steady_rate:.0f}"],
        *(
            _row(f"  {name}", count, _median(runs, "wall_s"), _median(runs, "cpu_s"), audio_s)
            for name, count, runs in (
                ("with one process", 1, rounds.single),
                ("content=samples", processes, rounds.samples),
                ("where the store is there", processes, rounds.nothing),
            )
        ),
        _row("plain joblib loop", processes, plain_s, plain_cpu_s, audio_s, peaks_gb[1]),
        ["  without the start of its command", str(processes), f"{loop_s:.1f}", "", "", ""],
        *(
            _row(f"  {name}", count, _median(runs, "wall_s"), _median(runs, "cpu_s"), audio_s)
            for name, count, runs in (
                ("with one process", 1, rounds.plain_single),
                ("with speech marks", processes, rounds.marked),
            )
        ),
    ]  # fmt: skip
    rates = []
    ways = {
        "courses' way, scaled to all clips": rounds.courses,
        "  with BLAS on one thread": rounds.courses_single,
    }
    for name, runs in ways.items():
        wall_s = audio_s * statistics.median(run["loop_s"] / run["audio_s"] for run in runs)
        cpu_s = audio_s * statistics.median(run["cpu_s"] / run["audio_s"] for run in runs)
        rows.append(_row(name, 1, wall_s, cpu_s, audio_s))
        rates.append(audio_s / cpu_s)
    alone = _median(rounds.plain_single, "wall_s") / plain_s
    print_table(f"{rounds.clips} clips, {audio_s / 3600:.2f} h; {machine()}", rows)
    print(
        f"the plain loop itself: one process against all {alone:.2f} x; langid against the loop"
        f" that marks speech too {langid_s / _median(rounds.marked, 'wall_s'):.2f} x its time"
    )
    found = figures(langid_s, plain_s, peaks_gb[0], steady_rate, rates[0])
    return verdict([*found, *figures_of_itself(rounds)], quick)


def _median(runs: Sequence[Run], name: str) -> float:
    return float(statistics.median(getattr(run, name) for run in runs))


def _row(
    name: str,
    processes: int,
    wall_s: float,
    cpu_s: float,
    audio_s: float,
    peak_gb: float | None = None,
) -> list[str]:
    peak = "" if peak_gb is None else f"{peak_gb:.2f}"
    return [name, f"{processes}", f"{wall_s:.1f}", f"{cpu_s:.1f}", peak, f"{audio_s / cpu_s:.0f}"]


def figures(
    langid_s: float, plain_s: float, peak_gb: float, langid_rate: float, courses_rate: float
) -> list[Figure]:
    """Return the figures; rates are seconds of audio per second of processor time."""
    speed = langid_rate / courses_rate
    return [
        Figure("time against a plain loop", langid_s / plain_s, TIME_LIMIT, " x"),
        Figure("peak memory of a process", peak_gb, MEMORY_LIMIT_GB, " GB"),
        Figure("speed a core against the courses' way", speed, COURSES_LIMIT, " x", at_least=True),
    ]


def figures_of_itself(rounds: Rounds) -> list[Figure]:
    """Return the figures of langid against itself, ratios within each round."""
    pairs = list(zip(rounds.langid, rounds.single, rounds.samples, strict=True))
    scaling = statistics.median(single.wall_s / run.wall_s for run, single, _ in pairs)
    samples = statistics.median(samples.wall_s / run.wall_s for run, _, samples in pairs)
    nothing_s = _median(rounds.nothing, "wall_s")
    return [
        Figure("one process against all", scaling, SCALING_LIMIT, " x", at_least=True),
        Figure("content=samples against features", samples, SAMPLES_LIMIT, " x"),
        Figure("a run with nothing to do", nothing_s, NOTHING_LIMIT_S, " s"),
    ]


def main() -> int:
    """Measure and return 0 where all figures hold, else 1."""
    parser = CommandLine(__doc__, rounds=1, processes=1, locales=["en", "hi"])
    default = os.environ.get("LANGID_DATA", str(HERE.parents[1] / "shared" / "data"))
    parser.add_argument("--data", default=default, help=f"folder that holds {RELEASE} ({default})")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (3)")
    parser.add_argument("--processes", type=int, default=2, help="processes of each (2)")
    parser.add_argument("--every", type=int, default=8, help="clip of the courses' way (each 8th)")
    parser.add_argument("--locales", nargs="+", help="of more than one language (all)")
    options = parser.options()
    release = Path(options.data).expanduser().resolve() / RELEASE
    if not release.is_dir():
        parser.error(f"{release}: no such folder; give the one that holds {RELEASE} by --data")
    return report(measure(release, options), options.processes, options.quick)


if __name__ == "__main__":
    sys.exit(main())
