"""Files whose features are made together say what each says alone; where memory is full, which."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
import torch

from langid.audio.decode import AudioError, read_audio, read_blocks
from langid.audio.excerpt import Excerpt
from langid.audio.full_scale import in_16_bits
from langid.build import build
from langid.corpora.manifest import COLUMNS
from langid.data import clip_frames
from langid.data.clip_frames import frames_of, frames_together
from langid.data.shard import facts_of, write_shard
from langid.data.store import Content
from langid.errors import LangidError
from langid.signal.front_end import FrontEnd, build_front_end
from langid.signal.pretrained import Pretrained

ENERGY = {"_target_": "langid.signal.speech_detector.EnergyDetector"}
LEARNED = {"_target_": "langid.signal.learned_detector.LearnedDetector"}


def described(encoder: Path) -> dict[str, Any]:
    features = {"_target_": "langid.signal.pretrained.Pretrained", "encoder": str(encoder)}
    plain = {"features": features | {"layer": 1}, "detector": ENERGY, "min_duration_s": 0.5}
    return plain | {"content": "features", "max_duration_s": None}


def test_files_together_are_as_each_alone(
    encoder_path: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    """Where a GPU would process them; a damaged file takes none of the others with it."""
    plain = described(encoder_path)
    front_end = build_front_end(plain["features"], plain["detector"])
    damaged, low = tmp_path / "damaged.mp3", tmp_path / "low.wav"
    damaged.write_bytes(b"no sound")
    soundfile.write(low, read_audio(real_clips[1], 8000), 8000)  # is resampled, as everywhere
    paths = [Excerpt(path) for path in (real_clips[0], damaged, low)]
    first, error, last = frames_together(paths, front_end, None, "cpu")
    assert isinstance(error, AudioError) and "damaged.mp3" in str(error)
    for path, together in ((paths[0], first), (paths[2], last)):
        assert not isinstance(together, AudioError)
        ((samples, features, speech),) = together
        ((own_samples, own_features, own_speech),) = frames_of(path, front_end, None)
        assert (samples == own_samples).all() and torch.equal(speech, own_speech)
        assert torch.equal(features, own_features) and features.dtype == torch.float16


def test_a_gpu_makes_the_same_states(encoder_path: Path, real_clips: list[Path]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU of CUDA")
    plain = described(encoder_path)
    front_end = build_front_end(plain["features"], plain["detector"])
    paths = [Excerpt(path) for path in real_clips[:8]]
    for path, together in zip(paths, frames_together(paths, front_end, None, "cuda"), strict=True):
        assert not isinstance(together, AudioError)
        ((_, features, _),) = together
        ((_, own, _),) = frames_of(path, front_end, None)
        torch.testing.assert_close(features, own, atol=0.05, rtol=0.02)


@pytest.mark.parametrize("reason", ["CUDA out of memory. Tried", "can't allocate memory: you"])
def test_full_memory_names_the_clip(
    reason: str,
    encoder_path: Path,
    real_rows: list[dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = described(encoder_path)
    content = facts_of(plain, "cpu")[1]
    assert content == Content("features", 512, "float16")

    def full(self: Pretrained, samples: Any, lengths: Any = None) -> None:
        raise RuntimeError(reason)

    monkeypatch.setattr(Pretrained, "forward", full)
    rows = [{name: row.get(name, "") for name in COLUMNS} for row in real_rows[:2]]
    seconds = [len(read_audio(row["path"], 16000)) / 16000 for row in rows]
    longest = seconds.index(max(seconds))
    alone = f"{rows[0]['path']}: no memory for features of its {seconds[0]:.1f} s ({reason}"
    many = f"{rows[longest]['path']}: no memory for features of its {max(seconds):.1f} s and 1 sho"
    for device, named, last in (("cpu", alone, "SECONDS."), ("meta", many, "accelerator=cpu.")):
        with pytest.raises(LangidError) as told:
            write_shard(tmp_path / "0.h5", rows, json.loads(json.dumps(plain)), content, device)
        assert str(told.value).startswith(named)
        assert "take fewer workers, max_duration_s=SECONDS" in str(told.value)
        assert f"{last} What is done is kept" in str(told.value)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("detector", ["EnergyDetector", "LibrosaDetector"])  # in blocks, whole
def test_memory_that_is_full_while_a_clip_is_decoded_is_told(
    detector: str,
    real_rows: list[dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: Any) -> Iterator[np.ndarray]:
        raise MemoryError
        yield

    monkeypatch.setattr(clip_frames, "read_blocks", full)
    plain = described(Path()) | {"features": {"_target_": "langid.signal.features.MFCC"}}
    plain["detector"] = {"_target_": f"langid.signal.speech_detector.{detector}"}
    row = {name: real_rows[0].get(name, "") for name in COLUMNS}
    with pytest.raises(LangidError) as told:
        write_shard(tmp_path / "0.h5", [row], plain, Content("features", 64, "float16"))
    assert str(told.value).startswith(f"{row['path']}: no memory to decode it (MemoryError)")
    assert "take fewer workers, max_duration_s=SECONDS. What is done is kept" in str(told.value)
    assert not list(tmp_path.iterdir())


class Asked(NamedTuple):
    """A front end, and whether files are processed in blocks, of which the first ones will do."""

    features: dict[str, Any]
    detector: dict[str, Any]
    in_blocks: bool


LIBROSA = {"_target_": "langid.signal.speech_detector.LibrosaDetector", "top_db": 30}
CLIP_FEATURES = {"_target_": "langid.signal.clip_features.MFCCLibrosa", "join_top_db": 30}
HOPS = {"sample_rate": 16000, "hop_samples": 320, "detector_hop_samples": 160}
BUILDS = {
    "causal": Asked({"_target_": "langid.signal.features.MFCC"}, ENERGY, True),
    "learned": Asked({"_target_": "langid.signal.features.MFCC"}, LEARNED, True),
    "samples": Asked({"_target_": "langid.signal.sample_hops.SampleHops"} | HOPS, ENERGY, True),
    "detector": Asked({"_target_": "langid.signal.features.LogMel"}, LIBROSA, False),
    "features": Asked(CLIP_FEATURES, ENERGY, False),
}


@pytest.mark.parametrize("name", BUILDS)
def test_of_longer_files_the_first_seconds_of_speech_are_taken(
    name: str, real_clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marks are those of the whole clip, features those of what is taken alone."""
    asked = BUILDS[name]
    heard: list[int] = []

    def blocks(path: str, sample_rate: int) -> Iterator[np.ndarray]:
        for block in read_blocks(path, sample_rate, 0.3):
            heard.append(len(block))
            yield block

    monkeypatch.setattr(clip_frames, "read_blocks", blocks)
    front_end = FrontEnd(
        features := build(asked.features, "features"),
        build(asked.detector, "detector", hop_samples=features.detector_hop_samples),
    )
    hop, most = features.hop_samples, round(2.0 * 16000)
    late = tmp_path / "late.wav"  # a gate, then the clip: the noise floor is that of the gate
    soundfile.write(late, np.pad(read_audio(real_clips[0], 16000), (40007, 0)), 16000)
    short = tmp_path / "short.wav"  # as long as what is asked, and its last hop is not full
    soundfile.write(short, read_audio(real_clips[1], 16000)[: most - 7], 16000)
    tail = tmp_path / "tail.wav"  # longer than asked, but not from its speech on
    soundfile.write(tail, np.pad(read_audio(real_clips[2], 16000)[:30011], (40000, 0)), 16000)
    for path in (*real_clips[::9], late, tail, short):
        heard.clear()
        ((block, made, speech),) = frames_of(Excerpt(path), front_end, 2.0)
        whole = in_16_bits(read_audio(path, 16000))
        clip = features.clip(torch.from_numpy(whole)[None])
        marks = front_end.speech(clip)[0]
        start = int(marks.int().argmax()) if clip.shape[1] > most else 0
        cut = clip[:, start * hop :][:, :most]
        assert torch.equal(torch.from_numpy(block), cut[0])
        assert torch.equal(speech, marks[start:][: -(-cut.shape[1] // hop)])
        expected = features.frames(cut)[0][: len(speech)]
        assert torch.equal(made, expected.to(getattr(torch, features.stored_as)))
        assert (sum(heard) < start * hop + most + 3 * 4800) or not asked.in_blocks
    assert len(block) == most - 7 or not asked.in_blocks


def test_the_first_seconds_are_those_of_files_together(
    encoder_path: Path, real_clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of files that would be filled up too far is made in several goes, in order."""
    monkeypatch.setattr(clip_frames, "TOGETHER_S", 3.0)
    plain = described(encoder_path)
    front_end = build_front_end(plain["features"], plain["detector"])
    calls: list[int] = []
    forward = Pretrained.forward

    def counted(self: Pretrained, samples: Any, lengths: Any = None) -> torch.Tensor:
        calls.append(len(samples))
        return forward(self, samples, lengths)

    monkeypatch.setattr(Pretrained, "forward", counted)
    paths = [Excerpt(path) for path in real_clips[:3]]
    every = list(frames_together(paths, front_end, 1.5, "cpu"))
    assert calls == [2, 1]
    for path, together in zip(paths, every, strict=True):
        assert not isinstance(together, AudioError)
        ((samples, features, speech),) = together
        ((own_samples, own_features, own_speech),) = frames_of(path, front_end, 1.5)
        assert len(samples) == 24000 and (samples == own_samples).all()
        assert len(features) == 75 and torch.equal(features, own_features)
        assert torch.equal(speech, own_speech)
