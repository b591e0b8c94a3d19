"""Import torchaudio whether or not its compiled extension fits the installed torch.

The torchaudio 2.11 wheel is linked to CUDA 13.0: beside a CPU build of torch its extension fails
with ``OSError: libc10_cuda.so``, beside a newer CUDA build with a version ``RuntimeError``. langid
uses only the parts that are pure Python on top of torch, so when the extension cannot load, a
stand-in that declares it absent takes its place. All of langid imports torchaudio from here.
"""

import importlib
import sys
from types import ModuleType


def load_torchaudio() -> ModuleType:
    """Return the torchaudio package, without its extension where that cannot load."""
    try:
        return importlib.import_module("torchaudio")
    except (OSError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        absent = ModuleType("torchaudio._extension")
        vars(absent).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False)
        vars(absent)["fail_if_no_align"] = lambda function: function
        sys.modules[absent.__name__] = absent
        return importlib.import_module("torchaudio")


torchaudio = load_torchaudio()
