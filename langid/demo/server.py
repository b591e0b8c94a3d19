"""The page of ``langid demo``: its own files and one model, for this machine alone."""

import json
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

from langid.errors import LangidError
from langid.streaming.decision import DecisionSettings
from langid.streaming.windowed_model import WindowedModel, load_model

ADDRESS = "127.0.0.1"
PAGE = Path(__file__).with_name("page")
OWN_FILES = (
    "index.html", "icon.svg", "page.css", "page.js", "view.js", "sound.js", "capture.js",
    "worker.js", "identifier.js", "stepper.js", "decision.js", "resampler.js", "format.js",
)  # fmt: skip
VENDOR_FILES = (
    "vendor/mpg123-decoder.min.js", "vendor/ort.wasm.bundle.min.mjs",
    "vendor/ort-wasm-simd-threaded.wasm",
)  # fmt: skip
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
}
HEADERS = {
    # 'wasm-unsafe-eval' lets the page compile WebAssembly; it allows no eval of JavaScript.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self';"
        " connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    # Other pages of the same browser can neither embed nor read what is served here; being
    # isolated also gives this page a finer clock for its real-time factor.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Content(NamedTuple):
    """What is served at one path."""

    body: bytes
    kind: str


class PageServer(socketserver.ThreadingTCPServer):
    """Serves the page and a file of ``langid export`` at ``url``, until it is shut down.

    Everything is read into memory before the first request, and only those paths exist: no request
    reaches the file system. ``port`` 0 is any that is free. Raises LangidError for a model that
    page_metadata refuses, a port that cannot be had, and where what comes from npm is not there.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, model: Path, port: int):
        if port != 0 and not 1024 <= port <= 65535:
            raise LangidError(f"port={port}: accepted are 1024 to 65535, and 0 for any free one")
        self.contents = contents(model)
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise LangidError(
                f"port={port}: cannot be used ({error.strerror}); give another, or port=0 for any"
                " free one"
            ) from error
        own = self.server_address[1]
        self.hosts = {f"{ADDRESS}:{own}", f"localhost:{own}"}
        self.url = f"http://{ADDRESS}:{own}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a browser that went away in the middle of an answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def contents(model: Path) -> dict[str, Content]:
    """Return all that is served, by path; raise LangidError as PageServer does."""
    served = {}
    for name in (*OWN_FILES, *VENDOR_FILES):
        path = PAGE / name
        if name in VENDOR_FILES and not path.is_file():
            raise LangidError(
                f"{path}: no such file; the page needs packages from npm: run make page in the"
                " clone (a wheel built after that holds it)"
            )
        served[f"/{name}"] = Content(path.read_bytes(), KINDS[path.suffix])
    served["/"] = served.pop("/index.html")
    metadata = json.dumps(page_metadata(model), ensure_ascii=False, allow_nan=False)
    served["/model.json"] = Content(metadata.encode(), "application/json")
    served["/model.onnx"] = Content(model.read_bytes(), "application/octet-stream")
    return served


def page_metadata(model: Path) -> dict[str, Any]:
    """Return what the page must know of a model: its metadata's own keys, and the file's name.

    ``decision`` holds every setting; None stands for the infinite half-life, which JSON has not.
    Raises LangidError as OnnxModel does.
    """
    loaded = load_model(model)
    decision = DecisionSettings.of(loaded.metadata).plain()
    windowed = isinstance(loaded, WindowedModel)
    streamed = ("state", "initial_state", "frames_at_once")
    own = ("frame_samples", "window_samples") if windowed else streamed
    keys = ("classes", "sample_rate", "hop_samples", *own)
    held = {key: loaded.metadata.get(key) for key in keys}
    return held | {"decision": decision, "file": model.name}


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from the server's contents, and refuses everything else."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = 30.0  # seconds

    def do_GET(self) -> None:
        # A foreign page whose host name is made to point here still sends its own name.
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            self._answer(HTTPStatus.FORBIDDEN, _text(f"Only {self.server.url} is served here."))
        elif content := self.server.contents.get(self.path):
            self._answer(HTTPStatus.OK, content)
        else:
            self._answer(HTTPStatus.NOT_FOUND, _text("There is no such file."))

    do_HEAD = do_GET

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET or HEAD in plain text, with the same headers."""
        self.close_connection = True
        self._answer(HTTPStatus(code), _text(message or HTTPStatus(code).phrase))

    def _answer(self, status: HTTPStatus, content: Content) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content.kind)
        self.send_header("Content-Length", str(len(content.body)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content.body)

    def version_string(self) -> str:
        return "langid"

    def log_message(self, format: str, *values: Any) -> None:
        """Keep the terminal for the address; the browser shows what fails."""


def _text(sentence: str) -> Content:
    return Content(f"{sentence}\n".encode(), "text/plain; charset=utf-8")
