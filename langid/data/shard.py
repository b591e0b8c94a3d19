"""Some utterances to a file of their own, in as many processes as there are."""

import functools
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
import numpy as np

from langid.audio.decode import AudioError, rate_of
from langid.audio.excerpt import Excerpt
from langid.audio.full_scale import FULL_SCALE
from langid.build import with_trust
from langid.corpora.manifest import Manifest
from langid.data.clip_frames import Frames, frames_of, frames_together
from langid.data.store import Content
from langid.data.store_writer import StoreWriter
from langid.errors import LangidError
from langid.progress import progress
from langid.workers import end_workers

if TYPE_CHECKING:
    from torch import Tensor

    from langid.data.plan import Plan
    from langid.signal.front_end import FrontEnd

SHARD_UTTERANCES = 64
SILENT_PEAK = 1e-3  # -60 dB of full scale


def facts_of(description: dict[str, Any], accelerator: str) -> tuple[dict[str, int], Content, str]:
    """Return what a description need not say as its features do, its store's content, its device.

    That is the CPU for features that gain by no other. Raises LangidError for samples of whose
    sequences the features cannot be made, and for a device that this machine does not have.
    """
    from langid.devices import device_of  # imports torch

    device = device_of(accelerator).type
    front_end = _front_end(json.dumps(description))
    features, facts = front_end.features, ["sample_rate", "hop_samples"]
    content = Content("features", features.bins, features.stored_as)
    if description["content"] == "samples":
        if not features.of_sequences:
            raise LangidError(
                f"content=samples: features {type(features).__name__} need the whole clip, and"
                " training cuts sequences from it; take features=mfcc, log_mel or"
                " pretrained, or content=features"
            )
        facts += ["bins", "context_frames", "detector_hop_samples"]
        content = Content("samples", features.hop_samples, "int16")
    gains = features.together and content.name == "features"
    return {name: getattr(features, name) for name in facts}, content, device if gains else "cpu"


def write_shards(plan: "Plan") -> list[Path]:
    """Write the rows of a plan to files in its folder, but for those that are there; return all."""
    rows = plan.rows
    plan.folder.mkdir(parents=True, exist_ok=True)
    firsts = range(0, len(rows), SHARD_UTTERANCES)
    shards = [plan.folder / f"{number:06d}.h5" for number in range(len(firsts))]
    missing = [pair for pair in zip(shards, firsts, strict=True) if not pair[0].exists()]
    workers = plan.workers if len(missing) > 1 else 1
    backend, _ = joblib.parallel.get_active_backend()
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    jobs = joblib.Parallel(workers, return_as=return_as)(_work(plan, missing))
    with progress("preparing", "clips") as bar:
        done = len(rows) - sum(min(SHARD_UTTERANCES, len(rows) - first) for _, first in missing)
        task = bar.add_task("preparing", total=len(rows), completed=done)
        for written in jobs:
            if not written.path.exists():
                raise LangidError(_not_shared(written.path, platform.node(), written.host))
            bar.advance(task, written.rows)
    if workers > 1:
        end_workers()
    return shards


def _work(plan: "Plan", missing: list[tuple[Path, int]]) -> Iterator[Any]:
    """Return what joblib is to call for each shard, whose rows begin at a number."""
    write = with_trust(_write_there)  # here: joblib takes most of the work in a thread of its own
    how = plan.description, plan.content, plan.device

    def call(path: Path, first: int) -> Any:
        rows = plan.rows[first : first + SHARD_UTTERANCES]
        return joblib.delayed(write)(path, rows, Machine.here(rows), *how)

    return (call(path, first) for path, first in missing)


class Written(NamedTuple):
    """What a process tells of a shard: where it lies, how many rows it took, on which machine."""

    path: Path
    rows: int
    host: str


class Machine(NamedTuple):
    """The machine that shares work, by its name, and a clip of the work that lies there."""

    host: str
    clip: str | None

    @classmethod
    def here(cls, rows: list[dict[str, str]]) -> "Machine":
        """Return this one, with the first clip of some rows that is there."""
        there = (row["path"] for row in rows if os.path.exists(row["path"]))
        return cls(platform.node(), next(there, None))


def _write_there(path: Path, rows: list[dict[str, str]], sharing: Machine, *more: Any) -> Written:
    """Write a shard where it may be another machine, which must see the same folders."""
    here = platform.node()
    if not path.parent.is_dir():
        raise LangidError(_not_shared(path.parent, here, sharing.host))
    if here != sharing.host and sharing.clip and not Machine.here(rows).clip:
        raise LangidError(_not_shared(Path(sharing.clip), here, sharing.host))
    return Written(path, write_shard(path, rows, *more), here)


def _not_shared(path: Path, missing: str, there: str) -> str:
    return (
        f"{path}: is on {there} and not on {missing}, which has a process of prepare; all machines"
        " must see the corpus and the store's folder under the same paths, on a file system that"
        " they share. Mount it, and run the same command again, which goes on where it was"
    )


def write_shard(
    path: Path,
    rows: list[dict[str, str]],
    description: dict[str, Any],
    content: Content,
    device: str = "cpu",
) -> int:
    """Write what is stored of some utterances to a file; return how many rows it took.

    It tells how many of them were ``upsampled``.
    """
    import torch  # here and below: the process that only waits for others does without

    torch.set_num_threads(1)  # processes are the parallelism; same bytes whatever their number
    front_end = front_end_of(description, content)
    skipped, upsampled = Manifest(), 0
    rate = functools.cache(rate_of)  # a file may have many rows
    with StoreWriter(path, content) as writer, torch.inference_mode():
        for row, frames in _frames_of_rows(rows, front_end, description["max_duration_s"], device):
            try:
                duration_s = _write_utterance(writer, row["path"], frames, front_end, description)
            except AudioError as error:
                writer.drop_utterance()
                reason = str(error).removeprefix(f"{row['path']}: ")
                skipped.skip(row["corpus"], row["path"], row["language"], reason)
            else:
                writer.end_utterance(row | {"duration_s": f"{duration_s:.3f}"})
                upsampled += (rate(row["path"]) or front_end.sample_rate) < front_end.sample_rate
        writer.file["skipped"] = json.dumps(skipped.skipped)
        writer.finish({"upsampled": str(upsampled)})
    return len(rows)


def _frames_of_rows(
    rows: list[dict[str, str]], front_end: "FrontEnd", max_duration_s: float | None, device: str
) -> Iterator[tuple[dict[str, str], Frames | AudioError]]:
    """Yield every row with its frames; those of features made together on a device or not."""
    excerpts = [Excerpt.of(row) for row in rows]
    if device != "cpu":
        frames = frames_together(excerpts, front_end, max_duration_s, device)
        yield from zip(rows, frames, strict=True)
        return
    for row, excerpt in zip(rows, excerpts, strict=True):
        yield row, frames_of(excerpt, front_end, max_duration_s)


def _write_utterance(
    writer: StoreWriter,
    path: str,
    frames: Frames | AudioError,
    front_end: "FrontEnd",
    description: dict[str, Any],
) -> float:
    """Write the frames of one file, in bounded memory, and return how many seconds they are."""
    if isinstance(frames, AudioError):
        raise frames
    count, peak, speech_frames = 0, 0.0, 0
    for block, features, speech in frames:
        if not _are_finite(features):
            raise AudioError(f"{path}: its features are not finite (samples out of range)")
        values = features.numpy()
        if writer.content.name == "samples":
            values = values.reshape(-1) * FULL_SCALE
        writer.write_frames(values, speech.numpy())
        count += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        speech_frames += int(speech.sum())
    duration_s = count / front_end.sample_rate
    if duration_s < (least_s := description["min_duration_s"]):
        told = "" if description["max_duration_s"] is None else " would be stored"
        raise AudioError(f"{path}: too short ({duration_s:.2f} s{told}; min_duration_s={least_s})")
    if peak < SILENT_PEAK:
        raise AudioError(f"{path}: silent (no sample above -60 dB of full scale)")
    if speech_frames == 0:
        raise AudioError(f"{path}: silent (the detector finds no speech)")
    return duration_s


def _are_finite(features: "Tensor") -> bool:
    low, high = features.aminmax()  # NaN where one is; a tenth of isfinite's time
    return bool(low.isfinite() and high.isfinite())


def front_end_of(description: dict[str, Any], content: Content) -> "FrontEnd":
    """Return what makes the frames of a store, of its whole description, once in a process."""
    made_by = _sample_hops if content.name == "samples" else _front_end
    return made_by(json.dumps(description))


@functools.cache
def _front_end(description: str) -> "FrontEnd":
    from langid.signal.front_end import build_front_end

    held = json.loads(description)
    front_end = build_front_end(held["features"], held["detector"])
    front_end.features.use_fft = True  # the store rounds anyway
    front_end.detector.by_runtime = True
    return front_end


@functools.cache
def _sample_hops(description: str) -> "FrontEnd":
    """Return what makes a store of samples, of a description with what ``facts_of`` tells."""
    from langid.build import build
    from langid.signal.front_end import FrontEnd
    from langid.signal.sample_hops import SampleHops

    held = json.loads(description)
    rate, hop = held["sample_rate"], held["detector_hop_samples"]
    detector = build(held["detector"], "detector", hop_samples=hop, sample_rate=rate)
    detector.by_runtime = True
    return FrontEnd(SampleHops(rate, held["hop_samples"], hop), detector)
