"""The page in a real browser: a client of Chromium's DevTools, and a server of an exported file."""

import base64
import json
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch.nn.functional import cross_entropy

from langid.signal.audio import read_audio
from langid.streaming.export import export_onnx
from langid.streaming.page_server import PAGE, VENDOR_FILES, PageServer
from langid.training.checkpoint import build_identifier

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--mute-audio", "--use-fake-device-for-media-stream",
    "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
TIMEOUT_S = 120
READY = "document.querySelector('.bar')?.className || document.querySelector('#trouble')?.innerText"
FORGET = "document.querySelector('#status').innerText = '...'"
DONE = """
    / from .* of speech/.test(document.querySelector("#status").innerText) ||
    !document.querySelector("#status").innerText && document.querySelector("#trouble").innerText
"""
LANGUAGES = ("English", "Hindi", "Mandarin")
RATE = 16000
TEACHING_STEPS = 40
DESCRIPTION: dict[str, Any] = {
    "features": {"_target_": "langid.signal.features.LogMel", "n_mels": 24},
    "detector": {"_target_": "langid.signal.silence.EnergyDetector"},
    "classes": list(LANGUAGES),
    "silence": "mask",
    "model": {
        "_target_": "langid.training.identifier.LanguageIdentifier",
        "network": {"_target_": "langid.networks.recurrent.GRU", "units": 16, "dense": 10},
    },
}


class Chromium:
    """A browser with an empty profile, driven over two pipes by the DevTools protocol."""

    def __init__(self, profile: Path, *switches: str):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The protocol wants the pipes as files 3 and 4.
        start = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        command = ["chromium", f"--user-data-dir={profile}", *switches, *SWITCHES]
        self._process = subprocess.Popen(
            ["sh", "-c", start, "sh", *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._received = b""
        self._calls = 0
        self._target: str | None = None
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method of the protocol; events that come meanwhile are kept."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._calls:
            self.events.append(answer)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            assert select.select([self._read], [], [], TIMEOUT_S)[0], "Chromium does not answer"
            received = os.read(self._read, 1 << 20)
            assert received, "Chromium has ended"
            self._received += received
        text, self._received = self._received.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, url: str, ready: str = READY, **before: dict[str, Any]) -> "Page":
        """Return a page at the address, in place of the one before, once an expression is true.

        ``before`` are methods of the protocol, DOMAIN_method, to call before it is loaded.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        if self._target:
            self.call("Target.closeTarget", targetId=self._target)
        self._target = target
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        for method, parameters in before.items():
            page.call(method.replace("_", "."), **parameters)
        page.call("Page.navigate", url=url)
        page.wait_for(ready)
        return page

    def close(self) -> None:
        """End the browser, and wait until it has."""
        self.call("Browser.close")
        self._process.wait(TIMEOUT_S)
        os.close(self._read)
        os.close(self._write)


class Page:
    """One page of the browser."""

    def __init__(self, browser: Chromium, session: str):
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited, as if a person had acted."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Return the value of an expression as soon as there is one."""
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.02)
        raise AssertionError(
            f"{script} stays {value}; the page: {self.run('document.body.innerText')}"
        )

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def number(self, selector: str) -> float:
        """Return the number with which the text of an element begins."""
        return float(self.text(selector).split()[0])

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def choose(self, path: Path) -> None:
        """Choose a file by the page's own control."""
        self.run(FORGET)
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def drop(self, path: Path) -> None:
        """Drop a file on the page."""
        self.run(FORGET)
        data = base64.b64encode(path.read_bytes()).decode()
        self.run(f"""{{
            const bytes = Uint8Array.from(atob("{data}"), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], {json.dumps(path.name)}));
            document.body.dispatchEvent(new DragEvent("drop", {{dataTransfer, bubbles: true}}));
        }}""")

    def said(self) -> str:
        """Return what the page says of a file or the microphone, once it is done and drawn."""
        self.wait_for(DONE)
        self.run("new Promise(requestAnimationFrame)")
        return self.text("#status") or self.text("#trouble")

    def posteriors(self) -> list[float]:
        """Return what the bars show."""
        values = '[...document.querySelectorAll("[role=meter]")].map((bar) => +bar.ariaValueNow)'
        return [float(value) for value in self.run(values)]

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of the events of a kind so far."""
        self.run("0")
        own = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [event["params"] for event in own if event["method"] == method]


Browser = Callable[..., Chromium]


@pytest.fixture(scope="session")
def start_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a function that starts a browser; where there is none, or no runtime, tests skip."""
    missing = [name for name in VENDOR_FILES if not (PAGE / name).is_file()]
    message = "make page has not been run" if missing else "there is no chromium"
    if missing or not shutil.which("chromium"):
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with ExitStack() as stack:

        def start(*switches: str) -> Chromium:
            browser = Chromium(tmp_path_factory.mktemp("profile"), *switches)
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="session")
def chromium(start_chromium: Browser) -> Chromium:
    """Return the browser that tests share."""
    return start_chromium("--use-fake-ui-for-media-stream")


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """Serve a model's page; yield its address."""
    with PageServer(model, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Taught:
    """A model that knows its clips by heart, and these: WAV files by language, at its own rate."""

    model: Path
    clips: dict[str, Path]


@pytest.fixture(scope="session")
def taught(real_clips: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Taught:
    """Return a small model that has learnt one real clip of each language."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("taught")
    samples = [read_audio(path, RATE)[: 4 * RATE] for path in real_clips[::12]]
    identifier = build_identifier(DESCRIPTION)
    heard = [identifier.front_end(torch.from_numpy(clip)[None])[0] for clip in samples]
    frames = torch.cat(heard, 1)[0]
    identifier.normaliser.fit(frames.mean(0), frames.std(0))
    optimizer = torch.optim.Adam(identifier.parameters(), lr=0.02)
    for _ in range(TEACHING_STEPS):
        losses = [
            cross_entropy(identifier(clip, torch.tensor([clip.shape[1]]))[0], _of(label, clip))
            for label, clip in enumerate(heard)
        ]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    clips = {}
    for name, clip in zip(LANGUAGES, samples, strict=True):
        clips[name] = folder / f"{name}.wav"
        soundfile.write(clips[name], clip, RATE)
    export_onnx(identifier.eval(), folder / "taught.onnx", [samples[0][:RATE]])
    return Taught(folder / "taught.onnx", clips)


def _of(label: int, clip: torch.Tensor) -> torch.Tensor:
    return torch.full((clip.shape[1],), label)


@pytest.fixture(scope="session")
def address(start_chromium: Browser, taught: Taught) -> Iterator[str]:
    """Return the address of the page of ``taught``."""
    with serving(taught.model) as url:
        yield url
