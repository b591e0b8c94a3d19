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

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from langid.commands.configuration import search_path
from langid.commands.sweep import check_devices
from langid.errors import LangidError
from langid.exclusive import exclusively

# What langid train does not have, or each trial has for itself.
OWN = ("tune", "trials", "startup_trials", "warmup_epochs", "output", "resume")


def run(config: DictConfig) -> int:
    """Run the trials that are missing and print the best; 1 where none of them finished."""
    try:
        import optuna
    except ImportError:
        raise LangidError("langid tune needs Optuna: pip install 'langid-speech[tune]'") from None
    from langid.commands.search import Search
    from langid.commands.search_space import check_space, read_space, told

    _check(config)
    settings = HydraConfig.get()
    task = [item for item in settings.overrides.task if _key(item).split(".")[0] not in OWN]
    overrides = [*search_path(), *task]
    given = {_key(item): item for item in overrides}
    space = read_space(config.tune)
    for key in [key for key in space if key in given]:
        print(f"{given[key]}: given, so {key} is not searched")
        del space[key]
    if not space:
        raise LangidError("nothing is left to search; give fewer keys, or another tune=OPTION")
    check_space(space, overrides, settings.runtime.choices["tune"])
    folder = Path(str(config.output)).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # The median rule of Golovin et al., Google Vizier, 2017.
    pruner = optuna.pruners.MedianPruner(config.startup_trials, config.warmup_epochs)
    with exclusively("output", folder):
        search = Search(folder, overrides, space, pruner)
        for key, distribution in space.items():
            print(f"search {key}: {told(distribution)}")
        search.run(config.trials)
        if search.print_best():
            return 0
    print(
        "langid: no trial finished; each one's reason is above and in output.txt", file=sys.stderr
    )
    return 1


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _check(config: DictConfig) -> None:
    for key, least in (("trials", 1), ("startup_trials", 0), ("warmup_epochs", 0), ("seed", 0)):
        if config[key] < least:
            raise LangidError(f"{key}={config[key]}: expected a whole number from {least}")
    if config.resume is not None:
        raise LangidError(
            "resume= belongs to a single run; a study that was killed goes on when the same line"
            " is typed again"
        )
    if (name := HydraConfig.get().job.config_name) != "tune":
        raise LangidError(
            f"--config-name {name}: langid tune runs langid train, which would not know of it; put"
            " what it holds into conf/experiment/NAME.yaml, and take --config-dir conf and"
            " experiment=NAME"
        )
    check_devices(config, "a trial")
