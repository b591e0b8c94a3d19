"""Search for values that train better: Optuna's TPE, unpromising trials pruned.

Takes every key and group of langid train. What is searched is tune=OPTION (conf/tune): keys with
low and high, or choices; tune.optimizer.lr.high=0.1 changes a bound, ~tune.silence takes a key out,
and a key given on the command line is not searched. Each trial is a run of langid train in
output/trial-NNN. Its score is the balanced accuracy on validation, never on test, of the epoch that
best.ckpt holds, the best by select=; pruning compares the same figure after each epoch with the
median of the trials before. The same line again goes on after a kill. The last line printed trains
the best trial again.

Examples:
  langid tune experiment=gru store=trio.h5 trials=50 output=tuning
  langid tune experiment=gru store=trio.h5 tune=recurrent silence=mask tune.optimizer.lr.high=0.003
"""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.table import Table

from langid.commands.configuration import compose, groups, plain_of, resolved, typed
from langid.commands.override_check import check_overrides
from langid.commands.paths import path_of
from langid.commands.sweep import check_one_of_many
from langid.commands.train import print_start
from langid.errors import LangidError
from langid.exclusive import exclusive_folder
from langid.terminal import console, print_named

if TYPE_CHECKING:  # Optuna need not be there
    from langid.search.space import Space
    from langid.search.study import Study

# What langid train does not have, or each trial has for itself.
OWN = ("tune", "trials", "startup_trials", "warmup_epochs", "output", "resume")
SHOWN_TRIALS = 5


def run(config: DictConfig) -> int:
    """Run the trials that are missing and print the best; 1 where none of them finished."""
    try:
        import optuna
    except ImportError:
        raise LangidError("langid tune needs Optuna: pip install 'langid-speech[tune]'") from None
    from langid.search.space import overrides_of, told
    from langid.search.study import Study

    _check(config)
    overrides = [item for item in typed() if _key(item).split(".")[0] not in OWN]
    space = _space(config, overrides)
    folder = path_of(config.output).absolute()
    # The median rule of Golovin et al., Google Vizier, 2017.
    pruner = optuna.pruners.MedianPruner(config.startup_trials, config.warmup_epochs)

    def configure(values: Mapping[str, Any], output: Path) -> dict[str, Any]:
        return resolved(compose("train", [*overrides, *overrides_of(values)]), output)

    with exclusive_folder(folder):
        study = Study(folder, space, configure, print_start, pruner)
        for key, distribution in space.items():
            print(f"search {key}: {told(distribution)}")
        study.run(config.trials)
        return _print_best(study, overrides)


def _space(config: DictConfig, overrides: list[str]) -> "Space":
    """Return what ``tune=`` says and the command line does not give, checked by langid train."""
    from langid.search.space import overrides_of, read_space, samples

    given = {_key(item): item for item in overrides}
    space = read_space(plain_of(config.tune))
    for key in [key for key in space if key in given]:
        print(f"{given[key]}: given, so {key} is not searched")
        del space[key]
    if not space:
        raise LangidError("nothing is left to search; give fewer keys, or another tune=OPTION")
    for values in samples(space, groups("train")):
        try:
            check_overrides("train", [*overrides, *overrides_of(values)])
        except LangidError as error:
            option = HydraConfig.get().runtime.choices["tune"]
            raise LangidError(f"search space tune={option}: {error}") from None
    return space


def _print_best(study: "Study", overrides: list[str]) -> int:
    """Print the best trials and the line that trains the best one; return 1 where there is none."""
    from langid.search.space import overrides_of
    from langid.search.study import short

    trials = study.best()
    if not trials:
        print(
            "langid: no trial finished; each one's reason is above and in output.txt",
            file=sys.stderr,
        )
        return 1
    table = Table("trial", "balanced accuracy", "loss", "epoch", "values", title="best trials")
    for trial in trials[:SHOWN_TRIALS]:
        best = trial.user_attrs["best"]
        figures = (f"{best[name]:.3f}" for name in ("balanced_accuracy", "loss"))
        table.add_row(str(trial.number), *figures, str(best["epoch"]), short(trial.params))
    console().print(table)
    first = trials[0]
    best = study.folder_of(first) / "checkpoints" / "best.ckpt"
    print_named(study=study.folder / "study.db", best=best)
    print(f"the best is trial {first.number}; the same run again:")
    print(shlex.join(["langid", "train", *overrides, *overrides_of(first.params)]), flush=True)
    return 0


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _check(config: DictConfig) -> None:
    for key, least in (("trials", 1), ("startup_trials", 0), ("warmup_epochs", 0), ("seed", 0)):
        if config[key] < least:
            raise LangidError(f"{key}={config[key]}: expected a whole number from {least}")
    if (name := HydraConfig.get().job.config_name) != "tune":
        raise LangidError(
            f"--config-name {name}: langid tune runs langid train, which would not know of it; put"
            " what it holds into conf/experiment/NAME.yaml, and take --config-dir conf and"
            " experiment=NAME"
        )
    check_one_of_many(config, "a study", "a trial")
