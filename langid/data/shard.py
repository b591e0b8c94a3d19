"""Some utterances to frames in a file of their own: what one process of ``prepare`` does."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from langid.audio.decode import AudioError, read_blocks
from langid.corpora.manifest import Manifest
from langid.data.store import StoreWriter

if TYPE_CHECKING:
    from langid.signal.front_end import FrontEnd

SILENT_PEAK = 1e-3  # -60 dB of full scale
WHOLE_CLIP_LIMIT_S = 1800.0


def facts_of(description: dict[str, Any]) -> dict[str, int]:
    """Return bins, sample rate and hop of the features that a store's description names."""
    front_end = _front_end(json.dumps(description))
    return {name: getattr(front_end, name) for name in ("bins", "sample_rate", "hop_samples")}


def write_shard(
    path: Path, rows: list[dict[str, str]], description: dict[str, Any], min_duration_s: float
) -> int:
    """Write the frames of some utterances to a file of their own; return how many rows it took."""
    import torch  # here and below: the process that only waits for others does without

    torch.set_num_threads(1)  # processes are the parallelism; same bytes whatever their number
    front_end = _front_end(json.dumps(description))
    skipped = Manifest()
    writer = StoreWriter(path, front_end.bins, stored_as=front_end.features.stored_as)
    with writer, torch.inference_mode():
        for row in rows:
            try:
                duration_s = _write_utterance(writer, row["path"], front_end, min_duration_s)
            except AudioError as error:
                writer.drop_utterance()
                reason = str(error).removeprefix(f"{row['path']}: ")
                skipped.skip(row["corpus"], row["path"], row["language"], reason)
            else:
                writer.end_utterance(row | {"duration_s": f"{duration_s:.3f}"})
        writer.file["skipped"] = json.dumps(skipped.skipped)
        writer.finish({"sha256": writer.digest.hexdigest()})
    return len(rows)


def _write_utterance(
    writer: StoreWriter, path: str, front_end: "FrontEnd", min_duration_s: float
) -> float:
    """Write the frames of one file, in bounded memory, and return its duration in seconds."""
    samples, peak, speech_frames = 0, 0.0, 0
    for block, features, speech in _frames(path, front_end):
        if not np.isfinite(features).all():
            raise AudioError(f"{path}: its features are not finite (samples out of range)")
        writer.write_frames(features, speech)
        samples += len(block)
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        speech_frames += int(speech.sum())
    duration_s = samples / front_end.sample_rate
    if duration_s < min_duration_s:
        raise AudioError(f"{path}: too short ({duration_s:.2f} s; min_duration_s={min_duration_s})")
    if peak < SILENT_PEAK:
        raise AudioError(f"{path}: silent (no sample above -60 dB of full scale)")
    if speech_frames == 0:
        raise AudioError(f"{path}: silent (the detector finds no speech)")
    return duration_s


def _whole_clip(path: str, sample_rate: int) -> np.ndarray:
    """Return all samples of a file, or refuse it before a long one fills the memory."""
    blocks = [np.zeros(0, np.float32)]
    length = 0
    for block in read_blocks(path, sample_rate):
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


def _frames(
    path: str, front_end: "FrontEnd"
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield ``samples, features (time, bins), speech (time,)``, block by block where possible."""
    import torch

    number = getattr(torch, front_end.features.stored_as)
    if front_end.obstacles:
        samples = _whole_clip(path, front_end.sample_rate)
        if len(samples):
            features, speech = front_end(torch.from_numpy(samples)[None])
            yield samples, features[0].to(number).numpy(), speech[0].numpy()
        return
    state = front_end.initial_state(1)
    rest = np.zeros(0, np.float32)
    blocks = read_blocks(path, front_end.sample_rate)
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        missing = -(len(rest) + len(block)) % front_end.hop_samples  # of the last hop
        filling = np.repeat(block[-1:], 0 if following is not None else missing)
        samples = np.concatenate([rest, block, filling])
        whole = len(samples) // front_end.hop_samples * front_end.hop_samples
        rest = samples[whole:]
        features, speech, state = front_end.step(torch.from_numpy(samples[None, :whole]), state)
        yield block, features[0].to(number).numpy(), speech[0].numpy()
        block = following
