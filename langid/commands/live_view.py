"""The terminal while a stream is heard: a bar per language and the timeline of decisions."""

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from langid.streaming.decision import Decision
from langid.streaming.segments import Stretch

SHOWN = 8  # entries of the timeline


def live_view(decision: Decision, timeline: list[Stretch]) -> Group:
    """Return what the terminal shows of a decision, and of the decisions before it."""
    return Group(_bars(decision), _heard(decision), _timeline(timeline))


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
