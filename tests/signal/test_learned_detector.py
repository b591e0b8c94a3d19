from pathlib import Path

import numpy as np
import pytest
import soxr
import torch

from langid.audio.decode import read_audio
from langid.errors import LangidError
from langid.signal import learned_detector
from langid.signal.front_end import FrontEnd
from langid.signal.learned_detector import WEIGHTS, LearnedDetector
from langid.signal.sample_hops import SampleHops

HOP = 160


def noise(seconds: float, level_db: float, seed: int = 0) -> torch.Tensor:
    """Return white noise of a level in dB of full scale, ``(1, samples)``."""
    samples = torch.randn(1, int(seconds * 16000), generator=torch.Generator().manual_seed(seed))
    return samples * 10 ** (level_db / 20)


@pytest.fixture(scope="module")
def speech(real_clips: list[Path]) -> torch.Tensor:
    """Return six seconds: a real clip of two, one of silence, another clip, ``(1, samples)``."""
    clips = [read_audio(clip, 16000)[:40000] for clip in (real_clips[3], real_clips[15])]
    return torch.from_numpy(np.concatenate([clips[0], clips[0][:16000] * 0, clips[1]]))[None]


def agreement(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return of how many frames two detectors say the same."""
    return float((one == other).float().mean())


@pytest.mark.parametrize("silence_s", [0, 1])
@pytest.mark.parametrize("level_db", [-60, -40, -20, -6, -3])
def test_white_noise_is_no_speech_from_its_first_hop(level_db: float, silence_s: int) -> None:
    white = torch.cat([noise(3, level_db, seed) for seed in range(20)]).clamp(-1, 1)
    before = torch.zeros(len(white), silence_s * 16000)
    assert not LearnedDetector(HOP)(torch.cat([before, white], dim=1)).any()


@pytest.mark.parametrize(
    "samples",
    [torch.zeros(1, 48000), torch.full((1, 48100), 0.3), torch.full((1, 100), -0.5)],
    ids=["silence", "an offset", "less than a hop"],
)
def test_where_nothing_varies_there_is_no_speech(samples: torch.Tensor) -> None:
    marks = LearnedDetector(HOP)(samples)
    assert marks.shape == (1, -(-samples.shape[1] // HOP)) and not marks.any()


def test_speech_is_found_between_silence(speech: torch.Tensor) -> None:
    marks = LearnedDetector(HOP)(speech)[0]
    level = speech[0].unflatten(0, (-1, HOP)).square().mean(1)
    assert marks[level > 0.05 * level.max()].float().mean() > 0.95
    assert not marks[260:345].any()


@pytest.mark.parametrize("gain_db", [-24, -12, 6])
def test_loudness_changes_little(speech: torch.Tensor, gain_db: float) -> None:
    detector = LearnedDetector(HOP)
    marks = detector(speech)
    assert 0.3 < marks.float().mean() < 0.9
    assert agreement(detector(speech * 10 ** (gain_db / 20)), marks) > 0.93
    assert agreement(detector(speech + 0.05), marks) > 0.98


def test_noise_changes_little(speech: torch.Tensor) -> None:
    detector = LearnedDetector(HOP)
    power = float(speech.square().mean())
    noisy = speech + noise(6, 10 * np.log10(power) - 5)
    assert agreement(detector(noisy), detector(speech)) > 0.75


@pytest.mark.parametrize("seed", range(4))
def test_chunks_do_not_change_the_marks(speech: torch.Tensor, seed: int) -> None:
    detector, draws = LearnedDetector(HOP), np.random.default_rng(seed)
    both = torch.cat([speech, speech.flip(1)])
    state, found = detector.initial_state(2), []
    whole, _ = detector.logits(both, state)
    cuts = np.unique(draws.integers(1, 600, 40)) * HOP
    for chunk in torch.tensor_split(both, cuts.tolist(), dim=1):
        logits, state = detector.logits(chunk, state)
        found.append(logits)
    torch.testing.assert_close(torch.cat(found, dim=1), whole, rtol=0, atol=1e-4)
    assert torch.equal(detector(both), whole >= 0)


def test_no_frame_hears_a_later_sample(speech: torch.Tensor) -> None:
    detector = LearnedDetector(HOP)
    changed = torch.cat([speech[:, :24000], noise(2, -3)], dim=1)
    state = detector.initial_state(1)
    before, after = (detector.logits(each, state)[0][:, :150] for each in (speech, changed))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-5)


def test_the_runtime_finds_the_same(speech: torch.Tensor) -> None:
    torch_one, fast = LearnedDetector(HOP), LearnedDetector(HOP)
    fast.by_runtime = True
    states = [torch_one.initial_state(2), fast.initial_state(2)]
    for chunk in torch.split(torch.cat([speech, speech * 0.1]), [HOP, 16000, 79840], dim=1):
        (expected, states[0]), (found, states[1]) = (
            each.logits(chunk, state) for each, state in zip((torch_one, fast), states, strict=True)
        )
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    for expected, found in zip(*states, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "hop", "steps"),
    [(8000, 80, 1), (48000, 480, 1), (22050, 512, 2), (16000, 320, 2), (16000, 200, 1)],
)
def test_other_rates_and_hops(speech: torch.Tensor, rate: int, hop: int, steps: int) -> None:
    usual = LearnedDetector(HOP)(speech)[0].numpy()
    resampled = torch.from_numpy(soxr.resample(speech[0].numpy(), 16000, rate))[None]
    detector = LearnedDetector(hop, rate)
    assert detector.steps == steps
    marks = detector(resampled)[0].numpy()
    assert len(marks) == -(-resampled.shape[1] // hop)
    middle = ((np.arange(len(marks)) + 0.5) * hop / rate * 100).astype(int).clip(max=599)
    assert (marks == usual[middle]).mean() > 0.85


def test_every_hop_of_several_steps_is_speech_where_one_is(speech: torch.Tensor) -> None:
    two = FrontEnd(SampleHops(16000, 320, 160), LearnedDetector(160)).speech(speech)
    assert torch.equal(two, LearnedDetector(320)(speech))


@pytest.mark.parametrize("hop", [40, 79, 331])
def test_a_hop_that_no_step_fits_into_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match=rf"{hop} samples at 16000 Hz: .*5 to 20 ms.*energy"):
        LearnedDetector(hop)


def test_the_threshold_is_a_probability(speech: torch.Tensor) -> None:
    shares = [LearnedDetector(HOP, threshold=each)(speech).sum() for each in (0.05, 0.5, 0.95)]
    assert shares[0] > shares[1] > shares[2] > 0
    for wrong in (0, 1, -0.2):
        with pytest.raises(ValueError, match=r"detector\.threshold=.*: accepted is between"):
            LearnedDetector(HOP, threshold=wrong)


def test_weights_are_small_and_no_part_of_a_checkpoint() -> None:
    assert WEIGHTS.stat().st_size <= 20_000
    assert not LearnedDetector(HOP).state_dict() and not list(LearnedDetector(HOP).parameters())


def test_weights_have_one_order() -> None:
    """Processes that train together give each other the buffers of a module one by one."""
    detector = LearnedDetector(160)
    expected = ["input", "recurrent", "input_bias", "recurrent_bias", "output", "output_bias"]
    assert [name for name, _ in detector.named_buffers(recurse=False)][-6:] == expected


@pytest.mark.parametrize("kept", [None, 0, 200, 15000])
def test_damaged_weights_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int | None
) -> None:
    path = tmp_path / "weights.safetensors"
    if kept is not None:
        path.write_bytes(WEIGHTS.read_bytes()[:kept])
    monkeypatch.setattr(learned_detector, "WEIGHTS", path)
    with pytest.raises(LangidError, match=r"weights\.safetensors: missing or damaged; install"):
        LearnedDetector(HOP)
