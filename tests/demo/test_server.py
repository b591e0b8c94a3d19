"""The page's server: its own files and the model, for this machine, and nothing else."""

import http.client
import json
import math
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from langid.demo import server as page_server
from langid.demo.server import HEADERS, OWN_FILES, PAGE, VENDOR_FILES, PageServer
from langid.errors import LangidError
from langid.streaming.onnx_model import OnnxModel

from ..conftest import ROOT, sealed

PATHS = ("/", *(f"/{name}" for name in (*OWN_FILES[1:], *VENDOR_FILES)), "/model.json")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the page's folder with stand-ins for what comes from npm."""
    folder = tmp_path / "page"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("vendor"))
    (folder / "vendor").mkdir()
    for name in VENDOR_FILES:
        (folder / name).write_bytes(b"of npm")
    monkeypatch.setattr(page_server, "PAGE", folder)
    return folder


@pytest.fixture
def server(page: Path, model_path: Path) -> Iterator[PageServer]:
    """Return a server of ``model_path`` at any free port."""
    (page / "secret.js").symlink_to(Path(__file__))
    with PageServer(model_path, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Answer = tuple[int, dict[str, str], bytes]


def ask(
    server: PageServer, path: str, method: str = "GET", hosts: tuple[str, ...] | None = None
) -> Answer:
    """Return status, headers and body of an answer; the path is sent as it is."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)  # type: ignore[misc]
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for host in (server.url[7:-1],) if hosts is None else hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_every_file_of_the_page_is_served_and_no_other_is_there(server: PageServer) -> None:
    own = {str(path.relative_to(PAGE)) for path in PAGE.rglob("*") if path.parent == PAGE}
    own = {name for name in own if not name.startswith(("vendor", "LICENSE-"))}
    assert own == set(OWN_FILES)
    for path in PATHS:
        status, headers, body = ask(server, path)
        assert (status, len(body)) == (200, int(headers["Content-Length"])), path
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert ask(server, "/")[2] == (PAGE / "index.html").read_bytes()
    assert ask(server, "/page.js")[1]["Content-Type"].startswith("text/javascript")
    assert ask(server, VENDOR_FILES[-1].join("/ ").strip())[1]["Content-Type"] == "application/wasm"


def test_the_policy_names_this_server_alone(server: PageServer) -> None:
    policy = ask(server, "/")[1]["Content-Security-Policy"]
    sources = {source for rule in policy.split(";") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "'wasm-unsafe-eval'"}
    assert "default-src 'none'" in policy


def test_the_model_and_what_is_known_of_it(server: PageServer, model_path: Path) -> None:
    assert ask(server, "/model.onnx")[2] == model_path.read_bytes()
    _, headers, body = ask(server, "/model.json")
    assert headers["Content-Type"] == "application/json"
    shown, metadata = json.loads(body), OnnxModel(model_path).metadata
    for key in (
        "classes",
        "sample_rate",
        "hop_samples",
        "state",
        "initial_state",
        "frames_at_once",
    ):
        assert shown[key] == metadata[key]
    assert shown["file"] == "model.onnx"
    assert shown["decision"]["half_life_s"] is None  # which JSON cannot say otherwise


def test_decision_settings_of_the_model_reach_the_page(model_path: Path, tmp_path: Path) -> None:
    model = onnx.load(model_path)
    settings: dict[str, Any] = {"half_life_s": 3.0, "decide_at": 0.8, "languages": ["Hindi"]}
    path = sealed(model, tmp_path / "set.onnx", decision=settings)
    shown = json.loads(json.dumps(page_server.page_metadata(path)["decision"]))
    assert shown == settings | {"unknown_below": 0.0}
    sealed(model, path, decision=settings | {"half_life_s": math.inf})
    assert page_server.page_metadata(path)["decision"]["half_life_s"] is None


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("",),
        ("evil.example",),
        ("127.0.0.1",),
        ("127.0.0.1:1",),
        ("evil.example:PORT",),
        ("127.0.0.1.evil.example:PORT",),
        ("0.0.0.0:PORT",),
        ("[::1]:PORT",),
        ("127.0.0.1:PORT", "evil.example"),
        ("127.0.0.1:PORT", "127.0.0.1:PORT"),
        ("127.0.0.1:PORT@evil.example",),
    ],
)
def test_other_hosts_are_refused(server: PageServer, hosts: tuple[str, ...]) -> None:
    port = str(server.server_address[1])
    given = tuple(host.replace("PORT", port) for host in hosts)
    for path in ("/", "/model.onnx", "/absent"):
        status, headers, body = ask(server, path, hosts=given)
        assert (status, body) == (403, f"Only {server.url} is served here.\n".encode())
        assert headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_both_names_of_this_machine_are_accepted(server: PageServer) -> None:
    port = server.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LocalHost:{port}"):
        assert ask(server, "/", hosts=(host,))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/secret.js",  # a symlink in the folder
        "/index.html",
        "/vendor",
        "/vendor/",
        "/../page_server.py",
        "/vendor/../../page_server.py",
        "/vendor/../page.js",
        "/%2e%2e/page_server.py",
        "/..%2fpage_server.py",
        "/..\\page_server.py",
        "//etc/passwd",
        "/etc/passwd",
        "/page.js?x=1",
        "/page.js/",
        "/PAGE.JS",
        "http://evil.example/page.js",
        "*",
        "page.js",
        "/./page.js",
        "/page.js%00",
    ],
)
def test_other_paths_are_refused(server: PageServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, body) == (404, b"There is no such file.\n")
    assert {name: headers[name] for name in HEADERS} == HEADERS


def test_head_has_no_body_and_other_methods_are_refused(server: PageServer) -> None:
    status, headers, body = ask(server, "/page.css", "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) == (PAGE / "page.css").stat().st_size
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"):
        status, headers, _ = ask(server, "/", method)
        assert status == 501
        assert {name: headers[name] for name in HEADERS} == HEADERS
        assert "Access-Control-Allow-Origin" not in headers


def test_what_is_no_request_does_not_end_the_server(
    server: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for data in (b"\0\xff\n\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"x" * 70000, b""):
        with socket.create_connection(server.server_address[:2]) as raw:  # type: ignore[arg-type]
            raw.sendall(data)
    with socket.create_connection(server.server_address[:2]) as raw:  # type: ignore[arg-type]
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        raw.sendall(f"GET /model.onnx HTTP/1.1\r\nHost: {server.url[7:-1]}\r\n\r\n".encode())
    assert ask(server, "/")[0] == 200
    assert capsys.readouterr().err == ""


def test_it_listens_to_this_machine_alone(server: PageServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.server_address[1]), timeout=5)


def test_ports_that_cannot_be_had(server: PageServer, model_path: Path) -> None:
    port = server.server_address[1]
    with pytest.raises(LangidError, match=rf"port={port}: cannot be used .* or port=0"):
        PageServer(model_path, port)
    for port in (-1, 80, 65536):
        with pytest.raises(LangidError, match=f"port={port}: accepted are 1024 to 65535"):
            PageServer(model_path, port)


def test_without_the_runtime_the_one_command_is_named(page: Path, model_path: Path) -> None:
    os.unlink(page / VENDOR_FILES[-1])
    with pytest.raises(LangidError, match=r"simd-threaded\.wasm: no such file.*run make page"):
        PageServer(model_path, 0)


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
@pytest.mark.parametrize("missing", [None, *VENDOR_FILES])
def test_make_page_notices_whichever_file_is_missing(tmp_path: Path, missing: str | None) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    folder = tmp_path / PAGE.relative_to(ROOT)
    for path in (
        tmp_path / "page" / "package-lock.json",
        tmp_path / "page" / "node_modules" / ".package-lock.json",
        *(folder / name for name in VENDOR_FILES),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if missing:
        (folder / missing).unlink()
    asked = subprocess.run(["make", "--question", "page"], cwd=tmp_path, check=False)
    assert asked.returncode == (0 if missing is None else 1)


def test_a_model_that_is_none_is_named(page: Path, tmp_path: Path) -> None:
    with pytest.raises(LangidError, match=r"absent\.onnx: no such file"):
        PageServer(tmp_path / "absent.onnx", 0)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model")
    with pytest.raises(LangidError, match=r"damaged\.onnx: not a whole ONNX file"):
        PageServer(damaged, 0)
