"""The parts of a page in HTML that needs no other file: tables, pictures, sounds, and the whole."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from langid.terminal import interval

NUMBER = re.compile(r"[+-]?\d[\d.,]*%?(( ?–| to [+-])[\d.]+%?)?")  # or an interval
STYLE = Path(__file__).with_name("page.css")
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the contents</a>
<header><h1>{title}</h1>
{first}
<nav aria-label="Sections"><ul>{links}</ul></nav></header>
<main id="main">
{sections}
</main>
<script>{script}</script>
</body>
</html>
"""
# What scrolls sideways can be reached by keyboard; what does not is no stop on the way.
SCRIPT = """
const sized = new ResizeObserver(all => all.forEach(({ target }) => {
  if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
  else target.removeAttribute("tabindex");
}));
document.querySelectorAll(".scroll, figure").forEach(each => sized.observe(each));
"""


def page(title: str, first: str, sections: Mapping[str, str]) -> str:
    """Return a page; ``first`` is its first screen, ``sections`` its sections by their headings."""
    ids = {name: f"section-{number}" for number, name in enumerate(sections, 1)}
    links = [f'<li><a href="#{ids[name]}">{escape(name)}</a></li>' for name in sections]
    parts = [
        f'<section aria-labelledby="{ids[name]}"><h2 id="{ids[name]}">{escape(name)}</h2>\n'
        f"{content}\n</section>"
        for name, content in sections.items()
    ]
    return PAGE.format(
        title=escape(title),
        style=STYLE.read_text(encoding="utf-8"),
        first=first,
        links="".join(links),
        sections="\n".join(parts),
        script=SCRIPT,
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text, of a class of the style sheet."""
    of_class = f' class="{kind}"' if kind else ""
    return f"<p{of_class}>{escape(text)}</p>"


def facts(pairs: Mapping[str, str]) -> str:
    """Return names and what is said of each; a value in backquotes is code."""
    rows = []
    for name, value in pairs.items():
        code = value.startswith("`")
        told = f"<code>{escape(value.strip('`'))}</code>" if code else escape(value)
        rows.append(f"<dt>{escape(name)}</dt><dd>{told}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], shares: Any = None
) -> str:
    """Return a table, the first cell of each row being its name.

    ``shares (rows, columns)``, where given, shade the cells behind the names, 0 to 1.
    """
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = []
    for number, (name, *cells) in enumerate(rows):
        row = [f'<th scope="row">{escape(name)}</th>']
        for place, cell in enumerate(cells):
            look = ' class="n"' if NUMBER.fullmatch(cell) else ""
            if shares is not None:
                look = f' style="--share:{shares[number][place]:.3f}"'
            row.append(f"<td{look}>{escape(cell)}</td>")
        body.append(f"<tr>{''.join(row)}</tr>")
    kind = "" if shares is None else ' class="cells"'
    label = escape(caption, quote=True)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{label}"><table{kind}>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def folded(summary: str, content: str) -> str:
    """Return contents that are seen when their summary is opened, and on paper."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def shown(figure: Mapping[str, Any], form: str = ".3f") -> list[str]:
    """Return a figure's value and interval as cells; a dash where there is no value."""
    value = figure["value"]
    return ["–" if value is None else f"{value:{form}}", interval(figure, form)]


def picture(drawn: str, caption: str) -> str:
    """Return an SVG with what stands below it."""
    return f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def player(samples: np.ndarray, rate: int, label: str) -> str:
    """Return a player of float ``samples (samples,)``, which the page holds as WAV of 16 bits."""
    soundfile.write(wav := io.BytesIO(), samples, rate, format="WAV", subtype="PCM_16")
    sound = base64.b64encode(wav.getvalue()).decode()
    return (
        f'<audio controls preload="metadata" aria-label="{escape(label, quote=True)}"'
        f' src="data:audio/wav;base64,{sound}"></audio>'
    )
