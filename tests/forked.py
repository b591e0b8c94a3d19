"""Python in processes of its own, forked from one that has loaded what most of them need."""

import atexit
import contextlib
import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any, TextIO

LOADED = (
    "langid.commands.main", "langid.data.prepare", "langid.evaluation.report",
    "langid.export.onnx", "langid.export.windowed", "langid.signal.features",
    "langid.training.run", "networkx", "optuna", "pytest", "sympy.combinatorics",
)  # fmt: skip
TIMEOUT_S = 300.0


class Forked:
    """A process that does what ``python ARGUMENTS`` does, without the time that loading takes.

    ``arguments`` are ``-m MODULE ...`` or ``SCRIPT ...``; the current folder is on no path, as by
    ``-P``. It has what tests need of ``subprocess.Popen``: ``stdout`` and ``stderr`` are pipes of
    text, or the files that are given. ``limits`` are those of ``resource``, by their numbers.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: IO[Any] | None = None,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | int | None = None,
        limits: Mapping[int, int] | None = None,
    ):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LOADED))
        self.stdout: TextIO | None = None
        self.stderr: TextIO | None = None
        with contextlib.ExitStack() as ours:
            nothing = ours.enter_context(open(os.devnull))
            if stdout is None:
                self.stdout, stdout = _pipe(ours)
            if stderr is None:
                self.stderr, stderr = _pipe(ours)
            errors = stdout if isinstance(stderr, int) else stderr  # subprocess.STDOUT
            streams = [_Passed(file.fileno()) for file in (stdin or nothing, stdout, errors)]
            words, place = [str(word) for word in arguments], str(cwd or Path.cwd())
            given = (words, place, dict(env or os.environ), dict(limits or {}), streams)
            self._process = context.Process(target=_run, args=given)
            self._process.start()
        self.pid: int = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float = TIMEOUT_S) -> int:
        self._process.join(timeout)
        code = self.returncode
        if code is None:
            self.kill()
            raise subprocess.TimeoutExpired("python", timeout)
        return code

    def communicate(self, timeout: float = TIMEOUT_S) -> tuple[str, str]:
        texts = [stream.read() if stream else "" for stream in (self.stdout, self.stderr)]
        self.wait(timeout)
        return texts[0], texts[1]

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def run(arguments: Sequence[object], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Return what a process has printed and its exit code, as ``subprocess.run`` does."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        with Forked(arguments, stdout=out, stderr=errors, **options) as process:
            code = process.wait()
        texts = []
        for file in (out, errors):
            file.seek(0)
            texts.append(file.read())
    return subprocess.CompletedProcess([str(word) for word in arguments], code, *texts)


def _pipe(files: contextlib.ExitStack) -> tuple[TextIO, IO[Any]]:
    """Return the end of a pipe to read from, and the other, which is closed with some files."""
    read, write = os.pipe()
    return open(read, encoding="utf-8"), files.enter_context(open(write, "wb"))


class _Passed:
    """An open file that goes to another process."""

    def __init__(self, number: int):
        self.number = number

    def __getstate__(self) -> Any:
        return reduction.DupFd(self.number)

    def __setstate__(self, sent: Any) -> None:
        self.number = sent.detach()


def _run(
    words: list[str],
    place: str,
    variables: dict[str, str],
    limits: dict[int, int],
    streams: list[_Passed],
) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.number, number)
        os.close(stream.number)
    sys.stdin = os.fdopen(0, closefd=False)
    os.chdir(place)
    os.environ.clear()
    os.environ |= variables
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    multiprocessing.set_start_method(None, force=True)  # what else it was started by
    module = words[0] == "-m"
    sys.argv = words[1:] if module else words
    try:
        if module:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(Path(words[0]).parent))
            runpy.run_path(words[0], run_name="__main__")
    finally:
        threading._shutdown()  # in Python's order, of which a forked process leaves out the end
        atexit._run_exitfuncs()
