"""What every page that langid writes is held to, in a real browser."""

from .demo.page.chromium import Page

READY = """document.readyState === 'complete' && !!document.querySelector('h1') &&
    [...document.querySelectorAll('audio')].every(audio => audio.readyState >= 1)"""
NAMES = """[...document.querySelectorAll(
    'h1, h2, h3, caption, [role=img], img, [role=group], figure, nav, audio')].every(
    e => (e.ariaLabel || e.alt || e.textContent || '').trim())"""
CAPTIONS = "[...document.querySelectorAll('table')].every(table => table.caption)"
HEADINGS = """document.querySelectorAll('h1').length === 1 &&
    [...document.querySelectorAll('section')].every(section => section.querySelector('h2'))"""
SCOPES = "[...document.querySelectorAll('th')].every(th => ['col', 'row'].includes(th.scope))"
SCROLLS = """[...document.querySelectorAll('.scroll, figure')].every(
    e => !e.checkVisibility() || (e.scrollWidth > e.clientWidth) === (e.tabIndex === 0))"""
DOUBLED = """(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
    return ids.length - new Set(ids).size; })()"""
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 22, 22)"}
INKS = "[...document.querySelectorAll('svg text')].map(e => getComputedStyle(e).fill)"


def assert_accessible(page: Page) -> None:
    """Hold a page to narrow and wide screens, light and dark, keyboard, names and no other file."""
    for width in (1280, 360):
        for scheme, paper in PAPER.items():
            page.resize(width)
            page.prefer(scheme)
            page.wait_for(SCROLLS)
            assert page.run("document.documentElement.scrollWidth") <= width
            assert page.run("getComputedStyle(document.body).backgroundColor") == paper
            ink = page.run("getComputedStyle(document.body).color")
            assert set(page.run(INKS)) == {ink}
    for rule in (NAMES, CAPTIONS, HEADINGS, SCOPES):
        assert page.run(rule), rule
    assert page.run(DOUBLED) == 0
    page.press("Tab", 9)
    assert page.run("document.activeElement.className") == "skip"
    asked = [event["request"]["url"] for event in page.events("Network.requestWillBeSent")]
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
