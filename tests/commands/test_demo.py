"""langid demo: the page of an exported file until Ctrl+C."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from langid.commands.main import main
from langid.demo import server as page_server
from langid.demo.server import PAGE, VENDOR_FILES

PROGRAM = """
import sys
from pathlib import Path
from langid.commands.main import main
from langid.demo import server as page_server
page_server.PAGE = Path(sys.argv[1])
code = main(["demo", *sys.argv[2:]])
loaded = {"torch", "pandas"} & set(sys.modules)
sys.exit(f"demo loads {loaded}" if loaded else code)
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Return a copy of the page's folder with stand-ins for what comes from npm."""
    folder = tmp_path / "page"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("vendor"))
    (folder / "vendor").mkdir()
    for name in VENDOR_FILES:
        (folder / name).write_bytes(b"of npm")
    return folder


def test_it_serves_until_interrupted_and_loads_no_torch(model_path: Path, page: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, page, f"model={model_path}", "port=0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=page
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/) in a browser; Ctrl\+C ends\n", line)
        assert found, (line, process.communicate())
        with urllib.request.urlopen(found[1], timeout=10) as answer:
            assert answer.read() == (PAGE / "index.html").read_bytes()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
    assert {path.name for path in page.iterdir()} == {path.name for path in PAGE.iterdir()} | {
        "vendor"
    }


def test_what_is_wrong_is_named(
    model_path: Path,
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(page_server, "PAGE", page)
    cases = {
        ("demo",): "needs model: add model=MODEL.onnx",
        ("demo", "model=absent.onnx"): "absent.onnx: no such file",
        ("demo", f"model={page / 'page.js'}"): "page.js: not a whole ONNX file",
        ("demo", f"model={model_path}", "port=80"): "port=80: accepted are 1024 to 65535",
        ("demo", f"model={model_path}", "port=soon"): "port=soon: expected a whole number",
    }
    for arguments, words in cases.items():
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
    os.unlink(page / VENDOR_FILES[0])
    assert main(["demo", f"model={model_path}", "port=0"]) == 2
    assert "run make page in the clone" in capsys.readouterr().err
