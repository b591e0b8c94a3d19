"""Some utterances to a file of their own, in as many processes as there are."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from langid.audio.decode import AudioError, read_blocks
from langid.audio.full_scale import FULL_SCALE, in_16_bits
from langid.build import with_trust
from langid.corpora.manifest import Manifest
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
OVERSHOOT = 2.0  # 6 dB, as far as decoders and mixes go beyond full scale, to be clipped there
WHOLE_CLIP_LIMIT_S = 1800.0


def facts_of(description: dict[str, Any]) -> tuple[dict[str, int], Content]:
    """Return what a description need not say as its features do, and the content of its store.

    Raises LangidError for samples of whose sequences the features cannot be made.
    """
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
    return {name: getattr(features, name) for name in facts}, content


def write_shards(plan: "Plan") -> list[Path]:
    """Write the rows of a plan to files in its folder, but for those that are there; return all."""
    rows = plan.rows
    plan.folder.mkdir(parents=True, exist_ok=True)
    batches = [rows[i : i + SHARD_UTTERANCES] for i in range(0, len(rows), SHARD_UTTERANCES)]
    shards = [plan.folder / f"{number:06d}.h5" for number in range(len(batches))]
    missing = [pair for pair in zip(shards, batches, strict=True) if not pair[0].exists()]
    workers = plan.workers if len(missing) > 1 else 1
    jobs = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(
        joblib.delayed(with_trust(write_shard))(path, batch, plan.description, plan.content)
        for path, batch in missing
    )
    with progress("preparing", "clips") as bar:
        done = len(rows) - sum(len(batch) for _, batch in missing)
        task = bar.add_task("preparing", total=len(rows), completed=done)
        for count in jobs:
            bar.advance(task, count)
    if workers > 1:
        end_workers()
    return shards


def write_shard(
    path: Path, rows: list[dict[str, str]], description: dict[str, Any], content: Content
) -> int:
    """Write what is stored of some utterances to a file; return how many rows it took."""
    import torch  # here and below: the process that only waits for others does without

    torch.set_num_threads(1)  # processes are the parallelism; same bytes whatever their number
    made_by = _sample_hops if content.name == "samples" else _front_end
    front_end = made_by(json.dumps(description))
    skipped = Manifest()
    with StoreWriter(path, content) as writer, torch.inference_mode():
        for row in rows:
            try:
                duration_s = _write_utterance(
                    writer, row["path"], front_end, description["min_duration_s"]
                )
            except AudioError as error:
                writer.drop_utterance()
                reason = str(error).removeprefix(f"{row['path']}: ")
                skipped.skip(row["corpus"], row["path"], row["language"], reason)
            else:
                writer.end_utterance(row | {"duration_s": f"{duration_s:.3f}"})
        writer.file["skipped"] = json.dumps(skipped.skipped)
        writer.finish()
    return len(rows)


def _write_utterance(
    writer: StoreWriter, path: str, front_end: "FrontEnd", min_duration_s: float
) -> float:
    """Write the frames of one file, in bounded memory, and return its duration in seconds."""
    count, peak, speech_frames = 0, 0.0, 0
    for block, features, speech in _frames(path, front_end):
        if not features.isfinite().all():
            raise AudioError(f"{path}: its features are not finite (samples out of range)")
        values = features.numpy()
        if writer.content.name == "samples":
            values = values.reshape(-1) * FULL_SCALE
        writer.write_frames(values, speech.numpy())
        count += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        speech_frames += int(speech.sum())
    duration_s = count / front_end.sample_rate
    if duration_s < min_duration_s:
        raise AudioError(f"{path}: too short ({duration_s:.2f} s; min_duration_s={min_duration_s})")
    if peak < SILENT_PEAK:
        raise AudioError(f"{path}: silent (no sample above -60 dB of full scale)")
    if speech_frames == 0:
        raise AudioError(f"{path}: silent (the detector finds no speech)")
    return duration_s


def _blocks(path: str, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the samples of a file as 16 bits have them, of which both kinds of store are made."""
    for block in read_blocks(path, sample_rate):
        peak = float(np.abs(block).max(initial=0.0))
        if peak > OVERSHOOT:
            raise AudioError(f"{path}: samples reach {peak:.3g}: scale it to a full scale of 1")
        yield in_16_bits(block)


def _whole_clip(path: str, sample_rate: int) -> np.ndarray:
    """Return all samples of a file, or refuse it before a long one fills the memory."""
    blocks = [np.zeros(0, np.float32)]
    length = 0
    for block in _blocks(path, sample_rate):
        blocks.append(block)
        length += len(block)
        if length > WHOLE_CLIP_LIMIT_S * sample_rate:
            raise AudioError(
                f"{path}: longer than {WHOLE_CLIP_LIMIT_S:g} s; these features and this detector"
                " need the whole clip in memory"
            )
    return np.concatenate(blocks)


@functools.cache
def _front_end(description: str) -> "FrontEnd":
    from langid.signal.front_end import build_front_end

    held = json.loads(description)
    front_end = build_front_end(held["features"], held["detector"])
    front_end.features.use_fft = True  # the store rounds anyway
    return front_end


@functools.cache
def _sample_hops(description: str) -> "FrontEnd":
    """Return what makes a store of samples, of a description with what ``facts_of`` tells."""
    from langid.build import build
    from langid.signal.front_end import FrontEnd
    from langid.signal.sample_hops import SampleHops

    held = json.loads(description)
    hop = held["detector_hop_samples"]
    detector = build(held["detector"], "detector", hop_samples=hop)
    return FrontEnd(SampleHops(held["sample_rate"], held["hop_samples"], hop), detector)


def _frames(path: str, front_end: "FrontEnd") -> Iterator[tuple[np.ndarray, "Tensor", "Tensor"]]:
    """Yield a file in blocks where possible: what was decoded, and its whole frames.

    That is ``block (samples,), features (time, bins), speech (time,)``.
    """
    import torch

    hop, number = front_end.hop_samples, getattr(torch, front_end.features.stored_as)
    if front_end.obstacles:
        block = _whole_clip(path, front_end.sample_rate)
        if len(block):
            features, speech = front_end(torch.from_numpy(block)[None])
            yield block, features[0].to(number), speech[0]
        return
    state = front_end.initial_state(1)
    rest = np.zeros(0, np.float32)
    blocks = _blocks(path, front_end.sample_rate)
    block = next(blocks, rest)
    while len(block):
        following = next(blocks, rest[:0])
        missing = -(len(rest) + len(block)) % hop  # of the last hop
        filling = np.repeat(block[-1:], 0 if len(following) else missing)
        samples = np.concatenate([rest, block, filling])
        whole = len(samples) // hop * hop
        samples, rest = samples[:whole], samples[whole:]
        features, speech, state = front_end.step(torch.from_numpy(samples[None]), state)
        yield block, features[0].to(number), speech[0]
        block = following
