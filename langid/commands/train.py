"""Train an identifier on a store.

Writes checkpoints/best.ckpt, checkpoints/last.ckpt, TensorBoard logs and run.json into the folder
of the run. The best epoch is that of the lowest validation loss, or of the best of what select=
names; early stopping goes by the same. A run that was killed goes on with resume=PATH/last.ckpt and
ends with the same weights; init=PATH/best.ckpt starts from a trained network. A sweep (-m) goes on
when its line is typed again.

Examples:
  langid train experiment=gru store=trio.h5 optimizer.lr=0.0005 select=val/balanced_accuracy
  langid train -m experiment=gru store=trio.h5 silence=mask,remove,label seed=0,1
"""

import contextlib
import datetime
import itertools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from langid.commands.configuration import resolved, search_path
from langid.commands.train_start import print_start
from langid.errors import LangidError
from langid.typed import override, quoted

if TYPE_CHECKING:  # the heavy libraries come after Hydra has checked the configuration
    from langid.training.run_record import RunRecord


def run_folder(resume: str | None, name: str, make: bool) -> str:
    """Return the folder of a run: that of the checkpoint resumed, or a new one by name and time.

    With ``make`` the new one is made. Raises LangidError for a checkpoint that lies in no folder of
    a run, and for a new folder where torchrun or srun has started several processes, whose clocks
    differ.
    """
    if resume:
        checkpoints = Path(resume).expanduser().resolve().parent
        if checkpoints.name != "checkpoints":
            raise LangidError(
                f"resume={resume}: it does not lie in RUN/checkpoints, so the folder to go on in"
                " is not known; add output=DIR"
            )
        return str(checkpoints.parent)
    if int(os.environ.get("WORLD_SIZE", os.environ.get("SLURM_STEP_NUM_TASKS", "1"))) > 1:
        raise LangidError("several processes were started for one run: add output=DIR")
    return str(_new_folder(Path("runs") / name, make))


def _new_folder(parent: Path, make: bool) -> Path:
    """Return a folder named by the time; of runs that begin in one second each makes its own."""
    stem = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in itertools.count(1):
        folder = parent / (stem if number == 1 else f"{stem}_{number}")
        with contextlib.suppress(FileExistsError):
            if make:
                folder.mkdir(parents=True)
            break
    return folder


def run(config: DictConfig) -> int:
    """Train as configured and print where the results lie."""
    from hydra.core.hydra_config import HydraConfig

    from langid.training.run import train

    output = Path(HydraConfig.get().runtime.output_dir)
    record = train(resolved(config, output), begun=print_start, command=_same_command(output))
    if record:
        fractions = config.split.get("fractions", [1, 1, 1])
        _print_end(record, output, str(config.store), "test" if fractions[2] else "validation")
    return 0


def _same_command(output: Path) -> list[str]:
    """Return the command line of this run, for the processes of its other devices."""
    from hydra.core.hydra_config import HydraConfig

    settings = HydraConfig.get()
    given = [item for item in settings.overrides.task if item.partition("=")[0] != "output"]
    place = f"output={quoted(str(output))}"
    name = ["--config-name", str(settings.job.config_name)]
    return [sys.executable, "-m", "langid", "train", *name, *search_path(), *given, place]


def _print_end(record: "RunRecord", output: Path, store: str, part: str) -> None:
    best, checkpoint = record.best, output / "checkpoints" / "best.ckpt"
    overrides = {"checkpoint": checkpoint, "store": store, "output": output / part}
    if part != "test":  # evaluate's own default
        overrides["part"] = part
    print(
        f"best epoch {best['epoch']} by {record.select}: validation loss {best['loss']:.3f},"
        f" accuracy {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
        f"   ({record.seconds:.0f} s)",
        f"best      {checkpoint}",
        f"last      {checkpoint.with_name('last.ckpt')}",
        f"record    {output / 'run.json'}",
        f"curves    tensorboard --logdir {shlex.quote(str(output))}",
        "next      langid evaluate "
        + " ".join(override(key, value) for key, value in overrides.items()),
        sep="\n",
        flush=True,
    )
