"""The page in a real browser, and a model that knows a clip of each of three languages."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.nn.functional import cross_entropy

from langid.audio.decode import read_audio
from langid.demo.server import PAGE, VENDOR_FILES, PageServer
from langid.export.onnx import export_onnx
from langid.training.checkpoint import build_identifier

from ...conftest import described
from .chromium import Chromium, Page

LANGUAGES = ("English", "Hindi", "Mandarin")
RATE = 16000
TEACHING_STEPS = 40
DESCRIPTION: dict[str, Any] = {
    "features": {"_target_": "langid.signal.features.LogMel", "n_mels": 24},
    "detector": {"_target_": "langid.signal.learned_detector.LearnedDetector"},
    "classes": list(LANGUAGES),
    "silence": "mask",
    "model": {
        "_target_": "langid.training.identifier.LanguageIdentifier",
        "network": {"_target_": "langid.networks.recurrent.GRU", "units": 16, "dense": 10},
    },
}

Browser = Callable[..., Chromium]


def require_chromium() -> None:
    """Skip the test where there is no browser, or no runtime for the page; fail in CI."""
    missing = [name for name in VENDOR_FILES if not (PAGE / name).is_file()]
    message = "make page has not been run" if missing else "there is no chromium"
    if missing or not shutil.which("chromium"):
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def start_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a function that starts a browser; where there is none, or no runtime, tests skip."""
    require_chromium()
    with ExitStack() as stack:

        def start(*switches: str) -> Chromium:
            browser = Chromium(tmp_path_factory.mktemp("profile"), *switches)
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the WAV file that ``chromium`` reads each time it opens its microphone."""
    return tmp_path_factory.mktemp("microphone") / "sound.wav"


@pytest.fixture(scope="session")
def chromium(start_chromium: Browser, sound: Path) -> Chromium:
    """Return the browser that tests share; it allows the microphone without asking."""
    capture = f"--use-file-for-fake-audio-capture={sound}"
    return start_chromium("--use-fake-ui-for-media-stream", capture)


@contextmanager
def serving(model: Path) -> Iterator[PageServer]:
    """Serve a model's page."""
    with PageServer(model, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Taught:
    """A model that knows its clips by heart: WAV files by language, at the model's own rate.

    ``recordings`` are the clips as Common Voice has them, MP3 at another rate.
    """

    model: Path
    clips: dict[str, Path]
    recordings: dict[str, Path]


@pytest.fixture(scope="session")
def taught(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """Return a small model that has learnt one real clip of each language.

    It is for tests of the page: of speech that it has not heard it knows nothing.
    """
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("taught")
    recordings = dict(zip(LANGUAGES, real_clips[::12], strict=True))
    samples = [read_audio(path, RATE)[: 4 * RATE] for path in recordings.values()]
    size = min(map(len, samples))
    identifier = build_identifier(described(**DESCRIPTION))
    heard = identifier.front_end(torch.from_numpy(np.stack([clip[:size] for clip in samples])))[0]
    identifier.normaliser.fit(heard.mean((0, 1)), heard.std((0, 1)))
    labels = torch.arange(3)[:, None].expand(3, heard.shape[1])
    optimizer = torch.optim.Adam(identifier.parameters(), lr=0.02)
    for _ in range(TEACHING_STEPS):
        logits = identifier(heard, torch.full((3,), heard.shape[1]))
        optimizer.zero_grad()
        cross_entropy(logits.transpose(1, 2), labels).backward()
        optimizer.step()
    clips = {name: folder / f"{name}.wav" for name in LANGUAGES}
    for path, clip in zip(clips.values(), samples, strict=True):
        soundfile.write(path, clip, RATE)
    export_onnx(identifier.eval(), folder / "taught.onnx", [samples[0][:RATE]])
    return Taught(folder / "taught.onnx", clips, recordings)


@pytest.fixture(scope="session")
def address(start_chromium: Browser, taught: Taught) -> Iterator[str]:
    """Return the address of the page of ``taught``."""
    with serving(taught.model) as server:
        yield server.url


@pytest.fixture(scope="session")
def shared_page(chromium: Chromium, address: str) -> Page:
    """Return a page that has been loaded; tests take ``page``."""
    return chromium.open(address)


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """Return the page that tests share, in front, and undo what they ask of it."""
    shared_page.call("Page.bringToFront")
    shared_page.forget_events()
    yield shared_page
    shared_page.call("Emulation.clearDeviceMetricsOverride")
    shared_page.call("Emulation.setEmulatedMedia", features=[])
    shared_page.run("document.activeElement.blur()")
    shared_page.slide(90)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page() -> Iterator[OpenPage]:
    """Return a function that opens a page of the test's own, as ``Chromium.open`` does."""
    with ExitStack() as stack:

        def opened(browser: Chromium, *arguments: str, **before: dict[str, Any]) -> Page:
            page = browser.open(*arguments, **before)
            stack.callback(page.close)
            return page

        yield opened
