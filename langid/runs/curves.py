"""The curves of a run, as its training has logged them for TensorBoard."""

from pathlib import Path

import numpy as np

SHOWN = {"val/balanced_accuracy": "balanced accuracy, validation", "val/loss": "loss, validation",
         "train/loss": "loss, training"}  # fmt: skip
EPOCH = "epoch"  # which Lightning logs with everything else, by the step


def curves_of(run: Path) -> dict[str, np.ndarray]:
    """Return the figures that a run has logged by epochs, each ``(2, epochs)``: epoch and value.

    Empty where it has logged nothing for TensorBoard. What was logged again after a resume counts
    as it was last.
    """
    files = sorted(run.glob("tensorboard/**/events.*"))
    if not files:
        return {}
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    epochs: dict[int, float] = {}
    values: dict[str, dict[int, float]] = {}
    for file in files:
        events = EventAccumulator(str(file), {"scalars": 0}).Reload()
        for tag in {EPOCH, *SHOWN} & set(events.Tags()["scalars"]):
            found = {of.step: of.value for of in events.Scalars(tag)}
            (epochs if tag == EPOCH else values.setdefault(tag, {})).update(found)
    curves = {}
    for tag, name in SHOWN.items():
        by_epoch = {
            epochs[step]: value for step, value in values.get(tag, {}).items() if step in epochs
        }
        if by_epoch:
            curves[name] = np.array(sorted(by_epoch.items())).T
    return curves
