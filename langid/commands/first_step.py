"""The training that another one begins with: ``init.experiment=NAME``, in the folder of the run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langid.commands.configuration import compose, plain_of
from langid.errors import LangidError
from langid.typed import in_grammar

# What is typed for a run goes for its first step, too, in these groups and keys: it is of the same
# speech and the same network. How that learns is its own experiment's affair.
SHARED = (
    "task", "features", "detector", "model", "silence", "split", "data", "teacher", "trainer",
    "callbacks", "logger", "store", "seed", "trusted", "hydra",
)  # fmt: skip


def first_step(config: dict[str, Any]) -> str | None:
    """Return the experiment that a resolved configuration begins with, if it does with one."""
    init = config["init"]
    return init["experiment"] if init["checkpoint"] is None else None


def after_first_step(config: dict[str, Any]) -> dict[str, Any]:
    """Return a resolved configuration as it begins from its first step, where it has one.

    What only a teacher speaks of is left to that step, unless the run has a teacher itself.
    """
    name = first_step(config)
    if not name:
        return config
    from langid.training.teacher import learns_from_teacher

    last = folder_of(config) / "checkpoints" / "last.ckpt"
    changed = config | {"init": config["init"] | {"checkpoint": str(last)}}
    if not learns_from_teacher(config["loss"]):
        changed["teacher"] = config["teacher"] | {"checkpoint": None}
        if config["split"].get("unlabelled"):
            changed["split"] = config["split"] | {"unlabelled": []}
    return changed


def folder_of(config: dict[str, Any]) -> Path:
    """Return the folder of the first step of a run."""
    return Path(config["output"]) / str(first_step(config))


def overrides_of_first_step(config: dict[str, Any], overrides: Sequence[str]) -> list[str]:
    """Return what is typed to have the first step alone, of a run with some overrides."""
    shared = [item for item in overrides if item.lstrip("+~").split("=")[0].split(".")[0] in SHARED]
    place = f"output={in_grammar(str(folder_of(config)))}"
    return [f"experiment={first_step(config)}", *shared, place]


def train_first_step(
    config: dict[str, Any],
    overrides: Sequence[str],
    begun: Callable[..., None],
    command: Callable[[list[str]], list[str]] | None = None,
    name: str | None = None,
) -> None:
    """Train what a run begins with, unless that is finished; it goes on where it was broken off.

    ``config`` is that of the run, resolved, and ``overrides`` are those that it was composed of;
    ``command`` makes of overrides the line that the processes of other devices run. ``name`` is
    that of another primary configuration than langid's. Raises LangidError as a training does.
    """
    from langid.training.resume import State, prepare_resume, state_of
    from langid.training.run import train

    own = overrides_of_first_step(config, overrides)
    first = plain_of(compose("train", own, name))
    held = state_of(folder_of(config), first)
    if held.state is State.FINISHED:
        return
    print(f"first experiment={first_step(config)}, in {held.folder}", flush=True)
    line = command(own) if command else None
    try:
        train(first | {"resume": prepare_resume(held)}, begun=begun, command=line)
    except LangidError as error:
        raise LangidError(
            f"{error} (in experiment={first_step(config)}, with which this begins; init=CHECKPOINT"
            " begins from something else)"
        ) from error
    print(f"then what begins from it, in {config['output']}", flush=True)
