"""The page in Chromium: it says what Python says, and what to do where it cannot."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from langid.signal.audio import read_audio
from langid.streaming.streamer import StreamingIdentifier

ACCEPTED = 1e-3
FRAMES = """
(async () => {
  const { Identifier } = await import("/identifier.js");
  const { decodeFile } = await import("/sound.js");
  const metadata = await (await fetch("/model.json")).json();
  const model = new Uint8Array(await (await fetch("/model.onnx")).arrayBuffer());
  const identifier = await Identifier.load(metadata, model);
  const bytes = Uint8Array.from(atob("DATA"), (letter) => letter.charCodeAt(0));
  const samples = await decodeFile(new File([bytes], "clip.wav"), metadata.sample_rate);
  const answers = [];
  for (const chunk of CHUNKS) {
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


def expected(model: Path, clip: Path) -> tuple[np.ndarray, StreamingIdentifier]:
    """Return what Python hears in a clip: posteriors of all frames, and the stream afterwards."""
    stream = StreamingIdentifier.load(model)
    frames = np.concatenate([stream.feed(read_audio(clip, stream.sample_rate)), stream.flush()])
    return frames, stream


@pytest.mark.parametrize("language", ["English", "Hindi", "Mandarin"])
def test_every_frame_equals_python_for_any_chunking(
    chromium: Any, address: str, taught: Any, language: str, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, soundfile.read(taught.clips[language])[0][:30011], 16000)
    frames, stream = expected(taught.model, clip)
    data = base64.b64encode(clip.read_bytes()).decode()
    chunks = [1, 37, 160, 1600, 30011]
    answers = chromium.open(address).run(
        FRAMES.replace("DATA", data).replace("CHUNKS", json.dumps(chunks))
    )
    assert len(answers) == len(chunks)
    for posteriors, decision in answers:
        heard = np.array(posteriors).reshape(-1, 3)
        np.testing.assert_allclose(heard, frames, rtol=0, atol=ACCEPTED)
        assert decision["label"] == stream.decision.label
        assert decision["speechSeconds"] == pytest.approx(stream.decision.speech_s)


@pytest.mark.parametrize("way", ["choose", "drop"])
def test_the_right_language_of_files(chromium: Any, address: str, taught: Any, way: str) -> None:
    page = chromium.open(address)
    for language, clip in taught.clips.items():
        getattr(page, way)(clip)
        assert page.said().startswith(f"{clip.name}: {language}, ")
        decision = expected(taught.model, clip)[1].decision
        assert decision.label == language
        assert page.text("#verdict").startswith(language)
        assert page.posteriors() == pytest.approx(decision.posteriors.values(), abs=ACCEPTED)
        assert page.number("#speech") == pytest.approx(decision.speech_s, abs=0.051)
        assert page.number("#heard") == pytest.approx(decision.heard_s, abs=0.051)
        assert page.number("#factor") > 0
        timeline = page.run("document.querySelector('#timeline').ariaLabel")
        assert f"{language} " in timeline
    assert "undefined" not in page.text("main")


def test_time_to_decision_is_that_of_python(chromium: Any, address: str, taught: Any) -> None:
    page = chromium.open(address)
    clip = taught.clips["Hindi"]
    page.choose(clip)
    page.said()
    for threshold in (60, 90, 75):
        page.run(f"""
            document.querySelector("#threshold").value = {threshold};
            document.querySelector("#threshold").dispatchEvent(new Event("input"));
            new Promise(requestAnimationFrame);
        """)
        stream = StreamingIdentifier.load(taught.model, decide_at=threshold / 100)
        stream.feed(read_audio(clip, 16000))
        stream.flush()
        after_s = stream.decision.decided_after_s
        assert after_s is not None
        assert page.number("#decided") == pytest.approx(after_s, abs=0.051)
        assert page.text("#decided").endswith(", Hindi") or threshold < 90
        assert page.text("#threshold-value") == f"{threshold} %"


WATCH = """
    window.seen = new Set();
    new MutationObserver(() => window.seen.add(document.querySelector("#heard").innerText))
        .observe(document.querySelector("#bars"), {subtree: true, attributes: true});
"""


def test_the_right_language_from_the_microphone(
    start_chromium: Any, address: str, taught: Any, tmp_path: Path
) -> None:
    sound = tmp_path / "microphone.wav"  # which Chromium reads each time it opens the microphone
    browser = start_chromium(
        "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={sound}"
    )
    page = browser.open(address)
    for language, clip in taught.clips.items():
        sound.write_bytes(clip.read_bytes())
        page.run(WATCH)
        page.click("#listen")
        page.wait_for("parseFloat(document.querySelector('#heard').innerText) >= 2.5")
        assert page.text("#listen") == "Stop the microphone"
        page.click("#listen")
        assert page.said().startswith(f"{language}, ")
        assert page.text("#verdict").startswith(language)
        assert page.text("#listen") == "Use the microphone"
        assert len(page.run("[...window.seen]")) >= 10  # the bars move while it is heard


def test_the_microphone_denied_or_absent(start_chromium: Any, address: str) -> None:
    browser = start_chromium()
    page = browser.open(address)
    denied = {"permission": {"name": "microphone"}, "setting": "denied"}
    browser.call("Browser.setPermission", **denied)
    page.click("#listen")
    page.wait_for("document.querySelector('#trouble').innerText")
    assert page.text("#trouble").startswith("The microphone is not allowed: permit it for this")
    assert not page.run("document.querySelector('#listen').disabled")
    for name, words in (
        ("NotFoundError", "There is no microphone: connect one"),
        ("NotReadableError", "close the other program that uses it"),
        ("OverconstrainedError", "choose a file instead"),
    ):
        page.run(f"""
            navigator.mediaDevices.getUserMedia = () =>
              Promise.reject(new DOMException("words", "{name}"));
            document.querySelector("#listen").click();
        """)
        page.wait_for(f"document.querySelector('#trouble').innerText.includes('{words}')")


def test_a_silent_microphone(start_chromium: Any, address: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    capture = f"--use-file-for-fake-audio-capture={tmp_path / 'silence.wav'}"
    page = start_chromium("--use-fake-ui-for-media-stream", capture).open(address)
    page.click("#listen")
    page.wait_for("document.querySelector('#trouble').innerText.startsWith('No speech heard yet')")
    assert "check that the microphone is not muted" in page.text("#trouble")
    assert page.text("#verdict") == "No speech yet"


def test_browsers_that_cannot(chromium: Any, address: str) -> None:
    page = chromium.open(address)
    page.run("delete window.AudioWorkletNode; document.querySelector('#listen').click()")
    page.wait_for("document.querySelector('#trouble').innerText")
    assert "open this page in a current Firefox, Chrome" in page.text("#trouble")
    script = "Worker = class { constructor() { setTimeout(() => this.onerror()); } };"
    page = chromium.open(address, Page_addScriptToEvaluateOnNewDocument={"source": script})
    assert "cannot run the model: open this page in a current" in page.text("#trouble")
    off = {"value": True}
    page = chromium.open(
        address,
        "document.querySelector('footer')?.innerText",
        Emulation_setScriptExecutionDisabled=off,
    )
    assert "JavaScript is switched off: open this page in a current" in page.text("#status")


def broken_files(folder: Path) -> dict[Path, str]:
    """Return files that cannot be heard, and a word of what the page says."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    soundfile.write(folder / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(folder / "short.wav", np.zeros(0), 16000)
    soundfile.write(folder / "nan.wav", np.where(noise > 0.2, np.nan, noise), 16000, "FLOAT")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("no sound")
    return {
        folder / "silent.wav": "choose a recording with a voice in it",
        folder / "nan.wav": "holds samples that are not numbers",
        folder / "empty.wav": "is empty (0 bytes)",
        folder / "text.mp3": "Choose a WAV, MP3, FLAC or Ogg file",
        folder / "short.wav": "hoose a ",
    }


def test_files_that_cannot_be_heard(
    chromium: Any, address: str, taught: Any, tmp_path: Path
) -> None:
    page = chromium.open(address)
    for path, words in broken_files(tmp_path).items():
        page.choose(path)
        page.wait_for(f"document.querySelector('#trouble').innerText.includes('{path.name}')")
        assert words in page.text("#trouble")
        assert page.posteriors() == [0, 0, 0]
        assert not page.run("document.querySelector('#status').innerText.trim()")
    page.choose(taught.clips["English"])  # the page is as good as new
    assert page.said().startswith("English.wav: English, ")
    assert page.text("#trouble") == ""


def test_playing_moves_the_bars(chromium: Any, address: str, taught: Any, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, soundfile.read(taught.clips["English"])[0][:24000], 16000)
    page = chromium.open(address)
    page.choose(clip)
    page.said()
    final = page.posteriors()
    page.click("#play")
    page.wait_for("parseFloat(document.querySelector('#heard').innerText) == 0.5")
    assert page.text("#play") == "Stop"
    assert page.posteriors() != final
    page.wait_for("document.querySelector('#play').innerText == 'Play'")
    page.wait_for("parseFloat(document.querySelector('#heard').innerText) == 1.5")
    assert page.posteriors() == final


def test_nobody_else_is_asked(chromium: Any, address: str, taught: Any) -> None:
    page = chromium.open(address)
    page.choose(taught.clips["English"])
    page.said()
    asked = {event["request"]["url"] for event in page.events("Network.requestWillBeSent")}
    assert {address, f"{address}page.js", f"{address}page.css"} <= asked
    assert all(url.startswith(address) for url in asked)
    assert page.events("Log.entryAdded") == page.events("Runtime.exceptionThrown") == []
    other = address.replace("127.0.0.1", "localhost")  # the same server, by another name
    refused = page.run(f"fetch('{other}model.json').catch((error) => error.name)")
    assert refused == "TypeError"
    [entry] = page.events("Log.entryAdded")
    assert "Content Security Policy" in entry["entry"]["text"]


def test_keyboard_and_screen_reader(chromium: Any, address: str, taught: Any) -> None:
    page = chromium.open(address)
    page.choose(taught.clips["English"])
    page.said()
    focused = []
    for _ in range(4):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Tab", windowsVirtualKeyCode=9)
        focused.append(page.run("document.activeElement.id"))
    assert focused == ["listen", "file", "play", "threshold"]
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if node.get("role") and node.get("name") and not node["ignored"]
    }
    roles = [node["role"]["value"] for node in nodes if node.get("role") and not node["ignored"]]
    assert {
        ("button", "Use the microphone"),
        ("button", "Choose a file"),
        ("button", "Play"),
        ("slider", "Decide at a confidence of"),
        ("meter", "English"),
        ("meter", "Hindi"),
        ("meter", "Mandarin"),
        ("heading", "Timeline"),
    } <= named
    assert {"status", "alert", "main", "image"} <= set(roles)


CONTRASTS = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (colour) => {
    const parts = colour.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const contrast = (a, b) => {
    const [low, high] = [light(rgb(a)), light(rgb(b))].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const of = (selector) => getComputedStyle(document.querySelector(selector));
  const card = of("section").backgroundColor;
  const texts = ["#verdict", "#status", "#trouble", ".hint", "dt", "h2", "#play"];
  return {
    paper: rgb(of("body").backgroundColor),
    texts: texts.map((selector) => contrast(of(selector).color, card))
      .concat(contrast(of("#listen").color, of("#listen").backgroundColor)),
    fills: [...document.querySelectorAll(".fill")]
      .map((fill) => contrast(getComputedStyle(fill).backgroundColor, card)),
  };
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(chromium: Any, address: str, scheme: str) -> None:
    page = chromium.open(address)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.call("Emulation.setEmulatedMedia", features=[feature])
    found = page.run(CONTRASTS)
    assert (sum(found["paper"]) > 384) == (scheme == "light")
    assert min(found["texts"]) >= 4.5  # WCAG 2.2, 1.4.3
    assert min(found["fills"]) >= 3  # 1.4.11


@pytest.mark.parametrize("width", [280, 320, 1400])
def test_no_width_needs_scrolling_sideways(
    chromium: Any, address: str, taught: Any, width: int
) -> None:
    page = chromium.open(address)
    size = {"width": width, "height": 600, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **size)
    page.choose(taught.clips["Mandarin"])
    page.said()
    assert page.run("document.documentElement.scrollWidth") <= width
    outside = "[...document.querySelectorAll('main *')].filter((e) => e.offsetWidth > 2)" + (
        f".filter((e) => e.getBoundingClientRect().right > {width}).map((e) => e.id)"
    )
    assert page.run(outside) == []


RESAMPLED = """
(async () => {
  const { Resampler } = await import("/resampler.js");
  const tone = Float32Array.from({length: RATE}, (_, i) => Math.sin(2 * Math.PI * HZ * i / RATE));
  const heard = (size) => {
    const resampler = new Resampler(RATE, 16000);
    const samples = [];
    for (let i = 0; i < tone.length; i += size)
      samples.push(...resampler.process(tone.subarray(i, i + size)));
    return samples.concat(...resampler.flush());
  };
  return [heard(tone.length), heard(128), heard(1)];
})()
"""


@pytest.mark.parametrize("rate", [48000, 44100, 16000, 8000, 11025])
def test_resampling_keeps_what_fits_and_nothing_else(
    chromium: Any, address: str, rate: int
) -> None:
    page = chromium.open(address)
    whole, *cut = page.run(RESAMPLED.replace("RATE", str(rate)).replace("HZ", "1000"))
    assert len(whole) == 16000
    assert all(samples == whole for samples in cut)  # however it is cut
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(whole[200:-200], tone[200:-200], atol=1e-3)
    if rate > 20000:
        above, *_ = page.run(RESAMPLED.replace("RATE", str(rate)).replace("HZ", "9000"))
        assert np.abs(above[200:-200]).max() < 1e-3
