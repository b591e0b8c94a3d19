"""Where the page cannot hear, it says what to do."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from langid.demo.server import VENDOR_FILES, Content

from .chromium import Chromium, Page
from .conftest import Browser, OpenPage, Taught, serving

CURRENT = "open this page in a current Firefox, Chrome, Edge or Safari"
TOTAL = (
    '[...document.querySelectorAll("[role=meter]")].reduce((sum, b) => sum + +b.ariaValueNow, 0)'
)


def trouble(page: Page, words: str) -> str:
    """Return what the page complains of, once it holds some words."""
    page.wait_for(f"document.querySelector('#trouble').innerText.includes({words!r})")
    return page.text("#trouble")


def test_the_microphone_denied_or_absent(start_chromium: Browser, address: str) -> None:
    browser = start_chromium()
    page = browser.open(address)
    denied = {"permission": {"name": "microphone"}, "setting": "denied"}
    browser.call("Browser.setPermission", **denied)
    page.click("#listen")
    assert trouble(page, "not allowed").endswith("press the button again. Or choose a file.")
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
        trouble(page, words)


def test_a_silent_microphone(page: Page, sound: Path) -> None:
    soundfile.write(sound, np.zeros(16000), 16000)
    page.click("#listen")
    sentence = trouble(page, "No speech heard yet")
    assert "check that the microphone is not muted" in sentence
    assert page.text("#verdict") == "No speech yet"
    page.click("#listen")
    assert "check that the microphone is not muted" in trouble(page, "No speech was heard:")


def test_browsers_that_cannot(chromium: Chromium, open_page: OpenPage, taught: Taught) -> None:
    with serving(taught.model) as server:
        page = open_page(chromium, server.url)
        page.run("AudioWorklet.prototype.addModule = () => Promise.reject(new Error('words'))")
        page.click("#listen")
        assert trouble(page, "heard (words)").endswith("still runs, and reload this page.")
        page.run("delete window.AudioWorkletNode")
        page.click("#listen")
        assert CURRENT in trouble(page, "gives pages no microphone")
        script = "Worker = class { constructor() { setTimeout(() => this.onerror()); } };"
        page = open_page(
            chromium, server.url, Page_addScriptToEvaluateOnNewDocument={"source": script}
        )
        assert CURRENT in trouble(page, "cannot run the model")
        server.contents[f"/{VENDOR_FILES[-1]}"] = Content(b"of another time", "application/wasm")
        page = open_page(chromium, server.url)
        assert trouble(page, "This browser cannot run the model (").endswith(f"{CURRENT}.")
        assert page.run("document.querySelector('#listen').disabled")
        del server.contents["/model.onnx"]
        page = open_page(chromium, server.url)
        assert trouble(page, "model.onnx: the server answered 404").endswith("reload this page.")


def test_scripts_that_are_switched_off(
    chromium: Chromium, open_page: OpenPage, address: str
) -> None:
    page = open_page(
        chromium,
        address,
        "document.querySelector('footer')?.innerText",
        Emulation_setScriptExecutionDisabled={"value": True},
    )
    assert "JavaScript is switched off: open this page in a current" in page.text("#status")


@pytest.fixture
def unheard(tmp_path: Path) -> dict[Path, str]:
    """Return files that cannot be heard, and words of what the page says."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "nan.wav", np.where(noise > 0.2, np.nan, noise), 16000, "FLOAT")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("no sound")
    return {
        tmp_path / "silent.wav": "choose a recording with a voice in it",
        tmp_path / "nan.wav": "holds samples that are not numbers: record or save it again",
        tmp_path / "empty.wav": "is empty (0 bytes): choose a recording",
        tmp_path / "text.mp3": "Choose a WAV, MP3, FLAC or Ogg file",
        tmp_path / "none.wav": "hoose a ",
    }


def test_files_that_cannot_be_heard(page: Page, taught: Taught, unheard: dict[Path, str]) -> None:
    for path, words in unheard.items():
        page.choose(path)
        assert words in trouble(page, path.name)
        expected = 1 if path.name == "silent.wav" else 0  # without speech all frames count
        page.wait_for(f"Math.abs({TOTAL} - {expected}) < 3e-5")  # each bar is rounded
        assert not page.run("document.querySelector('#status').innerText.trim()")
    page.choose(taught.clips["English"])  # the page is as good as new
    assert page.said().startswith("English.wav: English, ")
    assert page.text("#trouble") == ""
