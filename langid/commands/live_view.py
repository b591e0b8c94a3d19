"""The terminal while a stream is heard: a bar per language and the timeline of decisions."""

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from langid.streaming.decision import Decision
from langid.streaming.segments import Stretch

SHOWN = 8  # entries of the timeline


class LiveView:
    """Redraws itself with every decision it is shown, ten times a second at most."""

    def __init__(self, console: Console):
        self._live = Live(console=console, refresh_per_second=10)

    def __enter__(self) -> "LiveView":
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, decision: Decision, timeline: list[Stretch]) -> None:
        """Show a decision, and the decisions before it."""
        self._live.update(Group(_bars(decision), _heard(decision), _timeline(timeline)))


def _bars(decision: Decision) -> Table:
    bars = Table.grid(padding=(0, 1))
    for name, value in decision.posteriors.items():
        chosen = name == decision.label
        style = "bold green" if chosen else ""
        bar = ProgressBar(1.0, value, width=40, complete_style="green" if chosen else "cyan")
        bars.add_row(Text(name, style), bar, Text(f"{value:.3f}", style))
    return bars


def _heard(decision: Decision) -> Text:
    shown = decision.label or decision.status
    return Text(
        f"{shown}   {decision.heard_s:.1f} s heard, {decision.speech_s:.1f} s of speech",
        "bold" if decision.label else "dim",
    )


def _timeline(timeline: list[Stretch]) -> Text:
    entries = [f"{entry.start_s:.1f} s {entry.label}" for entry in timeline[-SHOWN:]]
    dots = ["…"] if len(timeline) > SHOWN else []
    return Text("  ▸  ".join([*dots, *entries]), "dim")
