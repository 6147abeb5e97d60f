"""The before/after page: what it says, that nothing breaks or leaves it, and that it works in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from headless_browser import Browser, browser
from scan_samples import cracked, pixels

from craqbench.restoration_checking import View, Views
from craqbench.restoration_page import page

EVIL = "<script>alert(1)</script>\"'&.tif"
SHARES = "[...document.querySelectorAll('.stage')].map((s) => s.style.getPropertyValue('--x'))"
WIDTHS = "[...document.querySelectorAll('.stage')].map((s) => Math.round(s.getBoundingClientRect().width))"


def view(height: int, width: int, scale: int = 1, left: int = 0, top: int = 0) -> View:
    """Return a view."""
    damaged, mask = cracked(pixels(height, width))
    box = (left, top, left + width * scale, top + height * scale)
    return View(damaged, pixels(height, width), mask * np.uint8(255), box, scale)


SMALL = Views(view(100, 140))
LARGE = Views(view(300, 400, 10), (view(128, 128, left=500, top=700), view(128, 128, left=3000, top=20)))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser, one for all tests."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Browser:
    """Open the page of a large picture of an evil name."""
    (tmp_path / "page.html").write_text(page(EVIL, f"Made of {EVIL}", {"original": EVIL}, LARGE))
    chromium.open(tmp_path / "page.html")
    return chromium


def test_what_it_says() -> None:
    """Title, statement and facts are on it, escaped, with sizes and places of the pictures."""
    text = page(EVIL, "VIRTUAL RESTORATION", {"filled": "12 px"}, LARGE)
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    for words in ("VIRTUAL RESTORATION", "12 px", "4,000 x 3,000 px", "1 px here is 10 x 10 of the file"):
        assert words in text
    assert "px 500 to 628 from the left, 700 to 828 from the top, at full size" in text
    assert page("a", "b", {}, SMALL).count("<figure") == 1


def test_nothing_is_fetched_and_nothing_complains(opened: Browser) -> None:
    """The page is the only thing asked for, all pictures load, and the console stays empty."""
    sizes = opened.run(
        "Promise.all([...document.images].map((i) => i.decode()"
        ".then(() => [i.naturalWidth, i.naturalHeight])))"
    )
    assert sizes == [[400, 300]] * 3 + [[128, 128]] * 6
    assert len(opened.requests()) == 1
    assert opened.complaints() == []
    assert EVIL in opened.run("document.querySelector('h1').textContent")


def test_the_slider(opened: Browser) -> None:
    """A slider moves its own picture, by keyboard too, and names what it does."""
    assert opened.run(SHARES) == ["50%", "50%", "50%"]
    opened.run("document.querySelectorAll('input')[1].focus()")
    for _ in range(3):
        opened.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key="ArrowRight",
            code="ArrowRight",
            windowsVirtualKeyCode=39,
        )
    assert opened.run(SHARES) == ["50%", "53%", "50%"]
    opened.call("Input.dispatchKeyEvent", type="keyDown", key="Home", code="Home", windowsVirtualKeyCode=36)
    assert opened.run(SHARES)[1] == "0%"
    assert "Detail 1: how much of it" in opened.run("document.querySelectorAll('input')[1].ariaLabel")
    assert (
        opened.run("getComputedStyle(document.querySelectorAll('.before')[1]).clipPath")
        == "inset(0px 100% 0px 0px)"
    )


def test_a_mouse_drags_the_line(opened: Browser) -> None:
    """A click at a quarter of the picture shows a quarter of it as it was."""
    box = opened.run("JSON.parse(JSON.stringify(document.querySelector('.stage').getBoundingClientRect()))")
    place = {
        "x": box["x"] + box["width"] / 4,
        "y": box["y"] + box["height"] / 2,
        "button": "left",
        "clickCount": 1,
    }
    opened.call("Input.dispatchMouseEvent", type="mousePressed", **place)
    opened.call("Input.dispatchMouseEvent", type="mouseReleased", **place)
    assert opened.run(SHARES)[0] in ("25%", "24%", "26%")


def test_buttons_and_keys(opened: Browser) -> None:
    """Before, after, what was filled, and sizes: by buttons that say which one is pressed, and by keys."""
    press = "[...document.querySelectorAll('button')].find((b) => b.textContent === {!r}).click()"
    pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent)"
    assert opened.run(pressed) == ["half and half", "fit"]
    opened.run(press.format("after"))
    assert opened.run(SHARES) == ["0%"] * 3
    opened.run(press.format("2:1"))
    assert opened.run(WIDTHS) == [800, 256, 256]
    opened.run(press.format("what was filled"))
    assert opened.run("[...document.querySelectorAll('.cracks')].every((i) => !i.hidden)")
    assert opened.run(pressed) == ["after", "2:1", "what was filled"]
    for key, share in (("b", "100%"), ("b", "0%")):
        opened.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        opened.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        assert opened.run(SHARES) == [share] * 3
    opened.call("Input.dispatchKeyEvent", type="keyDown", key="c", text="c")
    assert opened.run("[...document.querySelectorAll('.cracks')].every((i) => i.hidden)")


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(chromium: Browser, tmp_path: Path, width: int) -> None:
    """On a phone and on a desk the page needs no scrolling sideways; a small picture is enlarged."""
    (tmp_path / "page.html").write_text(page("a", "b" * 500, {"c": "d" * 500}, SMALL))
    chromium.open(tmp_path / "page.html", width=width)
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run(WIDTHS) == [min(700, width - 32)]


def test_without_script(chromium: Browser, tmp_path: Path) -> None:
    """Where scripts are forbidden both pictures are seen, one below the other."""
    (tmp_path / "page.html").write_text(page("a", "b", {}, SMALL))
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(tmp_path / "page.html")
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    tops = chromium.run(
        "[...document.querySelectorAll('.after, .before')].map((i) => i.getBoundingClientRect().top)"
    )
    assert tops[1] > tops[0] + 100
    assert chromium.run("document.querySelector('.tools').hidden")
