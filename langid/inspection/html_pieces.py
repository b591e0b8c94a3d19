"""The frame of a page in HTML, for light and dark, wide and narrow, and its pieces."""

import html
from collections.abc import Sequence

from langid.data_uri import png_uri
from langid.plots import Draw, figure_pngs

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #ccc; --soft: #f4f4f4; --bad: #b00020; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --line: #444; --soft: #232323; --bad: #ff8a80; }}
  body {{ background: #161616; color: #e6e6e6; }}
}}
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 1000px; margin: 1.5em auto;
  padding: 0 1em; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.15em; }} h3 {{ font-size: 1em; margin-bottom: .3em; }}
section {{ border-top: 1px solid var(--line); padding: .3em 0 1em; }}
.wide {{ overflow-x: auto; }} .wide img {{ min-width: 520px; }}
table {{ border-collapse: collapse; min-width: 42em; font-size: .9em; overflow-wrap: normal; }}
th, td {{ padding: .25em .7em .25em 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }}
th {{ font-weight: 600; }}
td.number {{ white-space: nowrap; }}
li {{ margin: .5em 0; }} li b {{ color: var(--bad); }}
details {{ font-size: .85em; background: var(--soft); padding: .3em .6em; }}
img, audio {{ max-width: 100%; display: block; }} audio {{ width: 100%; }}
</style>
<h1>{title}</h1>
{sections}
</html>
"""


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts, which scrolls where it is too wide."""
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in header)]
    lines += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f'<div class="wide" tabindex="0"><table>\n{body}</table></div>\n'


def picture(told: str, draw: Draw) -> str:
    """Return a picture in HTML, one for light pages and one for dark ones."""
    light, dark = (png_uri(png) for png in figure_pngs(draw))
    return (
        f'<div class="wide"><picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">'
        f'<img alt="{html.escape(told)}" src="{light}"></picture></div>\n'
    )
