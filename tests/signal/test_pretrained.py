"""Hidden states of pretrained encoders are those of transformers, in any length of a clip."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from langid.audio.decode import read_audio
from langid.build import build
from langid.errors import LangidError
from langid.signal import encoder, encoder_files
from langid.signal.encoder_files import pinned
from langid.signal.front_end import build_front_end
from langid.signal.pretrained import Pretrained
from langid.training.encoder_teacher import encoder_of


def clip(seconds: float, seed: int = 0) -> Tensor:
    noise = np.random.default_rng(seed).normal(0, 0.1, (1, round(16000 * seconds)))
    return torch.from_numpy(noise.astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("wav2vec2", {}),
        ("wav2vec2", {"feat_extract_norm": "layer", "do_stable_layer_norm": True}),  # as XLS-R, MMS
        ("hubert", {}),
        ("wavlm", {}),
        ("wav2vec2-bert", {}),
    ],
)
def test_states_are_those_of_transformers(
    kind: str, config: dict[str, Any], saved_encoder: Callable[..., Path]
) -> None:
    import transformers

    folder, samples = saved_encoder(kind, **config), clip(1.2)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(samples[0].numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs, output_hidden_states=True)
    for layer, states in (
        ("last", expected.last_hidden_state),
        (1, expected.hidden_states[1]),
        ("mean", torch.stack(expected.hidden_states).mean(0)),
    ):
        made = Pretrained(str(folder), layer)
        assert (made.bins, made.hop_samples, made.sample_rate) == (16, 320, 16000)
        own = made(samples)[:, : states.shape[1]]
        torch.testing.assert_close(own, states, atol=5e-5, rtol=1e-4)


def precisions() -> tuple[str, str]:
    return torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision


def test_states_are_made_without_tf32(
    saved_encoder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices, made = [], Pretrained(str(saved_encoder("whisper")))
    keeping = encoder.without_tf32

    def noted(device: str) -> AbstractContextManager[None]:
        devices.append(device)
        return keeping(device)

    monkeypatch.setattr(encoder, "without_tf32", noted)
    made(clip(0.1))
    assert devices == ["cpu", "cpu"]  # all of them, and what comes before the layers


def test_states_of_a_gpu_are_those_of_a_processor(
    encoder_path: Path, real_clips: list[Path]
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU of CUDA")
    before = precisions()
    samples = torch.from_numpy(read_audio(real_clips[0], 16000))[None]
    made = Pretrained(str(encoder_path), 4)
    expected = made(samples)
    torch.testing.assert_close(made(samples.cuda()).cpu(), expected, atol=5e-3, rtol=1e-3)
    assert precisions() == before


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "wav2vec2-bert", "whisper"])
def test_a_clip_of_a_padded_batch_is_as_if_alone(
    kind: str, saved_encoder: Callable[..., Path], encoder_path: Path
) -> None:
    """With their attention to padding masked, on which a GPU would process them together."""
    encoder = Pretrained(str(encoder_path if kind == "whisper" else saved_encoder(kind))).held[0]
    long, short = clip(1.2), clip(0.7, seed=1)
    padded = torch.cat([long, torch.nn.functional.pad(short, (0, 8000))])
    with torch.no_grad():
        both, there = encoder.states(padded, torch.tensor([19200, 11200]), 2)
        for row, samples in zip(range(2), (long, short), strict=True):
            alone, _ = encoder.states(samples, upto=2)
            assert there is not None and int(there[row].sum()) == alone[2].shape[1]
            own = both[2][row, : alone[2].shape[1]]
            torch.testing.assert_close(own, alone[2][0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(("seconds", "heard"), [(1, 250), (3, 250), (7, 350)])
def test_whisper_hears_a_clip_in_its_own_length_of_at_least_5_s(
    seconds: int, heard: int, encoder_path: Path, real_clips: list[Path]
) -> None:
    """As an encoder of so many positions says, and much as one that hears 30 s of it says."""
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    samples = torch.from_numpy(read_audio(real_clips[0], 16000)).repeat(3)[None]
    samples, frames = samples[:, : 16000 * seconds - 100], 50 * seconds
    made = Pretrained(str(encoder_path))
    states = made(samples)
    assert states.shape == (1, frames, 512)
    whole = WhisperEncoder.from_pretrained(
        encoder_path, key_mapping={"^encoder.": ""}, dtype=torch.float32
    ).eval()
    inputs = WhisperFeatureExtractor.from_pretrained(encoder_path)(
        samples[0].numpy(), sampling_rate=16000, return_tensors="pt"
    )
    with torch.no_grad():
        filled = whole(**inputs).last_hidden_state[:, :frames]
        whole.config.max_source_positions = heard
        whole.embed_positions.weight = torch.nn.Parameter(whole.embed_positions.weight[:heard])
        whole.embed_positions.num_embeddings = heard
        own = whole(inputs["input_features"][..., : 2 * heard]).last_hidden_state
    torch.testing.assert_close(states[:, :-6], own[:, : frames - 6], atol=0.05, rtol=0.01)
    alike = torch.nn.functional.cosine_similarity(states.mean(1), filled.mean(1)).item()
    assert alike > 0.9


@pytest.mark.parametrize(("filled_s", "heard_s"), [(None, 5), (0, 1), (2, 2), (10, 10)])
def test_silence_follows_a_short_clip_up_to_what_is_asked(
    filled_s: float | None, heard_s: int, encoder_path: Path, real_clips: list[Path]
) -> None:
    samples = torch.from_numpy(read_audio(real_clips[0], 16000))[None, :16000]
    states = Pretrained(str(encoder_path), filled_s=filled_s)(samples)
    longer = torch.nn.functional.pad(samples, (0, 16000 * (heard_s - 1)))
    told = Pretrained(str(encoder_path), filled_s=0)(longer)
    assert told.shape[1] == 50 * heard_s
    torch.testing.assert_close(states, told[:, :50])


@pytest.mark.parametrize("filled_s", [-1, 30.5, "x"])
def test_silence_that_cannot_be_is_refused(filled_s: Any, encoder_path: Path) -> None:
    with pytest.raises(LangidError, match=rf"features.filled_s={filled_s}: accepted are 0 to 30 s"):
        Pretrained(str(encoder_path), filled_s=filled_s)


def test_a_long_clip_is_heard_in_overlapping_windows(saved_encoder: Callable[..., Path]) -> None:
    made, samples = Pretrained(str(saved_encoder("wav2vec2"))), clip(65.0)
    states = made(samples)
    assert states.shape == (1, 3250, 16)
    first, second = made(samples[:, : 320 * 1500]), made(samples[:, 320 * 1400 : 320 * 2900])
    torch.testing.assert_close(states[:, :1450], first[:, :1450])
    torch.testing.assert_close(states[:, 1450:2850], second[:, 50:1450])


def test_each_clip_of_a_batch_is_alone(encoder_path: Path) -> None:
    made = Pretrained(str(encoder_path), 2)
    both = torch.cat([clip(1.0), clip(1.0, 1)])
    for row, samples in zip(made(both), both, strict=True):
        torch.testing.assert_close(row, made(samples[None])[0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "detector", ["speech_detector.EnergyDetector", "learned_detector.LearnedDetector"]
)
def test_speech_is_marked_at_10_ms_and_told_by_frame(
    detector: str, encoder_path: Path, real_clips: list[Path]
) -> None:
    chosen = {"_target_": f"langid.signal.{detector}"}
    features = {"_target_": "langid.signal.pretrained.Pretrained", "encoder": str(encoder_path)}
    front_end = build_front_end(features, chosen)
    samples = torch.from_numpy(read_audio(real_clips[0], 16000))[None, : 320 * 150]
    states, speech = front_end(samples)
    assert states.shape[:2] == speech.shape == (1, 150)
    marks = build(chosen, "detector", hop_samples=160)(samples)
    assert torch.equal(speech, marks.reshape(1, 150, 2).any(2))
    assert speech.any() and not speech.all()
    assert not [name for name in front_end.state_dict() if "features" in name]
    assert "not causal" in front_end.obstacles[0]


def copied(encoder_path: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in encoder_path.glob("*.json"):
        shutil.copyfile(path, folder / path.name)
    (folder / "model.safetensors").symlink_to(encoder_path / "model.safetensors")
    return folder


def cut_off(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(weights[:1_000_000])


def pickled_as(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / name)

    return change


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def told_anew(name: str = "config.json", **changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / name).read_text()) | changes
        (folder / name).write_text(json.dumps(config))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cut_off, "its weights cannot be read"),
        (pickled_as("pytorch_model.bin"), "found pytorch_model.bin is pickled and could run code"),
        (pickled_as("model.pt"), "found model.pt is pickled and could run code"),
        (pickled_as("best.ckpt"), "found best.ckpt is pickled and could run code"),
        (without("config.json"), "no config.json in"),
        (without("preprocessor_config.json"), "no preprocessor_config.json in"),
        (without("model.safetensors"), "found none"),
        (told_anew(model_type="bert"), "bert is no encoder of speech that langid knows"),
        (told_anew(model_type="clip"), "clip is no encoder of speech that langid knows"),
        (told_anew(model_type="of-tomorrow"), "config.json: The checkpoint you are trying to load"),
        (told_anew(encoder_layers=7), "weights are missing"),
        (told_anew(d_model=256), "of another shape"),
        (
            told_anew("preprocessor_config.json", sampling_rate=8000),
            "preprocessor_config.json: sampling_rate 8000; whisper knows 16000 alone",
        ),
    ],
)
def test_what_is_no_encoder_is_refused(
    change: Callable[[Path], None], reason: str, encoder_path: Path, tmp_path: Path
) -> None:
    folder = copied(encoder_path, tmp_path / "encoder")
    change(folder)
    with pytest.raises(LangidError, match=r"^features\.encoder=.*encoder: ") as refused:
        Pretrained(str(folder))
    assert reason in str(refused.value)


def test_a_file_is_no_encoder(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"PK")
    asked = {"encoder": str(tmp_path / "best.ckpt"), "revision": None, "sha256": None}
    with pytest.raises(LangidError, match=r"best\.ckpt: is a file; expected a folder with config"):
        pinned(asked)


@pytest.mark.parametrize("layer", [7, -1, "first", 2.5, True])
def test_a_layer_that_is_not_there_is_refused(layer: Any, encoder_path: Path) -> None:
    with pytest.raises(LangidError, match="has 6 layers; accepted are last, mean and 0 to 6"):
        Pretrained(str(encoder_path), layer)


def test_an_encoder_is_found_by_its_name_and_other_weights_are_refused(
    encoder_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saved_encoder: Callable[..., Path],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("LANGID_MODELS", str(encoder_path.parent))
    asked = {"encoder": encoder_path.name, "layer": 2, "revision": None, "sha256": None}
    held = pinned(asked)
    assert held["sha256"].startswith("817ca4510cc4d800") and held["revision"] is None
    assert pinned(held) == held
    Pretrained(**held)
    shutil.copytree(saved_encoder("hubert"), tmp_path / encoder_path.name)
    monkeypatch.setenv("LANGID_MODELS", str(tmp_path))
    with pytest.raises(LangidError, match="other weights than those that were prepared with"):
        Pretrained(**held)


def test_an_owners_encoder_is_no_folder_of_that_name_unless_its_hash_says_so(
    encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGID_MODELS", str(encoder_path.parent))
    monkeypatch.setattr(encoder_files, "_fetch", lambda *_: "r1")
    asked = {"encoder": f"somebody/{encoder_path.name}", "revision": None, "sha256": None}
    with pytest.raises(LangidError, match=r"somebody/.*: its revision r1 is not there"):
        pinned(asked)
    held = asked | {"sha256": pinned(asked | {"encoder": encoder_path.name})["sha256"]}
    assert pinned(held) == held


def test_a_folder_has_no_revision(encoder_path: Path) -> None:
    asked = {"encoder": str(encoder_path), "revision": "r1", "sha256": None}
    with pytest.raises(LangidError, match=r"features\.revision=r1: .* is a folder"):
        pinned(asked)


def test_a_folder_is_told_by_its_whole_path(
    encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(encoder_path.parent)
    asked = {"encoder": encoder_path.name, "layer": 2, "revision": None, "sha256": None}
    assert pinned(asked)["encoder"] == str(encoder_path)


def test_code_beside_the_weights_is_not_run(
    encoder_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(encoder_path, tmp_path / "encoder")
    told_anew(model_type="mine", auto_map={"AutoConfig": "mine.Config"})(folder)
    (folder / "mine.py").write_text("raise SystemExit('this code was run')")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(LangidError, match=r"config\.json: "):
        Pretrained(str(folder))


def test_nothing_is_fetched_but_by_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[bool] = []

    def snapshot_download(*_: Any, local_files_only: bool = False, **__: Any) -> str:
        asked.append(local_files_only)
        raise OSError("no network here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(LangidError, match=r"features\.encoder=openai/none: not found"):
        Pretrained("openai/none")
    assert asked == [True]
    with pytest.raises(LangidError, match=r"hf download openai/none --revision 5d4"):
        Pretrained("openai/none", revision="5d4")
    asked.pop()
    with pytest.raises(LangidError, match=r"no such folder, and it cannot be fetched .*no network"):
        pinned({"encoder": "openai/none", "revision": None, "sha256": None})
    assert asked == [True, False]
    with pytest.raises(
        LangidError, match=r"features\.encoder=\./absent: not found; expected a folder"
    ):
        pinned({"encoder": "./absent", "revision": None, "sha256": None})


@pytest.mark.parametrize(
    "mistyped", ["./encdoer", "/encdoer/a", "~/encdoer", "a/b/c", "runs/a.ckpt"]
)
def test_what_is_no_name_of_the_hub_is_not_asked_of_it(
    mistyped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[str] = []

    def snapshot_download(name: str, local_files_only: bool = False, **_: Any) -> str:
        if not local_files_only:
            asked.append(name)
        raise OSError("no network here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(LangidError, match=r": not found; expected a folder"):
        pinned({"encoder": mistyped, "revision": None, "sha256": None})
    assert not asked


def test_a_mistyped_folder_is_said_not_to_be_there_where_the_hub_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    teacher = {"checkpoint": "rnus/probe"}
    with pytest.raises(LangidError, match=r"^teacher=rnus/probe: no such folder, and it cannot be"):
        encoder_of(teacher)


def test_the_extra_is_asked_for_where_it_is_missing(
    encoder_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LangidError, match=r"run pip install 'langid-speech\[pretrained\]'"):
        Pretrained(str(encoder_path))
