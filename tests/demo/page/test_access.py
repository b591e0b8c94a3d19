"""Who can use the page: by keyboard, by ear, in any light and width; and whom it asks."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from langid.demo.server import OWN_FILES, VENDOR_FILES

from .chromium import Chromium, Page
from .conftest import OpenPage, Taught


def test_nobody_else_is_asked(
    chromium: Chromium, open_page: OpenPage, address: str, taught: Taught
) -> None:
    page = open_page(chromium, address)
    page.choose(taught.recordings["English"])
    page.said()
    page.click("#listen")
    page.wait_for("document.querySelector('#listen').innerText.startsWith('Stop')")
    page.click("#listen")
    asked = {event["request"]["url"] for event in page.events("Network.requestWillBeSent")}
    own = {f"/{name}" for name in (*OWN_FILES[1:], *VENDOR_FILES)}
    own -= {"/icon.svg"}  # a browser asks for it once, which another test may have seen
    own |= {"/", "/model.json", "/model.onnx"}  # by the page, its worker and worklet
    assert {urlsplit(url).path for url in asked if url.startswith(address)} >= own
    assert all(url.startswith(address) for url in asked)
    assert page.events("Log.entryAdded") == page.events("Runtime.exceptionThrown") == []
    other = address.replace("127.0.0.1", "localhost")  # the same server, by another name
    refused = page.run(f"fetch('{other}model.json').catch((error) => error.name)")
    assert refused == "TypeError"
    refusals = [event["entry"]["text"] for event in page.events("Log.entryAdded")]
    assert refusals and all("Content Security Policy" in text for text in refusals)


def test_a_screen_reader_has_names_for_everything(page: Page, taught: Taught) -> None:
    page.choose(taught.clips["English"])
    page.said()
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    seen = [node for node in nodes if node.get("role") and not node["ignored"]]
    named = {(node["role"]["value"], node.get("name", {}).get("value")) for node in seen}
    assert {
        ("button", "Use the microphone"),
        ("button", "Choose a file"),
        ("button", "Play"),
        ("slider", "Decide at a confidence of"),
        ("meter", "English"),
        ("meter", "Hindi"),
        ("meter", "Mandarin"),
        ("heading", "Timeline"),
    } <= named
    assert {"status", "alert", "main", "image"} <= {role for role, _ in named}
    [timeline] = [name for role, name in named if role == "image"]
    assert timeline.startswith("Timeline: ") and "English" in timeline
    values = page.run(
        "[...document.querySelectorAll('[role=meter]')].map((bar) => bar.ariaValueText)"
    )
    assert all(value.endswith("%") for value in values)


def test_the_keyboard_reaches_and_works_every_control(page: Page, taught: Taught) -> None:
    page.choose(taught.clips["English"])
    page.said()
    for name in ("listen", "file", "play", "threshold"):
        page.press("Tab", 9)
        assert page.run("document.activeElement.id") == name
        assert page.run(FOCUS_SHOWN)
        if name == "play":
            page.press("Enter", 13, "\r")
            page.wait_for("document.querySelector('#play').innerText == 'Stop'")
            page.press("Enter", 13, "\r")
            page.wait_for("document.querySelector('#play').innerText == 'Play'")
    page.press("ArrowRight", 39)
    assert page.text("#threshold-value").split() == ["91", "%"]


FOCUS_SHOWN = """
(() => {
  const focused = document.activeElement;
  const shown = focused.closest(".choice") ?? focused;
  return getComputedStyle(shown).outlineStyle == "solid";
})()
"""
CONTRASTS = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (colour) => {
    const parts = colour.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const contrast = (a, b) => {
    const [low, high] = [light(rgb(a)), light(rgb(b))].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const of = (selector) => getComputedStyle(document.querySelector(selector));
  const card = of("section").backgroundColor;
  const texts = ["#verdict", "#status", "#trouble", ".hint", "dt", "h2", "#play"];
  return {
    paper: rgb(of("body").backgroundColor),
    texts: texts.map((selector) => contrast(of(selector).color, card))
      .concat(contrast(of("#listen").color, of("#listen").backgroundColor)),
    fills: [...document.querySelectorAll(".fill")]
      .map((fill) => contrast(getComputedStyle(fill).backgroundColor, card)),
  };
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(page: Page, scheme: str) -> None:
    page.prefer(scheme)
    found = page.run(CONTRASTS)
    assert (sum(found["paper"]) > 384) == (scheme == "light")
    assert min(found["texts"]) >= 4.5  # WCAG 2.2, 1.4.3
    assert min(found["fills"]) >= 3  # 1.4.11


@pytest.mark.parametrize("width", [280, 320, 1400])
def test_no_width_needs_scrolling_sideways(
    page: Page, taught: Taught, width: int, tmp_path: Path
) -> None:
    page.resize(width)
    clip = tmp_path / f"common_voice_{'1' * 40}.wav"
    clip.write_bytes(taught.clips["Mandarin"].read_bytes())
    page.choose(clip)
    page.said()
    assert page.run("document.documentElement.scrollWidth") <= width
    outside = f"""
        [...document.querySelectorAll("main *")].filter((e) => e.offsetWidth > 2)
            .filter((e) => e.getBoundingClientRect().right > {width}).map((e) => e.id)
    """
    assert page.run(outside) == []
