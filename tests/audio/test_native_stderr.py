"""What C code prints is kept away; what Python prints is not, in no thread."""

import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import ctypes, os, sys, threading
from langid.audio.native_stderr import native_stderr_off
C = ctypes.CDLL(None)

def chat(text):
    C.fputs(text.encode(), ctypes.c_void_p.in_dll(C, "stderr"))
"""


def glibc() -> bool:
    import os

    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError):
        return False


def printed(script: str) -> str:
    source = PRELUDE + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.skipif(not glibc(), reason="another C library is left alone")
def test_only_what_c_code_prints_inside_is_kept_away() -> None:
    assert (
        printed("""
        chat("before ")
        with native_stderr_off():
            chat("hidden ")
            sys.stderr.write("python "); sys.stderr.flush()
            os.write(2, b"descriptor ")
            with native_stderr_off():
                chat("hidden ")
            chat("hidden ")
        chat("after")
        """)
        == "before python descriptor after"
    )


@pytest.mark.skipif(not glibc(), reason="another C library is left alone")
def test_an_error_and_many_threads_put_it_back() -> None:
    assert (
        printed("""
        def work():
            for _ in range(300):
                try:
                    with native_stderr_off():
                        raise ValueError
                except ValueError:
                    pass
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        chat("heard")
        """)
        == "heard"
    )
