"""Train an identifier on a store.

Writes checkpoints/best.ckpt, checkpoints/last.ckpt, TensorBoard logs and run.json into the folder
of the run. The best epoch is that of the lowest validation loss, or of the best of what select=
names; early stopping goes by the same. A run that was killed goes on with resume=PATH/last.ckpt and
ends with the same weights; init=PATH/best.ckpt starts from a trained network, and loss=distillation
teacher=PATH/best.ckpt learns from one. A sweep (-m) goes on when its line is typed again.

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

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.table import Table

from langid.commands.configuration import resolved, typed
from langid.commands.first_step import after_first_step, first_step, train_first_step
from langid.corpora.tasks import left_out_line
from langid.errors import LangidError
from langid.terminal import console, print_named
from langid.typed import command_line, quoted

if TYPE_CHECKING:  # the heavy libraries come after Hydra has checked the configuration
    from langid.training.run_record import RunRecord

WITHOUT = {  # what follows where nothing of a class is heard in a part
    "validation": "its recall is not in val/balanced_accuracy, and best.ckpt is chosen without it",
    "test": "evaluate cannot tell how well it is recognised",
}


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


def run(config: DictConfig) -> None:
    """Train as configured and print where the results lie."""
    from langid.training.run import train

    output = Path(HydraConfig.get().runtime.output_dir)
    plain, name = resolved(config, output), str(HydraConfig.get().job.config_name)

    def command(overrides: list[str]) -> list[str]:
        return [sys.executable, "-m", "langid", "train", "--config-name", name, *overrides]

    if first_step(plain):
        train_first_step(plain, typed(), print_start, command, name)
    given = [item for item in typed() if not item.startswith("output=")]
    line = command([*given, f"output={quoted(str(output))}"])  # of its other devices' processes
    record = train(after_first_step(plain), begun=print_start, command=line)
    if record:
        fractions = config.split.get("fractions", [1, 1, 1])
        _print_end(record, output, str(config.store), "test" if fractions[2] else "validation")


def print_start(record: "RunRecord") -> None:
    """Print the clips and speakers of every class and part, and what to beware of."""
    summary, column = record.split_summary, record.task["column"]
    parts, shared = summary["parts"], summary["shared"]
    table = Table(column, *parts, "loss weight", title="clips / speakers")
    for name, weight in zip(record.classes, record.class_weights, strict=False):
        cells = [_cell(**part[name]) if name in part else "–" for part in parts.values()]
        table.add_row(name, *cells, f"{weight:.3f}")
    console().print(table)
    if left_out := left_out_line(column, record.left_out):
        print(left_out)
    _print_missing(summary["missing"])
    print(
        f"shared by training and the other parts: {shared['speakers']} speakers,"
        f" {shared['recordings']} recordings, {shared['utterances']} utterances"
    )
    if shared["unknown_speakers"]:
        print(
            f"warning: {shared['unknown_speakers']} clips of validation and test have no known"
            " speaker; each, or its recording, counts as one, so speakers may be shared unseen"
        )
    _print_balance(record)
    _print_taken(record)
    _print_teacher(record)
    numbers = f"parameters: {record.parameters:,}   seed: {record.seed}"
    print(f"{numbers}   folder: {record.config['output']}", flush=True)


def _cell(clips: int, speakers: int, unknown_speakers: int) -> str:
    """Return clips and speakers as text; clips of unknown speakers are no speakers."""
    if not unknown_speakers:
        return f"{clips} / {speakers}"
    return (
        f"{clips} / {speakers} + {unknown_speakers} unknown" if speakers else f"{clips} / unknown"
    )


def _print_missing(missing: dict[str, list[str]]) -> None:
    for part, names in missing.items():
        for name in names:
            print(
                f"warning: no speech of {name} in {part}: {WITHOUT[part]}; let split=speaker deal"
                " every class (without split.train_only), prepare more speech of it for that part,"
                " or leave the class out (task.classes)"
            )


def _print_balance(record: "RunRecord") -> None:
    if record.balance["_target_"].endswith(".EverySequence"):
        return
    counts = zip(record.classes, *record.sequences.values(), strict=True)
    drawn = (f"{name} {per_epoch} (of {there})" for name, there, per_epoch in counts)
    print(f"sequences an epoch: {', '.join(drawn)}")
    if len(set(record.class_weights)) > 1:
        print(
            "warning: balance and loss.class_weights correct the imbalance twice; add"
            " loss.class_weights=none, or take balance=none"
        )


def _print_taken(record: "RunRecord") -> None:
    if record.init is None:
        return
    start, head = record.start, record.init["head"]
    print(f"init {record.init['checkpoint']}: {len(start['classes'])} classes, init.head={head}")
    for kind in ("taken", "pretrained", "new", "left", "frozen"):
        if start[kind]:
            groups = (f"{name} ({count})" for name, count in start[kind].items())
            print(f"  {kind:11}{', '.join(groups)}")
    if shared := record.init.get("shared"):
        heard = ", ".join(f"{shared[of]} {of}" for of in ("speakers", "recordings", "utterances"))
        print(f"  {'heard':11}{heard} of the validation and test parts")
    if start["differs"]:
        print(f"warning: init was trained on other sound ({'; '.join(start['differs'])})")


def _print_teacher(record: "RunRecord") -> None:
    if record.teacher is None:
        return
    speaks = "an encoder" if _of_encoder(record) else f"speaks per {record.teacher['unit']}"
    print(f"teacher {record.teacher['checkpoint']}: {speaks}")
    if unlabelled := record.split_summary.get("unlabelled"):
        print(f"  of {_cell(**unlabelled)} clips / speakers without a label, too")


def _of_encoder(record: "RunRecord") -> bool:
    return record.teacher is not None and "revision" in record.teacher


def _print_end(record: "RunRecord", output: Path, store: str, part: str) -> None:
    best, checkpoint = record.best, output / "checkpoints" / "best.ckpt"
    trusted = record.config["trusted"]
    if _of_encoder(record) and not record.config["loss"]["label_weight"]:
        _print_end_without_labels(record, output, store)
        return
    asked = None if part == "test" else part  # evaluate's own default
    print(
        f"best epoch {best['epoch']} by {record.select}: validation loss {best['loss']:.3f},"
        f" accuracy {best['accuracy']:.3f}, balanced accuracy {best['balanced_accuracy']:.3f}"
        f"   ({record.seconds:.0f} s)"
    )
    print_named(
        best=checkpoint,
        last=checkpoint.with_name("last.ckpt"),
        record=output / "run.json",
        curves=f"tensorboard --logdir {shlex.quote(str(output))}",
        next=command_line(
            "evaluate", checkpoint=checkpoint, store=store, output=output / part, part=asked,
            trusted=trusted,
        ),
    )  # fmt: skip


def _print_end_without_labels(record: "RunRecord", output: Path, store: str) -> None:
    last = output / "checkpoints" / "last.ckpt"
    print(
        "no class was learned (loss.label_weight=0): validation says nothing of it; what is begun"
        f" from it takes the last epoch   ({record.seconds:.0f} s)"
    )
    print_named(
        last=last,
        record=output / "run.json",
        curves=f"tensorboard --logdir {shlex.quote(str(output))}",
        next=command_line(
            "train", experiment="best_stream", init=last, store=store,
            trusted=record.config["trusted"],
        ),
    )  # fmt: skip
