"""What ``langid calibrate`` has found: by how much less sure an identifier shall be."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from langid.errors import LangidError

KEY = "langid_calibration"  # in a checkpoint


@dataclass(frozen=True)
class LogitScaling:
    """Logits over a temperature (Guo et al., ICML 2017), plus a bias per class.

    ``bias`` is in the order of the classes, empty for none; ``validation`` tells on what both were
    fitted.
    """

    temperature: float
    bias: tuple[float, ...] = ()
    validation: str = ""

    def __call__(self, logits: Tensor) -> Tensor:
        """``logits (..., classes)``, to be softmaxed, of the same shape."""
        scaled = logits / self.temperature
        return scaled + scaled.new_tensor(self.bias) if self.bias else scaled

    def to_plain(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"bias": list(self.bias)}

    @classmethod
    def from_plain(cls, plain: Any, classes: int) -> "LogitScaling":
        """Return what a file says; raises LangidError for what is none of so many classes."""
        numbers: list[Any] = []
        if isinstance(plain, Mapping) and isinstance(plain.get("bias"), list | tuple):
            numbers = [plain.get("temperature"), *plain["bias"]]
        finite = all(type(of) in (int, float) and math.isfinite(of) for of in numbers)
        if len(numbers) not in (1, classes + 1) or not finite or not numbers[0] > 0:
            raise LangidError(
                f"its calibration is {plain!r}; expected a temperature above 0 and a bias for each"
                f" of {classes} classes, or none; run langid calibrate again"
            )
        assert isinstance(plain, Mapping)
        return cls(numbers[0], tuple(numbers[1:]), str(plain.get("validation", "")))
