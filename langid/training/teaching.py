"""Lets a training learn from its teacher, which runs once: what it says lies beside the store."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from langid.atomic_file import replaced, writing
from langid.audio.decode import AudioError
from langid.audio.full_scale import FULL_SCALE
from langid.data.datamodule import LanguageDataModule
from langid.data.dataset import Batch
from langid.data.store import Store
from langid.data.stored_samples import StoredSamples
from langid.data.teacher_outputs import TeacherOutputs, TeacherShards, frames_at
from langid.devices import device_of
from langid.errors import LangidError
from langid.exclusive import InUse, exclusively
from langid.networks.network import UtteranceNetwork
from langid.progress import progress
from langid.training.distillation import Distillation
from langid.training.identifier import LanguageIdentifier
from langid.training.init import hidden_layer
from langid.training.state_clusters import clusters_of
from langid.training.teacher import Teacher, TeacherFile

SCHEMA = "langid-teacher-3"
LOOK_AGAIN_S = 1.0  # while another process asks the teacher the same


def teach(identifier: LanguageIdentifier, data: LanguageDataModule, file: TeacherFile) -> None:
    """Let an untrained identifier and its data have what the teacher says of the training speech.

    What has not been asked before is asked now, on the fastest device, with a progress bar, and
    kept; where that is broken off it goes on. A ``live`` one is asked at every step instead. Raises
    LangidError for speech that cannot be read.
    """
    loss = identifier.loss
    assert isinstance(loss, Distillation)
    states = loss.hidden_weight > 0
    hidden = hidden_layer(identifier) if states else None
    if states and hidden is None:
        raise LangidError(
            f"{_asked(loss)}: the network {type(identifier.network).__name__} has no one layer of"
            " logits, whose inputs could be compared with the teacher's states; take 0"
        )
    if loss.cluster_weight:
        _check_clusters(loss, identifier.network, file)
    if loss.delay and isinstance(identifier.network, UtteranceNetwork):
        raise LangidError(
            f"loss.delay={loss.delay}: is of frames, and {type(identifier.network).__name__} has"
            " one answer for a clip; take loss.delay=0"
        )
    if file.settings["live"]:
        live = LiveTeacher(Teacher(file, states, torch.device("cpu")), data)
        identifier.teacher, columns = live, live.columns
    else:
        data.teacher = outputs_of(file, data, states, loss.clusters if loss.cluster_weight else 0)
        columns = data.teacher.columns
    if hidden is not None:
        width = len(columns) - len(data.classes)
        loss.project(*hidden, loss.clusters if loss.cluster_weight else width)


def _asked(loss: Distillation) -> str:
    name = "state_weight" if loss.state_weight else "cluster_weight"
    return f"loss.{name}={loss.hidden_weight}"


def _check_clusters(loss: Distillation, network: nn.Module, file: TeacherFile) -> None:
    if file.settings["live"]:
        raise LangidError(
            f"teacher.live=true and {_asked(loss)}: clusters are found once, in all of"
            " the training speech; take teacher.live=false"
        )
    if isinstance(network, UtteranceNetwork):
        raise LangidError(
            f"{_asked(loss)}: clusters are told frame by frame, and"
            f" {type(network).__name__} has one answer for a clip; take 0"
        )


def outputs_of(
    file: TeacherFile, data: LanguageDataModule, states: bool, clusters: int = 0
) -> TeacherOutputs:
    """Return what a teacher says of the training speech, asked for where it is not yet known.

    With so many ``clusters`` what is told of its states is in which of them they lie.
    """
    store = Store(data.store.path)
    names = ("sha256",) if file.encoder else ("sha256", "unit", "window_s")
    settings = {name: file.settings[name] for name in names}
    key = {"schema": SCHEMA, "store": store.fingerprint, "states": states} | settings
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    folder = store.path.with_name(f"{store.path.stem}.teacher-{digest[:12]}")
    shards = TeacherShards(folder, key, len(store.offsets) - 1)
    heard = [data.sequences[part]["row"] for part in ("train", "unlabelled")]
    rows = np.unique(np.concatenate(heard))
    with writing(folder):
        folder.mkdir(exist_ok=True)
    with torch.random.fork_rng(devices=[]):  # weights come out alike whether it is asked or not
        _alone(folder, lambda: _ask(file, states, store, shards, rows))
    held = shards.read(int(rows[0])).shape[1]
    told, found = len(file.classes), None
    if clusters:
        found = clusters_of(shards, rows, told, clusters, data.seed)
        held = told
    columns = _columns(file.classes, data.classes if told else [], held)
    rate = shards.frames_per_second(int(rows[0]))
    return TeacherOutputs(shards, data.store, rate, columns, found)


def _columns(classes: Sequence[str], own: Sequence[str], held: int) -> np.ndarray:
    """Return which of a teacher's columns are wanted: its classes in our order, then states."""
    order = [classes.index(name) for name in own]
    return np.append(order, np.arange(len(own), held)).astype(int)


class LiveTeacher:
    """Asks a teacher what it says of the very samples of a batch, each sequence as a clip."""

    def __init__(self, teacher: Teacher, data: LanguageDataModule):
        self.teacher = teacher
        self.store = data.store
        held = teacher.outputs(torch.zeros(teacher.sample_rate)).shape[1]
        self.columns = _columns(teacher.identifier.classes, data.classes, held)

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with ``teacher (batch, time, columns)``."""
        assert batch.samples is not None and batch.hops is not None
        if self.teacher.device != batch.samples.device:
            self.teacher.move(batch.samples.device)
        with torch.autocast(batch.samples.device.type, enabled=False):
            each = [self._said(batch, row) for row in range(len(batch))]
        return replace(batch, teacher=nn.utils.rnn.pad_sequence(each, batch_first=True))

    def _said(self, batch: Batch, row: int) -> Tensor:
        """Return the outputs ``(time, columns)`` at the frames of a sequence."""
        assert batch.samples is not None and batch.hops is not None
        hop, hops = self.store.content.width, int(batch.hops[row])
        first = int(self.store.description["context_frames"]) * hop
        samples = batch.samples[row, first : first + hops * hop] / FULL_SCALE
        rates = int(self.store.description["sample_rate"]), self.teacher.sample_rate
        if rates[0] != rates[1]:
            samples = torch.from_numpy(soxr.resample(samples.cpu().numpy(), *rates))
        said = self.teacher.outputs(samples)[:, self.columns]
        frames = torch.arange(hops // self.store.stride, device=said.device)
        own, student = self.teacher.frames_per_second, self.store.frames_per_second
        said = said[frames_at(frames, own, student, len(said)).long()]
        return said if batch.kept is None else said[batch.kept[row, : len(said)]]


def _alone(folder: Path, work: Callable[[], None]) -> None:
    """Work in a folder as soon as no other process does: it may be at the same work."""
    while True:
        try:
            with exclusively("teacher", folder):
                return work()
        except InUse:
            time.sleep(LOOK_AGAIN_S)


def _ask(
    file: TeacherFile, states: bool, store: Store, shards: TeacherShards, rows: np.ndarray
) -> None:
    """Write the shards of some rows that are not there, or not whole."""
    missing = [shard for shard in shards.of_rows(rows) if not shards.is_whole(shard)]
    if not missing:
        return
    clips, started = sum(len(shards.members(shard)) for shard in missing), time.monotonic()
    print(f"teacher: hears {clips} clips once; what it says is kept in {shards.folder}", flush=True)
    teacher = file.load(states, device_of("auto"))
    samples = StoredSamples(store, teacher.sample_rate)
    with progress("asking the teacher", "clips") as bar:
        shown = bar.add_task("asking the teacher", total=clips)
        for shard in missing:
            outputs = []
            for row in shards.members(shard):
                outputs.append(teacher.outputs(_heard(samples, row)).cpu().numpy())
                bar.advance(shown)
            with replaced(shards.path(shard)) as partial:
                shards.write(partial, outputs, teacher.frames_per_second)
    seconds = time.monotonic() - started
    print(f"teacher: {clips} clips in {seconds:.0f} s ({clips / seconds:.1f} a second)", flush=True)


def _heard(samples: StoredSamples, row: int) -> Tensor:
    try:
        return torch.from_numpy(samples(row))
    except AudioError as error:
        raise LangidError(
            f"teacher: {error}. It hears the clips again, as store={samples.store.path} holds"
            " features: put the clip back, or prepare a store with content=samples"
        ) from error
