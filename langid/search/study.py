"""A study of Optuna whose trials are runs of ``langid train``."""

import contextlib
import datetime
import functools
import gc
import sqlite3
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from langid.differences import differing
from langid.errors import LangidError, show_traceback
from langid.search.pruning import Pruning
from langid.search.space import Space, told
from langid.training.resume import (
    SHOWN_DIFFERENCES,
    State,
    decisions,
    prepare_resume,
    state_of,
)
from langid.training.run import train
from langid.training.run_description import without_runtime
from langid.training.run_record import FILE, RunRecord

NAME = "langid"  # of the study in its database
Values = Mapping[str, Any]


class Study:
    """The trials of a study, those of earlier calls included.

    ``configure`` returns the configuration of a training in a folder, plain and resolved, with the
    values of a trial; ``space`` is what trials differ in, and ``begun`` is called when one begins.
    The study lies in ``folder``/study.db and the runs beside it. Raises LangidError where the
    folder holds another study.
    """

    def __init__(
        self,
        folder: Path,
        space: Space,
        configure: Callable[[Values, Path], dict[str, Any]],
        begun: Callable[[RunRecord], None],
        pruner: optuna.pruners.BasePruner,
    ):
        self.folder = folder
        self.space = space
        self.configure = configure
        self.begun = begun
        config = configure({}, folder)
        self.seed: int = config["seed"]
        self.study = open_study(folder / "study.db", pruner)
        self._check_same(config)

    def _check_same(self, config: dict[str, Any]) -> None:
        """Write down what is searched, or compare it with what was written down before."""
        asked = decisions(config) | {
            f"tune.{key}": told(distribution) for key, distribution in self.space.items()
        }
        held = self.study.user_attrs.get("search")
        if held is None:
            self.study.set_user_attr("search", asked)
        elif differences := differing(without_runtime(held), asked, "the study"):
            raise LangidError(
                f"{self.folder} holds another study"
                f" ({'; '.join(differences[:SHOWN_DIFFERENCES])}); choose another output=DIR"
            )

    def run(self, trials: int) -> None:
        """Run trials until ``trials`` have ended; one that was killed goes on."""
        started, before = time.monotonic(), self._ended()
        for ended in range(before + 1, trials + 1):
            trial = self._next()
            values = {key: trial._suggest(key, kind) for key, kind in self.space.items()}
            print(f"trial {trial.number:3d}  {short(values)}", end="  ", flush=True)
            outcome = self._run_trial(trial, values)
            gc.collect()  # a trainer refers to itself, and the next trial needs its memory
            pace = (time.monotonic() - started) / (ended - before)
            rest = datetime.timedelta(seconds=round(pace * (trials - ended)))
            print(f"{outcome}  {pace:.1f} s a trial, {trials - ended} left: {rest}", flush=True)

    def _ended(self) -> int:
        return sum(trial.state.is_finished() for trial in self.study.trials)

    def _next(self) -> optuna.Trial:
        """Return the trial that a kill left open, or a new one.

        Each draws with a seed of its own, so a study that was killed draws what it would have
        drawn, and nothing twice.
        """
        running = self.study.get_trials(states=(TrialState.RUNNING,))
        number = running[0].number if running else len(self.study.trials)
        (seed,) = np.random.SeedSequence([self.seed, number]).generate_state(1)
        self.study.sampler = optuna.samplers.TPESampler(seed=int(seed))
        return optuna.Trial(self.study, running[0]._trial_id) if running else self.study.ask()

    def _run_trial(self, trial: optuna.Trial, values: dict[str, Any]) -> str:
        """Train as the trial says, tell the study how it ended, and say it in words."""
        folder = self.folder_of(trial)
        folder.mkdir(exist_ok=True)
        with (folder / "output.txt").open("a", encoding="utf-8") as file:
            try:
                with contextlib.redirect_stdout(file):
                    best = self._train(trial, values, folder)
            except optuna.TrialPruned as pruned:
                print(f"pruned {pruned}", file=file)
                status, state, said = "pruned", TrialState.PRUNED, f"pruned {pruned}"
            except Exception as error:
                traceback.print_exc(file=file)
                show_traceback()
                reason = (str(error) or type(error).__name__).splitlines()[0]
                status, state, said = "failed", TrialState.FAIL, f"failed: {reason} ({file.name})"
            else:
                trial.set_user_attr("best", best)
                self.study.tell(trial, best["balanced_accuracy"])
                return f"balanced accuracy {best['balanced_accuracy']:.3f}, loss {best['loss']:.3f}"
        if (folder / FILE).is_file() and (record := RunRecord.read(folder)).status == "started":
            replace(record, status=status).write(folder)
        self.study.tell(trial, state=state)
        return said

    def _train(self, trial: optuna.Trial, values: Values, folder: Path) -> dict[str, Any]:
        config = self.configure(values, folder)
        held = state_of(folder, config)
        if held.state is State.FINISHED:  # killed before the study was told
            return RunRecord.read(folder).best
        resumed = config | {"resume": prepare_resume(held)}
        record = train(resumed, [Pruning(trial)], self.begun)
        assert record is not None  # of one device
        return record.best

    def folder_of(self, trial: optuna.Trial | optuna.trial.FrozenTrial) -> Path:
        """Return the folder of a trial's run."""
        return self.folder / f"trial-{trial.number:03d}"

    def best(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that finished, the best first.

        Of two with the same balanced accuracy the one with the lower loss is better.
        """
        trials = self.study.get_trials(states=(TrialState.COMPLETE,))
        return sorted(
            trials, key=lambda trial: (-(trial.value or 0), trial.user_attrs["best"]["loss"])
        )


def open_study(path: Path, pruner: optuna.pruners.BasePruner) -> optuna.Study:
    """Return the study in a database; raises LangidError where the file is something else."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A trial that goes on may report an epoch again, and the first report is kept.
    warnings.filterwarnings("ignore", message=".*already reported.*")
    # Not by URL: a blank or one of % ? { } in the name of a folder would mean something there.
    connect = functools.partial(sqlite3.connect, path, check_same_thread=False)
    try:
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})
        return optuna.create_study(
            storage=storage, study_name=NAME, direction="maximize", load_if_exists=True,
            pruner=pruner,
        )  # fmt: skip
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise LangidError(f"{path}: not a study of langid tune ({reason})") from error


def short(values: Values) -> str:
    """Return values in few characters, for people."""
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in values.items()
    )
