"""What a sweep needs beside Hydra: folders that stay, jobs that are not repeated, a summary."""

import collections
import hashlib
import itertools
import json
import math
import os
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.table import Table

from langid.commands.configuration import compose, resolved, values_of
from langid.commands.first_step import after_first_step
from langid.commands.text_keys import bare
from langid.errors import LangidError, show_traceback
from langid.exclusive import InUse, exclusively
from langid.terminal import console

LONGEST_NAME = 200  # bytes; most file systems take 255
DECIDING = ("experiment", "trainer", "resume")  # whether a job can be one of many
USERS_ERRORS = (LangidError, HydraException, OmegaConfBaseException, OSError)


def job_folder(overrides: Sequence[str], *, _root_: DictConfig) -> str:
    """Return the name of a job's folder, the same whenever the same job is asked for.

    It is made of all overrides but ``output`` and ``trusted``, in alphabetical order, with the
    values that ``${KEY}`` has in the configuration ``_root_``; a long one is cut and ends with a
    part of its hash.
    """
    words = []
    for override in sorted(_interpolated(str(override), _root_) for override in overrides):
        key, _, value = override.partition("=")
        if key == "store":
            override = f"store={Path(value).stem}"
        if key not in ("output", "trusted"):
            words.append(override.replace("/", "_"))
    name = ",".join(words) or "job"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name.encode()[: LONGEST_NAME - 13].decode(errors='ignore')},{digest}"


def _interpolated(override: str, config: DictConfig) -> str:
    """Return an override as people read it, with the value that it has in a configuration."""
    if "${" not in override.replace("\\", ""):  # with which Hydra keeps it from being replaced
        return bare(override)
    key = override.partition("=")[0]
    return f"{key}={OmegaConf.select(config, key.lstrip('+'))}"


def check_one_of_many(config: DictConfig, whole: str, run: str) -> None:
    """Raise LangidError where one of many trainings in a process resumes, or takes many devices."""
    if config.resume is not None:
        raise LangidError(
            f"resume= belongs to a single run; {whole} that was killed goes on when the same line"
            " is typed again"
        )
    trainer: Any = OmegaConf.to_container(config.trainer, resolve=False)
    for key in ("devices", "num_nodes"):
        value = trainer.get(key, 1)
        if str(value) != "1" and not (isinstance(value, list) and len(value) == 1):
            raise LangidError(
                f"trainer.{key}={value}: {run} runs on one device, because the processes of the"
                " other devices would each start the whole command again; take"
                f" trainer.{key}=1, or train these runs one by one"
            )


class Sweep:
    """The jobs of a sweep, and how each of them ended.

    ``overrides`` are those given, with a folder that does not depend on the time. A launcher may
    run jobs in other processes, so how they ended goes through a file in that folder: a line of
    JSON when a job begins, and one when it ends. Raises LangidError for several devices per job and
    for ``resume``, before anything starts.
    """

    def __init__(self, overrides: list[str], name: str | None):
        read = OverridesParser.create().parse_overrides(overrides)
        values = {override.get_key_element(): values_of(override) for override in read}
        place = ["output=runs/${name}"]
        self.overrides = overrides if "output" in values else overrides + place
        values.setdefault("output", place)
        tried = [
            of if key.lstrip("+").split(".")[0] in DECIDING else of[:1]
            for key, of in values.items()
        ]
        for combination in itertools.product(*tried):
            config = compose("train", list(combination), name)
            check_one_of_many(config, "a sweep", "a job of a sweep")
        self.keys = {key for key, of in values.items() if len(of) > 1}
        self.total = math.prod(map(len, values.values()))
        journal = f"jobs.{socket.gethostname()}.{os.getpid()}.jsonl"  # of this sweep alone
        self.journal = Path(str(config.output)).expanduser().resolve() / journal
        self.journal.unlink(missing_ok=True)

    @property
    def jobs(self) -> dict[int, tuple[str, str]]:
        """The jobs begun, by number: the name of each, and how it ended."""
        if not self.journal.is_file():
            return {}
        lines = map(json.loads, self.journal.read_text(encoding="utf-8").splitlines())
        held = {number: (name, ended) for number, name, ended in lines}  # the last line counts
        return dict(sorted(held.items()))

    @property
    def failed(self) -> bool:
        """Whether any job has failed."""
        return any(ended.startswith("failed: ") for _, ended in self.jobs.values())

    def run(self, config: DictConfig, command: Callable[[DictConfig], None]) -> None:
        """Run a job unless it is finished; what goes wrong is printed and raised."""
        from langid.training.resume import State, prepare_resume, state_of

        settings = HydraConfig.get()
        chosen = [item for item in settings.overrides.task if item.partition("=")[0] in self.keys]
        number, name = settings.job.num, ", ".join(map(bare, chosen)) or "the only one"
        title = f"job {number} ({name})"
        print(title, flush=True)
        self._note(number, name, "interrupted")  # unless another line follows
        try:
            output = Path(settings.runtime.output_dir)
            with exclusively("output", output):
                held = state_of(output, after_first_step(resolved(config, output)))
                if held.state is State.FINISHED:
                    self._note(number, name, "skipped, was finished")
                    return
                config.resume = prepare_resume(held)
                command(config)
        except InUse as error:
            print(f"langid: {title}: {error}", file=sys.stderr)
            self._note(number, name, "skipped, is being trained")
            return
        except Exception as error:
            reason = str(error) or type(error).__name__
            self._note(number, name, f"failed: {reason}")
            print(f"langid: {title} failed: {reason}", file=sys.stderr)
            if isinstance(error, USERS_ERRORS):
                show_traceback()
            else:
                traceback.print_exc()
            raise
        self._note(number, name, "finished")

    def _note(self, number: int, name: str, ended: str) -> None:
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps([number, name, ended]) + "\n")

    def end(self) -> None:
        """Print how each job ended, and how many ended how."""
        table = Table("job", "what", "how it ended", title="sweep")
        jobs = self.jobs
        self.journal.unlink(missing_ok=True)
        if not jobs:
            return
        for number, job in jobs.items():
            table.add_row(str(number), *job)
        console().print(table)
        counts = collections.Counter(ended.partition(": ")[0] for _, ended in jobs.values())
        if self.total > len(jobs):
            counts["not begun"] = self.total - len(jobs)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        print(f"{self.total} jobs: {told}", flush=True)
