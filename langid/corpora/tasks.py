"""What is predicted: a column of the manifest and its classes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langid.errors import LangidError

if TYPE_CHECKING:  # commands that stream do without pandas
    import pandas as pd

PREDICTED = ("language", "age", "accent", "gender")
# The age groups of Common Voice from young to old, as its reader spells them.
AGES = (
    "teens", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties",
    "nineties",
)  # fmt: skip
LISTED = 20  # as many values as a message names


class Task:
    """Predicts a column of the manifest.

    ``classes`` restricts and orders the classes; without it they are all values found, sorted
    (ages from young to old). ``merge`` maps values to the class that they go into, before
    ``classes`` is looked at. Rows without a value, or of a class that is not among ``classes``,
    are left out. Raises LangidError for a column that is not PREDICTED, and for what is no name.
    """

    def __init__(
        self,
        column: str = "language",
        classes: str | Sequence[str] | None = None,
        merge: Mapping[str, str] | None = None,
    ):
        if column not in PREDICTED:
            raise LangidError(f"task.column={column}: accepted are {', '.join(PREDICTED)}")
        if merge is not None and not isinstance(merge, Mapping):
            raise LangidError(
                f"task.merge={merge}: expected the class of each value to merge,"
                " as in 'task.merge={sixties: 60+, seventies: 60+}'"
            )
        self.column = column
        self.classes: list[str] | None = None
        if classes is not None:
            listed = classes if isinstance(classes, list | tuple) else [classes]
            self.classes = [_name("classes", item) for item in listed]
        self.merge = {
            _name("merge", value): _name("merge", into) for value, into in (merge or {}).items()
        }
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise LangidError(f"task.classes={self.classes}: a class is named twice; name it once")

    def classes_of(self, rows: "pd.DataFrame") -> list[str]:
        """Return the classes to learn from rows of the manifest, in index order.

        Raises LangidError for a merge or a class that no row has, and for fewer than two classes.
        """
        held = _counts(rows[self.column])
        if not held:
            raise LangidError(
                f"task={self.column}: no row of the store has its {self.column}; prepare a corpus"
                " that tells it, or choose another task"
            )
        # Which ages there are is known, so a merge of them serves stores without the oldest too.
        known = {*held, *(AGES if self.column == "age" else ())}
        self._require("merge", [value for value in self.merge if value not in known], held)
        found = _counts(self._merged(rows))
        if self.classes is None:
            if len(found) < 2:
                raise LangidError(
                    f"task={self.column}: the store holds one {self.column} only"
                    f" ({', '.join(found)}); two are needed: prepare more, or merge less"
                )
            return sorted(found, key=self._order)
        if len(self.classes) < 2:
            raise LangidError(
                f"task.classes={self.classes}: two classes at least are needed; the store holds"
                f" {_listed(found)}"
            )
        self._require("classes", [name for name in self.classes if name not in found], found)
        return self.classes

    def labels(self, rows: "pd.DataFrame", classes: Sequence[str]) -> "pd.Series":
        """Return the class of each row; it is empty where the row is left out."""
        merged = self._merged(rows)
        return merged.where(merged.isin(classes), "")

    def left_out(self, rows: "pd.DataFrame", classes: Sequence[str]) -> dict[str, Any]:
        """Count the rows that are left out: ``unlabelled``, and ``other_classes`` by name."""
        merged = self._merged(rows)
        others = _counts(merged[~merged.isin(classes)])
        return {"unlabelled": int((merged == "").sum()), "other_classes": others}

    def _merged(self, rows: "pd.DataFrame") -> "pd.Series":
        column = rows[self.column]
        return column.map(lambda value: self.merge.get(value, value)) if self.merge else column

    def _order(self, name: str) -> tuple[int, str]:
        """Return what classes are sorted by: of an age, the youngest that is merged into it."""
        ages = AGES if self.column == "age" else ()
        ranks = [rank for rank, age in enumerate(ages) if self.merge.get(age, age) == name]
        return min(ranks, default=len(ages)), name

    def _require(self, key: str, unknown: list[str], found: dict[str, int]) -> None:
        if unknown:
            raise LangidError(
                f"task.{key}: no row of the store has the {self.column} {', '.join(unknown)};"
                f" found are {_listed(found)}; name those"
            )


def left_out_line(column: str, left_out: dict[str, Any]) -> str:
    """Return a line for people on the rows that a task leaves out; empty where there are none."""
    others = left_out["other_classes"]
    parts = []
    if left_out["unlabelled"]:
        parts.append(f"{left_out['unlabelled']} clips whose {column} is not known")
    if others:
        parts.append(f"{sum(others.values())} clips of other classes ({_listed(others)})")
    return f"left out: {', '.join(parts)}" if parts else ""


def _name(key: str, value: Any) -> str:
    """Return a name as text; Hydra reads some, such as 60, as numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise LangidError(f"task.{key}: {value!r} is not a name; give text, in quotes if need be")
    return str(value)


def _counts(values: "pd.Series") -> dict[str, int]:
    """Return how many rows have each value, the most frequent first; empty ones are not counted."""
    return {str(name): int(n) for name, n in values[values != ""].value_counts().items()}


def _listed(counts: dict[str, int]) -> str:
    names = [f"{name} ({count})" for name, count in list(counts.items())[:LISTED]]
    return ", ".join(names) + (f" and {len(counts) - LISTED} more" if len(counts) > LISTED else "")
