"""In which form a trained identifier is written: for which runtime, in which mode and precision."""

import functools
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from langid.errors import LangidError
from langid.streaming.decision import DecisionSettings
from langid.typed import command_line

if TYPE_CHECKING:
    from langid.export.precision import Comparison
    from langid.training.identifier import LanguageIdentifier

CHOICES = {
    "format": ("onnx", "pt2", "module"),
    "mode": ("streaming", "offline"),
    "precision": ("float32", "float16", "int8"),
}
SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "module": ".pt"}
LOADED_BY = {
    "onnx": "langid.streaming.StreamingIdentifier",
    "pt2": "torch.export",
    "module": "langid.export.torch_module.StreamingRecurrentModule",
}
INSTALL = "pip install -e .  # in a clone of langid, which is not released yet"
WINDOW = {"window_s": 5.0, "hop_s": 0.5}  # where none is given, or whole frames near to it
LABELLED_CLIPS = 200
LABELLED_S = 120.0  # with mode=offline, where windows overlap and each second is heard many times


@dataclass(frozen=True)
class Form:
    """The keys of ``langid export`` that choose what is written.

    ``window_s`` and ``hop_s`` are for ``mode="offline"``, None for those of WINDOW. Raises
    LangidError for what is not known and what does not go together.
    """

    format: str
    mode: str
    precision: str
    window_s: float | None
    hop_s: float | None

    def __post_init__(self) -> None:
        for key, accepted in CHOICES.items():
            value, usual = getattr(self, key), accepted[0]
            if value not in accepted:
                raise LangidError(f"{key}={value}: accepted are {', '.join(accepted)}")
            if self.format != "onnx" and key != "format" and value != usual:
                raise LangidError(
                    f"{key}={value}: is for format=onnx; format={self.format} takes {key}={usual}"
                )
        for key in WINDOW:
            if getattr(self, key) is not None and self.mode != "offline":
                raise LangidError(f"{key}={getattr(self, key)}: is for mode=offline; leave it out")

    def window(self, identifier: "LanguageIdentifier") -> tuple[float, float]:
        """Return how long a window is, and the time between two answers, in seconds."""
        frame_s = identifier.front_end.hop_samples / identifier.front_end.sample_rate
        window_s, hop_s = (
            max(1, round(usual / frame_s)) * frame_s
            if getattr(self, key) is None
            else getattr(self, key)
            for key, usual in WINDOW.items()
        )
        return window_s, hop_s

    def check(self, identifier: "LanguageIdentifier", decision: DecisionSettings) -> None:
        """Raise LangidError for an identifier and a decision that cannot be written so."""
        from langid.export.streaming_module import StreamingModule
        from langid.export.windowed import OfflineModule

        if self.mode == "offline":
            OfflineModule(identifier, *self.window(identifier)).metadata(decision)
        else:
            StreamingModule(identifier).metadata(decision)

    def write(
        self,
        identifier: "LanguageIdentifier",
        path: Path,
        clips: Sequence[np.ndarray],
        decision: DecisionSettings,
    ) -> tuple[dict[str, float], "Comparison | None"]:
        """Write the identifier; return the differences in float32, and what a precision changes.

        ``clips`` are real speech, ``(samples,)`` each, on which the file must say what offline
        PyTorch does. Another precision than float32 is compared with it on clips of the training's
        validation part. Raises LangidError where a comparison fails or has nothing to go by.
        """
        write = self._writer(identifier)
        if self.precision == "float32":
            return write(identifier, path, clips, decision=decision), None
        from langid.export.precision import reduce_precision
        from langid.export.validation_clips import validation_clips

        try:
            most_s = LABELLED_S if self.mode == "offline" else math.inf
            labelled = validation_clips(identifier, LABELLED_CLIPS, most_s)
        except LangidError as error:
            raise LangidError(
                f"precision={self.precision}: what it changes is measured on clips of the"
                f" training's validation part, and they are not to be had ({error}); take"
                " precision=float32"
            ) from error
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "float32.onnx"
            differences = write(identifier, whole, clips, decision=decision)
            return differences, reduce_precision(whole, path, self.precision, labelled)

    def loading(self, path: object) -> str:
        """Return how the file is loaded in Python."""
        return f"{LOADED_BY[self.format]}.load({str(path)!r})"

    def to_run(self, name: str) -> list[str]:
        """Return lines for people who are given the file, as it is called."""
        told = [] if self.precision == "float32" else [f"# {self.precision}; figures: float32"]
        if self.format == "onnx":
            told.append(INSTALL)
            told += [command_line(verb, model=name, audio="FILE") for verb in ("predict", "stream")]
        return [*told, f"{self.loading(name)}  # in Python"]

    def _writer(self, identifier: "LanguageIdentifier") -> Callable[..., dict[str, float]]:
        """Return what writes a file in float32."""
        from langid.export.onnx import export_onnx
        from langid.export.torch_export import export_pt2
        from langid.export.torch_module import export_module
        from langid.export.windowed import export_offline

        if self.mode == "offline":
            window_s, hop_s = self.window(identifier)
            return functools.partial(export_offline, window_s=window_s, hop_s=hop_s)
        return {"onnx": export_onnx, "pt2": export_pt2, "module": export_module}[self.format]
