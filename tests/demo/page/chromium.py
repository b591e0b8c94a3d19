"""A client of Chromium's DevTools protocol over two pipes: all that the page's tests need."""

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

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


class Chromium:
    """A browser with an empty profile and a microphone that is none."""

    def __init__(self, profile: Path, *switches: str):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The protocol wants the pipes as files 3 and 4; only bash moves files above 9 there.
        start = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        command = ["chromium", f"--user-data-dir={profile}", *switches, *SWITCHES]
        self._process = subprocess.Popen(
            ["bash", "-c", start, "bash", *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._received = b""
        self._calls = 0
        self._pages: dict[str, str] = {}  # by session of a worker
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method of the protocol; events that come meanwhile are kept."""
        number = self._send(method, session, **parameters)
        while (answer := self._receive()).get("id") != number:
            self._keep(answer)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, method: str, session: str | None, **parameters: Any) -> int:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._calls

    def _keep(self, event: dict[str, Any]) -> None:
        """Keep an event; those of a page's worker are the page's, from its first request on."""
        if event.get("method") == "Target.attachedToTarget" and "sessionId" in event:
            worker = event["params"]["sessionId"]
            self._pages[worker] = event["sessionId"]
            for method in ("Network.enable", "Runtime.runIfWaitingForDebugger"):
                self._send(method, worker)
        session = event.get("sessionId", "")
        self.events.append(event | {"sessionId": self._pages.get(session, session)})

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
        """Return a page at the address in front of the others, once an expression is true.

        ``before`` are methods of the protocol, DOMAIN_method, to call before it is loaded.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        workers = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        page.call("Target.setAutoAttach", **workers)
        for method, parameters in before.items():
            page.call(method.replace("_", "."), **parameters)
        page.call("Page.navigate", url=url)
        page.wait_for(ready)
        return page

    def close(self) -> None:
        """End the browser, and wait until it has."""
        try:
            self.call("Browser.close")
            self._process.wait(TIMEOUT_S)
        finally:
            self._process.kill()
            os.close(self._read)
            os.close(self._write)


class Page:
    """One page of the browser."""

    def __init__(self, browser: Chromium, session: str):
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the result of a method of the protocol on this page."""
        return self._browser.call(method, self._session, **parameters)

    def close(self) -> None:
        """Close the page; the browser goes on."""
        self.call("Page.close")

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

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key: its name, its Windows virtual key code, and what it types."""
        key_of = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **key_of)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key_of)

    def slide(self, percent: int) -> None:
        """Set the confidence of a decision, and wait until all is drawn."""
        self.run(f"""
            document.querySelector("#threshold").value = {percent};
            document.querySelector("#threshold").dispatchEvent(new Event("input"));
            new Promise(requestAnimationFrame);
        """)

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

    def resize(self, width: int, height: int = 800) -> None:
        """Give the page another size, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: str) -> None:
        """Ask the page to be light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def print(self, scheme: str = "light") -> None:
        """Show it as on paper, of a screen that is light or dark."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media="print", features=[feature])

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return the parameters of the events of a kind so far."""
        self.run("0")
        return [
            event["params"]
            for event in self._browser.events
            if event["sessionId"] == self._session and event.get("method") == method
        ]

    def forget_events(self) -> None:
        """Forget the events so far."""
        self._browser.events.clear()
