"""Files whose features are made together say what each says alone; where memory is full, which."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from langid.audio.decode import AudioError, read_audio
from langid.corpora.manifest import COLUMNS
from langid.data.clip_frames import frames_of, frames_together
from langid.data.shard import facts_of, write_shard
from langid.data.store import Content
from langid.errors import LangidError
from langid.signal.front_end import build_front_end
from langid.signal.pretrained import Pretrained

ENERGY = {"_target_": "langid.signal.speech_detector.EnergyDetector"}


def described(encoder: Path) -> dict[str, Any]:
    features = {"_target_": "langid.signal.pretrained.Pretrained", "encoder": str(encoder)}
    plain = {"features": features | {"layer": 1}, "detector": ENERGY, "min_duration_s": 0.5}
    return plain | {"content": "features"}


def test_files_together_are_as_each_alone(
    encoder_path: Path, real_clips: list[Path], tmp_path: Path
) -> None:
    """Where a GPU would process them; a damaged file takes none of the others with it."""
    plain = described(encoder_path)
    front_end = build_front_end(plain["features"], plain["detector"])
    damaged, low = tmp_path / "damaged.mp3", tmp_path / "low.wav"
    damaged.write_bytes(b"no sound")
    soundfile.write(low, read_audio(real_clips[1], 8000), 8000)  # is resampled, as everywhere
    paths = [str(path) for path in (real_clips[0], damaged, low)]
    first, error, last = frames_together(paths, front_end, "cpu")
    assert isinstance(error, AudioError) and "damaged.mp3" in str(error)
    for path, together in ((paths[0], first), (paths[2], last)):
        assert not isinstance(together, AudioError)
        ((samples, features, speech),) = together
        ((own_samples, own_features, own_speech),) = frames_of(path, front_end)
        assert (samples == own_samples).all() and torch.equal(speech, own_speech)
        assert torch.equal(features, own_features) and features.dtype == torch.float16


def test_a_gpu_makes_the_same_states(encoder_path: Path, real_clips: list[Path]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU of CUDA")
    plain = described(encoder_path)
    front_end = build_front_end(plain["features"], plain["detector"])
    paths = [str(path) for path in real_clips[:8]]
    for path, together in zip(paths, frames_together(paths, front_end, "cuda"), strict=True):
        assert not isinstance(together, AudioError)
        ((_, features, _),) = together
        ((_, own, _),) = frames_of(path, front_end)
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
    content = facts_of(plain)[1]
    assert content == Content("features", 512, "float16")

    def full(self: Pretrained, samples: Any, lengths: Any = None) -> None:
        raise RuntimeError(reason)

    monkeypatch.setattr(Pretrained, "forward", full)
    rows = [{name: row.get(name, "") for name in COLUMNS} for row in real_rows[:2]]
    for device, named in (("cpu", rows[0]["path"]), ("meta", "the 2 clips from ")):
        with pytest.raises(
            LangidError, match=r"no memory for its features .* take fewer workers"
        ) as told:
            write_shard(tmp_path / "0.h5", rows, json.loads(json.dumps(plain)), content, device)
        assert str(told.value).startswith(named)
        assert not list(tmp_path.iterdir())
