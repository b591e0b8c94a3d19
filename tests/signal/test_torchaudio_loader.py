import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import importlib.abc, importlib.machinery, sys

class Extension(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name == "torchaudio._extension":
            return importlib.machinery.ModuleSpec(name, self)
    def exec_module(self, module):
        if error is not None:
            raise error
        import torch
        for name in ("_lfilter_core_loop", "_overdrive_core_loop"):
            torch.library.define(f"torchaudio::{name}", "(Tensor samples) -> ()")
        module._IS_TORCHAUDIO_EXT_AVAILABLE = True
        module._IS_ALIGN_AVAILABLE = True
        module.fail_if_no_align = lambda function: function

sys.meta_path.insert(0, Extension())
"""
WORKS = """
import torch
from langid.signal.torchaudio_loader import torchaudio
assert torchaudio is sys.modules["torchaudio"]
filters = torchaudio.functional.melscale_fbanks(257, 20.0, 8000.0, 64, 16000)
assert filters.shape == (257, 64) and (filters.sum(0) > 0).all()
masked = torchaudio.transforms.FrequencyMasking(8)(torch.ones(1, 64, 10))
assert masked.shape == (1, 64, 10)
print(torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE)
"""


@pytest.mark.parametrize(
    ("error", "available"),
    [
        ("None", "True"),  # the extension fits the installed torch: it stays
        ("OSError('libc10_cuda.so: cannot open shared object file')", "False"),
        ("RuntimeError('PyTorch and TorchAudio have different CUDA versions')", "False"),
    ],
)
def test_torchaudio_works_with_and_without_its_extension(error: str, available: str) -> None:
    script = textwrap.dedent(f"error = {error}\n") + PRELUDE + WORKS
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == available
