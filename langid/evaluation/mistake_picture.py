"""A mistake as SVG: waveform, posteriors and what is said over time.

Written by hand, for a report has twenty of them, and a plotting library takes most of an evaluation
to draw them; the page's colour of text serves light and dark.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np

from langid.evaluation.mistakes import Mistake
from langid.plots import COLOURS, legible

COLUMNS = 400
CLASSES = 5  # whose posteriors are drawn, besides the right one's
LEFT, RIGHT, WIDTH, HEIGHT = 44, 600, 800, 290  # pixels: of the plots, and of all
WAVE, POSTERIOR, SAID = (6, 76), (90, 214), (228, 248)  # rows of pixels of the three plots
GREY = 'fill="currentColor" opacity=".12"'
NAMED = 24  # characters of a name that have room
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600)
Rows = tuple[int, int]


def mistake_svg(one: Mistake, classes: Sequence[str], label: str) -> str:
    """Return the picture of a mistake; ``label`` is its text for who does not see it.

    Grey is speech, outside which lines are faint; drawn are the posteriors of the likeliest classes
    and of the right one.
    """
    likeliest = np.argsort(-one.posteriors.mean(0), kind="stable")[:CLASSES].tolist()
    shown = sorted({*likeliest, classes.index(one.true)})
    colours = {classes[number]: COLOURS[place] for place, number in enumerate(shown)}
    count = min(COLUMNS, len(one.posteriors))
    of = np.arange(count) * len(one.posteriors) // count
    posteriors, speech = one.posteriors[of], one.speech[of]
    x = _middles(count)
    said = [classes[number] for number in posteriors.argmax(1)]
    parts = [
        *(_bars(speech, {True: GREY}, rows) for rows in (WAVE, POSTERIOR)),
        _wave(one.samples),
        *(_curve(x, posteriors[:, number], speech, colours[classes[number]]) for number in shown),
        _bars(said, {name: f'fill="{colour}"' for name, colour in colours.items()}, SAID),
        _axes(one.seconds),
        _legend(colours),
    ]
    return (
        f'<svg role="img" aria-label="{escape(label, quote=True)}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' style="{legible(WIDTH)}" fill="currentColor" font-size="12">'
        f"{''.join(parts)}</svg>"
    )


def _runs(values: Iterable[Any]) -> Iterator[tuple[Any, int, int]]:
    """Yield each value with the first column of its run and the one behind it."""
    place = 0
    for value, run in groupby(values):
        end = place + sum(1 for _ in run)
        yield value, place, end
        place = end


def _bars(values: np.ndarray | Sequence[str], colours: Mapping[Any, str], rows: Rows) -> str:
    """Return a bar for each run of a value that has a colour."""
    step = (RIGHT - LEFT) / len(values)
    return "".join(
        f'<rect x="{LEFT + first * step:.1f}" y="{rows[0]}" width="{(end - first) * step:.1f}"'
        f' height="{rows[1] - rows[0]}" {colours[value]}/>'
        for value, first, end in _runs(values)
        if value in colours
    )


def _middles(columns: int) -> np.ndarray:
    return LEFT + (np.arange(columns) + 0.5) * (RIGHT - LEFT) / columns


def _wave(samples: np.ndarray) -> str:
    """Return the outline of a waveform, which fills its rows."""
    if not len(samples):
        return ""
    columns = np.array_split(samples, min(COLUMNS, len(samples)))
    middle, half = sum(WAVE) / 2, (WAVE[1] - WAVE[0]) / 2
    scale = half / max(float(np.abs(samples).max()), 1e-6)
    upper = [middle - scale * column.max() for column in columns]
    lower = [middle - scale * column.min() + 0.5 for column in columns]
    x = _middles(len(columns))
    outline = _points(np.append(x, x[::-1]), np.append(upper, lower[::-1]))
    return f'<polygon points="{outline}" opacity=".7"/>'


def _curve(x: np.ndarray, shares: np.ndarray, speech: np.ndarray, colour: str) -> str:
    """Return a posterior over time, faint outside speech."""
    y = POSTERIOR[1] - shares * (POSTERIOR[1] - POSTERIOR[0])
    spoken = [(first, end) for is_speech, first, end in _runs(speech) if is_speech]
    lines = [(0, len(x), ".35")] + [(*run, "1") for run in spoken]
    return "".join(
        f'<polyline points="{_points(x[first:end], y[first:end])}" fill="none" stroke="{colour}"'
        f' stroke-width="1.4" opacity="{opacity}"/>'
        for first, end, opacity in lines
    )


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))


def _axes(seconds: float) -> str:
    """Return lines, ticks and names of what lies along and across."""
    step = next((step for step in STEPS_S if seconds / step <= 8), seconds)
    parts = [
        f'<rect x="{LEFT}" y="{rows[0]}" width="{RIGHT - LEFT}" height="{rows[1] - rows[0]}"'
        ' fill="none" stroke="currentColor" stroke-width=".7"/>'
        for rows in (WAVE, POSTERIOR, SAID)
    ]
    for number in range(int(seconds / step + 1e-6) + 1):
        across = LEFT + (RIGHT - LEFT) * number * step / seconds
        parts.append(_text(across, SAID[1] + 16, f"{number * step:g}", "middle"))
    for share in (0, 0.5, 1):
        down = POSTERIOR[1] - share * (POSTERIOR[1] - POSTERIOR[0])
        parts.append(_text(LEFT - 4, down + 4, f"{share:g}", "end"))
    parts.append(_text((LEFT + RIGHT) / 2, SAID[1] + 34, "seconds", "middle"))
    parts.append(_text(LEFT - 4, sum(SAID) / 2 + 4, "said", "end"))
    parts.append(_text(LEFT - 4, sum(WAVE) / 2 + 4, "wave", "end"))
    return "".join(parts)


def _legend(colours: Mapping[str, str]) -> str:
    """Return what grey and the colours are, beside the plots."""
    rows = [("speech", GREY, WAVE[0] + 12)]
    rows += [
        (name, f'fill="{colour}"', POSTERIOR[0] + 12 + 18 * place)
        for place, (name, colour) in enumerate(colours.items())
    ]
    return "".join(
        f'<rect x="{RIGHT + 12}" y="{down - 9}" width="14" height="10" {look}/>'
        + _text(RIGHT + 32, down, name if len(name) <= NAMED else f"{name[:NAMED]}…", "start")
        for name, look, down in rows
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
