"""What people wrote is shown as they wrote it, by a reader of Markdown of somebody else."""

from html import unescape

import pytest
from markdown_it import MarkdownIt

from langid.sharing.markdown import code, escaped, table

NAMES = ["a|b", "**x**", "<b>y</b>", "[z](http://x)", "`q`", "_u_ ~~v~~", "&lt;", "a\\b", "zh-CN"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(name: str) -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    shown = parser.render(table(["class", "clips"], [[name, 3]]))
    assert unescape(shown.split("<td>")[1].split("</td>")[0]) == name
    assert shown.count("<td") == 2 and 'style="text-align:right">3' in shown
    assert unescape(parser.render(f"It is {escaped(name)}.")) == f"<p>It is {name}.</p>\n"


def test_line_ends_end_no_row_and_code_is_no_markdown() -> None:
    assert escaped("two\nlines\t| and") == "two lines \\| and"
    shown = MarkdownIt().render(code(["a: **x**", "", "  b: <b>"]))
    assert unescape(shown) == "<pre><code>a: **x**\n\n  b: <b>\n</code></pre>\n"
