"""What a run was made of, and its data built again."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

import numpy as np

from langid import __version__
from langid.build import build
from langid.corpora.tasks import Task
from langid.data.datamodule import LanguageDataModule
from langid.data.store import Store
from langid.differences import flatten
from langid.errors import LangidError

SCHEMA = "langid-checkpoint-3"
# How a run is carried out and shown and where its start lies: nothing of what is learnt.
RUNTIME = (
    "callbacks.confusion",  # of earlier versions
    "callbacks.epoch_line", "callbacks.learning_rate", "callbacks.pictures", "data.workers",
    "init.checkpoint", "init.heard", "init.shared", "logger", "teacher.checkpoint", "teacher.heard",
    "trainer.accelerator",
    "trainer.default_root_dir", "trainer.devices", "trainer.enable_model_summary",
    "trainer.enable_progress_bar", "trainer.log_every_n_steps", "trainer.num_nodes",
    "trainer.profiler", "trainer.strategy",
)  # fmt: skip
# What must be the same when a run goes on from a checkpoint; the number of epochs, say, need not.
RESUMED_ALIKE = (
    "fingerprint", "seed", "task", "classes", "features", "detector", "model", "silence", "split",
    "data", "balance", "augment", "waveform", "init", "teacher", "loss", "select", "optimizer",
    "scheduler",
)  # fmt: skip
WITH_PATHS = ("features", "waveform", "init", "teacher")
LATER = {"teacher": None}  # what is said of runs whose description is older than the field
LIBRARIES = ("torch", "pytorch-lightning", "numpy", "h5py", "soundfile", "soxr")
KINDS = {dict: "keys with values", list: "a list", str: "a text", int: "a whole number",
         float: "a number"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """What makes a checkpoint complete: resolved configuration, classes, data and versions.

    ``task``, ``model``, ``split``, ``data``, ``balance``, ``augment``, ``waveform``, ``loss``,
    ``optimizer`` and ``scheduler`` are plain configuration of the groups of that name; ``features``
    and ``detector`` are those that the store was made with. ``silence`` names the policy,
    ``select`` the figure that best.ckpt is chosen by. ``split_summary`` counts what each part holds
    and what parts share, ``left_out`` the rows that have no class. ``fingerprint`` is that of the
    ``store``, which is the path it had.
    """

    schema: str = SCHEMA
    versions: dict[str, str]
    seed: int
    task: dict[str, Any]
    classes: list[str]
    left_out: dict[str, Any]
    model: dict[str, Any]
    silence: str
    split: dict[str, Any]
    split_summary: dict[str, Any]
    data: dict[str, Any]
    balance: dict[str, Any]
    augment: dict[str, Any]
    waveform: dict[str, Any] = field(default_factory=dict)
    init: dict[str, Any] | None
    teacher: dict[str, Any] | None = None
    loss: dict[str, Any]
    select: str
    optimizer: dict[str, Any]
    scheduler: dict[str, Any] | None
    features: dict[str, Any]
    detector: dict[str, Any]
    fingerprint: str
    store: str

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """Return what ``to_plain`` gave; raises LangidError for what is missing, odd or unknown."""
        schema = plain.get("schema") if isinstance(plain, dict) else None
        if not str(schema).startswith(SCHEMA.rstrip("0123456789")):
            raise LangidError(f"not written by langid train (no description with schema {SCHEMA})")
        if schema != SCHEMA:
            raise LangidError(
                f"schema {schema}, this version reads {SCHEMA}; run langid prepare and langid train"
                " again"
            )
        known = [field.name for field in fields(cls)]
        plain = LATER | plain
        if missing := [name for name in known if name not in plain]:
            raise LangidError(f"its description has no {', '.join(missing)}")
        if unknown := [str(name) for name in plain if name not in known]:
            raise LangidError(
                f"its description has {', '.join(unknown)}; accepted are {', '.join(known)}"
            )
        hints = get_type_hints(cls)
        for name, value in plain.items():
            _check_kind(name, value, hints[name])
        return cls(**plain)

    def to_plain(self) -> dict[str, Any]:
        """Return plain data, in the order of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def without_folders(self) -> Self:
        """Return it for others: of the store and of absolute paths the names alone are left."""
        bare = {name: without_folders(getattr(self, name)) for name in WITH_PATHS}
        return replace(self, **bare, store=Path(self.store).name)

    @property
    def packages(self) -> list[str]:
        """Return the packages beside langid whose classes an identifier of it is built of."""
        augment = self.augment if self.augment.get("in_evaluation") else None
        parts = (self.features, self.detector, augment, self.model, self.model.get("network"))
        targets = [str(of["_target_"]) for of in parts if of and "_target_" in of]
        return sorted({target.partition(".")[0] for target in targets} - {"langid"})

    def flat(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some parts as dotted keys, without those of ``RUNTIME``."""
        return without_runtime(flatten({name: getattr(self, name) for name in names}))

    @property
    def stride(self) -> int:
        """Return how many frames of the features are one of the network's."""
        return stride_of(self.model)

    @property
    def heard(self) -> list[str]:
        """Return digests of what it learned from, and what its start and its teacher had heard.

        One that is empty is not known, as of runs of earlier versions.
        """
        own = self.split_summary.get("heard", "")
        before = [of.get("heard", [""]) for of in (self.init, self.teacher) if of]
        return sorted({own, *(digest for digests in before for digest in digests)})

    def build_task(self) -> Task:
        """Return the task, with the classes that the training found."""
        task: Task = build(self.task | {"classes": self.classes}, "task")
        return task


def stride_of(model: dict[str, Any]) -> int:
    """Return how many frames of the features are one of a model's network; 1 where nothing is said.

    Raises LangidError for what is no such number.
    """
    stride = model.get("stride", 1)
    if type(stride) is not int or stride < 1:
        raise LangidError(f"model.stride={stride}: accepted are whole numbers, 1 and more")
    return stride


def without_folders(value: Any) -> Any:
    """Return plain data in which an absolute path is the name of its file, as anyone may know it.

    An encoder of that name is found in LANGID_MODELS.
    """
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) and os.path.isabs(value) else value


def _check_kind(name: str, value: Any, hint: Any) -> None:
    """Raise LangidError where a value is not of the kind that a field is annotated with."""
    hints = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = tuple(get_origin(each) or each for each in hints)
    texts = get_args(hint) == (str,)  # a list of them
    if not isinstance(value, kinds) or (texts and not all(isinstance(item, str) for item in value)):
        raise LangidError(
            f"its description has {name}={value!r}; expected {KINDS[kinds[0]]}"
            f"{' of texts' if texts else ''}"
        )


def describe(
    config: dict[str, Any],
    data: LanguageDataModule,
    init: dict[str, Any] | None = None,
    teacher: dict[str, Any] | None = None,
) -> RunDescription:
    """Return the description of a run: its resolved configuration, data, start and teacher."""
    known = {field.name for field in fields(RunDescription)}
    found = {
        "versions": versions(),
        "classes": data.classes,
        "left_out": data.left_out,
        "silence": data.silence.name,
        "split_summary": data.summary(),
        "scheduler": config.get("scheduler"),
        "init": init,
        "teacher": teacher,
        "features": data.store.description["features"],
        "detector": data.store.description["detector"],
        "fingerprint": data.store.fingerprint,
        "store": str(data.store.path),
    }
    return RunDescription(**{name: config[name] for name in known & config.keys()} | found)


def data_of(description: RunDescription, store: Path | None = None) -> LanguageDataModule:
    """Return the data of a run, labelled, dealt and cut as in training.

    ``store`` is where they lie now. Raises LangidError where the store cannot be dealt so.
    """
    return LanguageDataModule(
        store or Path(description.store),
        build(description.split, "split"),
        description.silence,
        sequence_frames=description.data["sequence_frames"],
        task=description.build_task(),
        stride=description.stride,
    )


def rows_heard(description: RunDescription, store: Store) -> np.ndarray | None:
    """Return the rows of a store that a run learned from, ``(rows,)``; None where nobody can tell.

    That is so of another store, and where splits deal otherwise than they did.
    """
    if description.fingerprint != store.fingerprint:
        return None
    try:
        data = data_of(description, store.path)
    except LangidError:
        return None
    if data.summary()["parts"]["train"] != description.split_summary["parts"]["train"]:
        return None
    rows: np.ndarray = data.parts["row"][data.parts["part"].isin(["train", "unlabelled"])].unique()
    return np.sort(rows)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that results depend on."""
    own = {"python": platform.python_version(), "langid-speech": __version__}
    return own | {name: version(name) for name in LIBRARIES}


def without_runtime(flat: dict[str, Any]) -> dict[str, Any]:
    """Return flat configuration without ``RUNTIME``: what must be equal in runs that are alike."""
    below = tuple(f"{key}." for key in RUNTIME)
    return {
        key: value
        for key, value in flat.items()
        if key not in RUNTIME and not key.startswith(below)
    }
