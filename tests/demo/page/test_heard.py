"""The page in Chromium says what Python says: posteriors, decisions, times."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from langid.audio.decode import read_audio
from langid.export.onnx import export_onnx
from langid.export.windowed import export_offline
from langid.streaming.streamer import StreamingIdentifier

from ...export.test_export_networks import untrained
from ...export.test_windowed import whole_utterance
from .chromium import Chromium, Page
from .conftest import LANGUAGES, RATE, OpenPage, Taught, serving

ACCEPTED = 1e-3
FRAMES = """
(async () => {
  const { Identifier } = await import("/identifier.js");
  const { decodeFile } = await import("/sound.js");
  const metadata = await (await fetch("/model.json")).json();
  const model = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  const identifier = (window.identifier ??= await Identifier.load(metadata, model));
  const bytes = Uint8Array.from(atob("DATA"), (letter) => letter.charCodeAt(0));
  const samples = await decodeFile(new File([bytes], "clip"), metadata.sample_rate);
  const answers = [];
  for (const [chunk, settings] of RUNS) {
    identifier.metadata = { ...metadata, decision: { ...metadata.decision, ...settings } };
    identifier.reset();
    const posteriors = [];
    for (let i = 0; i < samples.length; i += chunk)
      posteriors.push(...(await identifier.feed(samples.subarray(i, i + chunk))).posteriors);
    posteriors.push(...(await identifier.flush()).posteriors);
    answers.push([posteriors, identifier.decision]);
  }
  return answers;
})()
"""
Answer = tuple[np.ndarray, dict[str, Any]]


def in_browser(page: Page, clip: Path, *runs: tuple[int, dict[str, Any]]) -> list[Answer]:
    """Return posteriors ``(frames, classes)`` and decision for each chunk size with settings."""
    data = base64.b64encode(clip.read_bytes()).decode()
    answers = page.run(FRAMES.replace("DATA", data).replace("RUNS", json.dumps(runs)))
    return [(np.array(frames).reshape(-1, 3), decision) for frames, decision in answers]


def expected(model: Path, clip: Path, **settings: Any) -> tuple[np.ndarray, StreamingIdentifier]:
    """Return what Python hears in a clip: posteriors of all frames, and the stream afterwards."""
    stream = StreamingIdentifier.load(model, **settings)
    frames = np.concatenate([stream.feed(read_audio(clip, stream.sample_rate)), stream.flush()])
    return frames, stream


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_frame_equals_python_for_any_chunking(
    page: Page, taught: Taught, language: str, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, soundfile.read(taught.clips[language])[0][:30011], 16000)
    frames, stream = expected(taught.model, clip)
    assert np.ptp(frames, axis=0).max() > 0.1  # or there is nothing to compare
    runs: list[tuple[int, dict[str, Any]]] = [(size, {}) for size in (1, 37, 160, 1600, 30011)]
    for posteriors, decision in in_browser(page, clip, *runs):
        np.testing.assert_allclose(posteriors, frames, rtol=0, atol=ACCEPTED)
        assert decision["label"] == stream.decision.label
        assert decision["speechSeconds"] == pytest.approx(stream.decision.speech_s)


@pytest.mark.parametrize(("kind", "rate"), [("FLAC", 48000), ("WAV", 44100), ("OGG", 48000)])
def test_every_frame_of_a_file_at_another_rate_equals_python(
    page: Page, taught: Taught, kind: str, rate: int, tmp_path: Path
) -> None:
    clip = tmp_path / f"clip.{kind.lower()}"
    soundfile.write(clip, read_audio(taught.recordings["Hindi"], rate), rate, format=kind)
    [(posteriors, _)] = in_browser(page, clip, (1600, {}))
    np.testing.assert_allclose(posteriors, expected(taught.model, clip)[0], rtol=0, atol=ACCEPTED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_frame_of_an_mp3_equals_python(page: Page, taught: Taught, language: str) -> None:
    clip = taught.recordings[language]
    assert clip.suffix == ".mp3"
    [(posteriors, decision)] = in_browser(page, clip, (1600, {}))
    frames, stream = expected(taught.model, clip)
    np.testing.assert_allclose(posteriors, frames, rtol=0, atol=ACCEPTED)
    assert decision["label"] == stream.decision.label


@pytest.mark.parametrize(
    ("network", "policy"), [("recurrent.GRU", "mask"), ("recurrent.GRU pauses", "remove")]
)
def test_a_network_with_a_stride_equals_python(
    network: str,
    policy: str,
    chromium: Chromium,
    taught: Taught,
    open_page: OpenPage,
    tmp_path: Path,
) -> None:
    clip, spoken = tmp_path / "clip.wav", read_audio(taught.clips["Hindi"], RATE)
    pause = np.zeros(RATE, np.float32)  # heard in the middle of a call
    samples = np.concatenate([spoken[:RATE], pause, spoken[RATE : 2 * RATE]])
    soundfile.write(clip, samples, RATE, subtype="FLOAT")
    model = tmp_path / "model.onnx"
    export_onnx(untrained(network, policy, samples, stride=4), model, [samples[:RATE]])
    frames, stream = expected(model, clip)
    assert stream.hop_s == 0.04 and np.ptp(frames, axis=0).max() > 0.02
    with serving(model) as server:
        page = open_page(chromium, server.url)
        for posteriors, decision in in_browser(page, clip, (1120, {}), (len(samples), {})):
            np.testing.assert_allclose(posteriors, frames, rtol=0, atol=ACCEPTED)
            assert decision["speechSeconds"] == pytest.approx(stream.decision.speech_s)


@pytest.fixture
def small_window_path(clips: list[np.ndarray], tmp_path: Path) -> Path:
    """Return the file of a small network that hears windows of 1.5 s."""
    identifier = whole_utterance("cnn.CNN", "mask", clips[0])
    path = tmp_path / "window.onnx"
    export_offline(identifier, path, [clips[0][:RATE]], window_s=1.5, hop_s=0.5)
    return path


@pytest.mark.parametrize("of", ["small_window_path", "window_path"])  # the last with an encoder
def test_a_window_equals_python(
    of: str,
    chromium: Chromium,
    taught: Taught,
    open_page: OpenPage,
    request: pytest.FixtureRequest,
) -> None:
    model = request.getfixturevalue(of)
    clip = taught.clips["Hindi"]
    frames, stream = expected(model, clip)
    assert len(frames) > 4 and np.ptp(frames, axis=0).max() > 0.01
    with serving(model) as server:
        page = open_page(chromium, server.url)
        for posteriors, decision in in_browser(page, clip, (1600, {}), (30011, {})):
            np.testing.assert_allclose(posteriors, frames, rtol=0, atol=ACCEPTED)
            assert decision["label"] == stream.decision.label
            assert decision["speechSeconds"] == pytest.approx(stream.decision.speech_s)
        page.choose(clip)
        assert f"{stream.decision.label} leads with " in page.said()
        assert page.number("#heard") == pytest.approx(stream.decision.heard_s, abs=0.051)


@pytest.fixture
def two(taught: Taught, tmp_path: Path) -> Path:
    """Return a recording of Hindi and then Mandarin."""
    path = tmp_path / "two.wav"
    both = [soundfile.read(taught.clips[name])[0] for name in ("Hindi", "Mandarin")]
    soundfile.write(path, np.concatenate(both), 16000)
    return path


def test_decisions_equal_those_of_python(page: Page, taught: Taught, two: Path) -> None:
    settings: list[dict[str, Any]] = [
        {"half_life_s": 0.5},
        {"half_life_s": 0.0},
        {"decide_at": 0.9, "half_life_s": 1.0},
        {"decide_at": 0.9, "half_life_s": None},
        {"decide_at": 1.0},
        {"unknown_below": 0.8},
        {"languages": ["English", "Mandarin"]},
        {"languages": ["English"], "unknown_below": 0.5},
    ]
    answers = in_browser(page, two, *((1600, one) for one in settings))
    labels = set()
    for one, (_, found) in zip(settings, answers, strict=True):
        decision = expected(taught.model, two, **one)[1].decision
        assert found["label"] == decision.label
        labels.add(decision.label)
        assert found["confidence"] == pytest.approx(decision.confidence, abs=ACCEPTED)
        shown = dict(zip(LANGUAGES, found["posteriors"], strict=True))
        for name, posterior in decision.posteriors.items():
            assert shown.pop(name) == pytest.approx(posterior, abs=ACCEPTED)
        assert not any(shown.values())
    assert labels == {None, "unknown", "Hindi", "Mandarin", "English"}, labels


@pytest.mark.parametrize("way", ["choose", "drop"])
def test_the_right_language_of_files(page: Page, taught: Taught, way: str) -> None:
    for language, clip in taught.clips.items():
        getattr(page, way)(clip)
        assert page.said().startswith(f"{clip.name}: {language}, ")
        decision = expected(taught.model, clip)[1].decision
        assert decision.label == language
        assert page.text("#verdict").startswith(language)
        assert page.posteriors() == pytest.approx([*decision.posteriors.values()], abs=ACCEPTED)
        assert page.number("#speech") == pytest.approx(decision.speech_s, abs=0.051)
        assert page.number("#heard") == pytest.approx(decision.heard_s, abs=0.051)
        assert page.number("#factor") > 0
        timeline = page.run("document.querySelector('#timeline').ariaLabel")
        assert f"{language} " in timeline
    assert "undefined" not in page.text("main")


def test_time_to_decision_is_that_of_python(page: Page, taught: Taught) -> None:
    clip = taught.clips["Hindi"]
    page.choose(clip)
    page.said()
    for percent in (60, 90, 75):
        page.slide(percent)
        decision = expected(taught.model, clip, decide_at=percent / 100)[1].decision
        assert decision.decided_after_s is not None
        assert page.number("#decided") == pytest.approx(decision.decided_after_s, abs=0.051)
        assert page.text("#decided").endswith(", Hindi") or percent < 90
        assert page.text("#threshold-value").split() == [str(percent), "%"]


def test_the_verdict_follows_the_threshold_as_in_python(
    page: Page, taught: Taught, two: Path
) -> None:
    page.choose(two)
    page.said()
    found = set()
    for percent in (100, 90, 50, 1):
        page.slide(percent)
        decision = expected(taught.model, two, decide_at=percent / 100)[1].decision
        leader = max(decision.posteriors, key=decision.posteriors.__getitem__)
        words = decision.label or f"Undecided, {leader} leads with"
        assert page.text("#verdict").startswith(f"{words} ")
        share = page.text("#verdict").removeprefix(f"{words} ")
        assert int(share.split()[0]) == pytest.approx(100 * decision.confidence, abs=0.6)
        comma = "," if decision.label else ""
        said = f"two.wav: {words}{comma} {share}, from {decision.speech_s:.1f} s of speech."
        assert page.text("#status") == said
        assert (page.text("#decided") == "undecided") == (decision.label is None)
        found.add(decision.label)
    assert found == {None, "Hindi", "Mandarin"}


def test_the_verdict_follows_the_threshold_while_the_microphone_is_heard(
    page: Page, taught: Taught, sound: Path
) -> None:
    sound.write_bytes(taught.clips["Hindi"].read_bytes())
    page.slide(100)
    listen(page, 2)
    assert page.text("#verdict").startswith("Undecided, Hindi leads with ")
    assert page.text("#status") == "Listening: speak."
    page.slide(50)
    assert page.text("#verdict").startswith("Hindi ")
    assert page.text("#status").startswith("Hindi, decided after ")
    page.slide(100)
    assert page.text("#status") == "Listening: speak."
    page.click("#listen")
    assert page.said().startswith("Undecided, Hindi leads with ")


WATCH = """
    window.seen = new Set();
    new MutationObserver(() => window.seen.add(document.querySelector("#heard").innerText))
        .observe(document.querySelector("#bars"), {subtree: true, attributes: true});
"""
HEARD = "parseFloat(document.querySelector('#heard').innerText)"


def listen(page: Page, seconds: float) -> None:
    """Have the page hear the microphone anew, for so many seconds or more."""
    page.click("#listen")
    page.wait_for(f"!({HEARD} >= {seconds})")  # what was heard before is forgotten
    page.wait_for(f"{HEARD} >= {seconds}")


def test_the_right_language_from_the_microphone(page: Page, taught: Taught, sound: Path) -> None:
    for language, clip in taught.clips.items():
        sound.write_bytes(clip.read_bytes())
        page.run(WATCH)
        listen(page, 2.5)
        assert page.text("#listen") == "Stop the microphone"
        assert page.number("#factor") > 0
        page.click("#listen")
        assert page.said().startswith(f"{language}, ")
        assert page.text("#verdict").startswith(language)
        assert page.text("#decided").endswith(f", {language}")
        assert page.text("#listen") == "Use the microphone"
        assert len(page.run("[...window.seen]")) >= 10  # the bars move while it is heard


def test_a_file_that_is_chosen_while_the_microphone_is_heard(
    page: Page, taught: Taught, sound: Path
) -> None:
    sound.write_bytes(taught.clips["English"].read_bytes())
    clip = taught.clips["Mandarin"]
    listen(page, 0.5)
    page.choose(clip)
    assert page.said().startswith("Mandarin.wav: Mandarin, ")
    assert page.text("#listen") == "Use the microphone"
    decision = expected(taught.model, clip)[1].decision
    assert page.posteriors() == pytest.approx([*decision.posteriors.values()], abs=ACCEPTED)
    assert page.number("#heard") == pytest.approx(decision.heard_s, abs=0.051)
    assert page.events("Runtime.exceptionThrown") == []


def test_playing_moves_the_bars(page: Page, taught: Taught, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, soundfile.read(taught.clips["English"])[0][:24000], 16000)
    page.choose(clip)
    page.said()
    final = page.posteriors()
    page.run(WATCH)
    page.click("#play")
    page.wait_for(f"{HEARD} < 1")
    assert page.text("#play") == "Stop"
    page.wait_for("document.querySelector('#play').innerText == 'Play'")
    page.wait_for(f"{HEARD} == 1.5")
    assert len(page.run("[...window.seen]")) >= 5
    assert page.posteriors() == final
