"""``python -m langid`` while its modules are imported."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def test_ctrl_c_during_imports_is_one_line() -> None:
    command = [sys.executable, "-m", "langid", "doctor"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        opened = Path(f"/proc/{process.pid}/maps")
        while process.poll() is None and "numpy" not in opened.read_text(encoding="utf-8"):
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130
    assert said in (
        "langid: interrupted; nothing has begun\n",
        "langid: interrupted; finished work is kept\n",
    )
