"""The progress bar of long work."""

import sys

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from langid.terminal import console


class Rate(ProgressColumn):
    """Completed units per second."""

    def __init__(self, unit: str):
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self.unit}/s" if speed else "")


def progress(description: str, unit: str) -> Progress:
    """Return a progress bar with a rate in ``unit`` per second and the time that remains."""
    terminal = console(stderr=True)
    return Progress(
        TextColumn(description, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(unit),
        TimeRemainingColumn(),
        console=terminal,
        redirect_stdout=sys.stdout.isatty(),  # else it would bring what goes to a file up here
        transient=True,
        disable=not terminal.is_terminal,  # in a log file a bar is noise
    )
