"""What a row of a manifest is heard in: a file of sound, or a part of one."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROUNDED_S = 0.1  # by so much an excerpt may end behind its file


class Excerpt(NamedTuple):
    """A file of sound from ``start_s`` to ``end_s``, which is infinity for the end of the file."""

    path: Path
    start_s: float = 0.0
    end_s: float = math.inf

    @classmethod
    def of(cls, row: Mapping[str, str]) -> "Excerpt":
        """Return the excerpt of a row, whose ``start_s`` and ``end_s`` may be empty."""
        return cls(Path(row["path"]), float(row["start_s"] or 0), float(row["end_s"] or math.inf))

    @property
    def least_s(self) -> float:
        """How many seconds its file must have."""
        return self.start_s if self.end_s == math.inf else self.end_s - ROUNDED_S

    def behind(self, seconds: float) -> "Excerpt":
        """Return the same excerpt, as counted from so many seconds on."""
        return self._replace(start_s=self.start_s - seconds, end_s=self.end_s - seconds)
