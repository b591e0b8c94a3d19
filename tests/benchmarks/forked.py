"""Scripts in processes of their own, forked from one that has loaded what most of them need."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LOADED = ("langid.export.onnx", "langid.training.fitting", "networkx", "sympy.combinatorics")
TIMEOUT_S = 240


def run_script(
    script: Path, arguments: Sequence[str], printed: Path, variables: Mapping[str, str]
) -> int | None:
    """Run a script and return its exit code, None after too long.

    ``printed`` gets its output, and a file beside it of the suffix ``.errors`` its errors.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    process = context.Process(target=_run, args=(script, arguments, printed, variables))
    process.start()
    process.join(TIMEOUT_S)
    if process.exitcode is None:
        process.kill()
    return process.exitcode


def _run(
    script: Path, arguments: Sequence[str], printed: Path, variables: Mapping[str, str]
) -> None:
    for stream, path in ((1, printed), (2, printed.with_suffix(".errors"))):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), stream)
    multiprocessing.set_start_method(None, force=True)  # as of a script that nobody forked
    os.environ |= variables
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")
