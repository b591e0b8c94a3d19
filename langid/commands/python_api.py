"""``langid.train``, ``prepare`` and ``evaluate``: the commands, called from Python.

They raise LangidError where the commands print what is wrong. What a training warns of before it
begins is printed, where the results lie is returned.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from langid.build import trusting
from langid.commands.configuration import plain_of, resolved
from langid.commands.first_step import after_first_step, first_step, train_first_step
from langid.commands.main import making_folders
from langid.commands.override_check import compose_checked
from langid.commands.paths import path_of
from langid.commands.text_keys import readable
from langid.commands.trust import check_trusted, trusted_packages
from langid.errors import LangidError
from langid.exclusive import exclusive_folder
from langid.typed import command_line, in_grammar

if TYPE_CHECKING:
    from langid.data.store import Store

Configuration = Sequence[str] | Mapping[str, Any] | DictConfig


@dataclass(frozen=True)
class TrainedRun:
    """What a training has left behind in ``folder``.

    ``figures`` are those of the validation part at the best epoch, ``epoch``, by name; empty in all
    processes but the first of a run on several devices.
    """

    folder: Path
    figures: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        """The best checkpoint, for ``langid.load`` and ``langid.evaluate``."""
        return self.folder / "checkpoints" / "best.ckpt"


def train(config: Configuration, *, trusted: Sequence[str] = ()) -> TrainedRun:
    """Train an identifier on a store, as ``langid train`` does.

    ``config`` is a list of overrides as they are typed, the same as a mapping of keys to values, or
    a whole configuration that Hydra composed. ``trusted`` are packages whose classes it may name.
    Raises LangidError as the command ends with one.

    Examples:
        >>> run = langid.train(["experiment=gru", "store=trio.h5", "trainer.max_epochs=2"])
        >>> run = langid.train({"experiment": "gru", "store": "trio.h5", "trainer.max_epochs": 2})
        >>> langid.load(run.checkpoint)
    """
    from langid.commands.train import print_start
    from langid.training.run import train

    with _composed("train", config, trusted) as composed:
        with making_folders():
            output = path_of(composed.output)
        plain = resolved(composed, output)
        if first_step(plain) and not isinstance(config, DictConfig):
            train_first_step(plain, _overrides("train", config), print_start)
            plain = after_first_step(plain)
        record = train(plain, begun=print_start)
    return TrainedRun(output, record.best if record else {})


def prepare(config: Configuration, *, trusted: Sequence[str] = ()) -> "Store":
    """Prepare a store, as ``langid prepare`` does, and return it.

    ``config`` and ``trusted`` are as in ``langid.train``. Raises LangidError as the command ends
    with one.

    Examples:
        >>> store = langid.prepare(["corpus=folders", "corpus.root=recordings", "store=trio.h5"])
        >>> store.utterances.groupby("language").size()
    """
    from langid.data.from_corpus import prepare_corpus

    with _composed("prepare", config, trusted) as composed:
        return prepare_corpus(plain_of(composed))


def evaluate(
    checkpoint: str | Path | Sequence[str | Path],
    store: str | Path,
    part: str = "test",
    *,
    ensemble: bool = False,
    accelerator: str = "auto",
    output: str | Path | None = None,
    trusted: Sequence[str] = (),
    heard_s: float | None = None,
) -> dict[str, Any]:
    """Score a part of a store, as ``langid evaluate`` does, and return its report.

    ``checkpoint`` may be a list: folds to pool, or an ``ensemble`` to average. The report is
    written, as a page too, with the predictions, where there is a folder ``output``.
    ``trusted`` are packages whose classes checkpoints may name, ``heard_s`` is how many seconds are
    heard of each utterance, from its first speech on. A figure is ``{value, low, high}``, with a
    95 % interval. Raises LangidError as the command ends with one.

    Examples:
        >>> report = langid.evaluate(checkpoint=run.checkpoint, store="trio.h5", part="test")
        >>> report["balanced_accuracy"]["value"], report["classes"]["Hindi"]["recall"]
    """
    from langid.evaluation.asked import Asked

    given = [checkpoint] if isinstance(checkpoint, str | Path) else checkpoint
    named: dict[str, Any] = {"store": path_of(store), "part": part, "ensemble": ensemble}
    named |= {"accelerator": accelerator, "heard_s": heard_s}
    asked = Asked(checkpoints=[path_of(path) for path in given], **named)
    with trusting(trusted):
        predictions = asked.tested()
        report = asked.report(predictions)
        if output is not None:
            folder = path_of(output)
            typed = {"trusted": list(trusted), "checkpoint": [str(path) for path in given]}
            with exclusive_folder(folder):
                command = command_line("evaluate", **typed, **named, output=folder)
                asked.write(folder, report, predictions, command)
    return report


@contextlib.contextmanager
def _composed(command: str, config: Configuration, trusted: Sequence[str]) -> Iterator[DictConfig]:
    """Give a command's configuration; trust ``trusted`` and the packages among overrides."""
    if isinstance(config, DictConfig):
        check_trusted(config, [])
        with trusting(trusted):
            yield config.copy()
        return
    overrides = _overrides(command, config)
    with trusting([*trusted, *trusted_packages(overrides)]):
        yield compose_checked(command, overrides)


def _overrides(command: str, config: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return overrides as they are typed; raise LangidError for what is neither kind."""
    if isinstance(config, Mapping):
        config = [f"{key!s}={in_grammar(value)}" for key, value in config.items()]
    if isinstance(config, str) or not all(isinstance(item, str) for item in config):
        raise LangidError(
            f"{config!r}: expected a list of overrides as they are typed, ['KEY=VALUE'], a mapping"
            " {'KEY': VALUE}, or a DictConfig"
        )
    return [readable(command, override) for override in config]
