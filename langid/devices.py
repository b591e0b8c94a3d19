"""The devices of this machine by name."""

import torch

from langid.errors import LangidError


def device_of(accelerator: str) -> torch.device:
    """Return the device of that name; ``auto`` is the fastest that this machine has."""
    backends = {"cpu": torch.cpu, "mps": torch.backends.mps, "cuda": torch.cuda}
    names = [name for name, backend in backends.items() if backend.is_available()]
    if accelerator not in ("auto", *names):
        raise LangidError(
            f"accelerator={accelerator}: accepted on this machine are auto, {', '.join(names)}"
        )
    return torch.device(names[-1] if accelerator == "auto" else accelerator)
