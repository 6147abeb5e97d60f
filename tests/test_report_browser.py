"""The report in a real browser: filters, keyboard, a phone's width, and that nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from headless_browser import Browser, browser
from PIL import Image as Pictures
from report_samples import EVIL, write_results

from craqbench.report import write_report

SHOWN = (
    "[...document.querySelectorAll('.shot')].filter((s) => !s.hidden)"
    ".map((s) => s.querySelector('h4').textContent)"
)
STATUS = "document.querySelector('[role=status]').textContent"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser, one for all tests."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report of two methods and a sanity row; there is no need of it without a browser."""
    del chromium
    folder = tmp_path_factory.mktemp("report")
    results = write_results(folder, "report_samples:Dark", "tophat", "none")
    write_report([results], folder / "report.html", command="craqbench report results")
    return folder / "report.html"


def button(label: str) -> str:
    """Return a script that finds a button by the beginning of its label."""
    return f"[...document.querySelectorAll('button')].find((b) => b.textContent.startsWith({label!r}))"


def test_nothing_is_fetched_and_nothing_complains(chromium: Browser, page: Path) -> None:
    """The page is the only thing asked for, and the console stays empty, whatever names say."""
    chromium.open(page)
    chromium.run(f"{button('Dutch')}.click()")
    assert chromium.requests() == [page.resolve().as_uri()]
    assert chromium.complaints() == []
    assert chromium.run("document.title") == "Crack detection on folder:set"
    assert EVIL in chromium.run("document.body.textContent")


def test_policy_refuses_what_is_not_on_the_page(chromium: Browser, page: Path) -> None:
    """A picture from elsewhere or a script of an attacker does not get through: the policy is in force."""
    chromium.open(page)
    chromium.run("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://localhost:9/x.png\">')")
    chromium.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hit = 1'}))"
    )
    assert chromium.run("typeof window.hit") == "undefined"
    assert any("Content Security Policy" in str(one) for one in chromium.complaints())


def test_pictures_are_drawn(chromium: Browser, page: Path) -> None:
    """All pictures load, in the image's own size, over the crop they belong to."""
    chromium.open(page)
    loaded = chromium.run(
        "Promise.all([...document.images].map((i) => i.decode()"
        ".then(() => [i.naturalWidth, i.naturalHeight])))"
    )
    assert loaded == [[96, 72]] * (4 * 4)
    grounds = "[...document.querySelectorAll('.picture')].map((p) => getComputedStyle(p).backgroundImage)"
    assert all('url("data:image/webp' in ground for ground in chromium.run(grounds))


def test_filter_by_attribute(chromium: Browser, page: Path) -> None:
    """A click on a value shows its images only, and says how many; a click on every brings all back."""
    chromium.open(page)
    assert len(chromium.run(SHOWN)) == 4
    chromium.run(f"{button('Dutch')}.click()")
    assert sorted(chromium.run(SHOWN)) == ["0", "1"]
    assert chromium.run(STATUS) == "2 of 4 images shown, worst first"
    chromium.run(f"{button('light')}.click()")
    assert chromium.run(SHOWN) == ["1"]
    chromium.run(
        "[...document.querySelectorAll('[data-attribute]:not([data-value])')].forEach((b) => b.click())"
    )
    assert len(chromium.run(SHOWN)) == 4


def test_filter_by_a_value_that_is_absent_or_hostile(chromium: Browser, page: Path) -> None:
    """Images without a value can be chosen, and so can a value that looks like a script."""
    chromium.open(page)
    chromium.run(f"{button('unknown')}.click()")
    assert chromium.run(SHOWN) == ["3"]
    chromium.open(page)
    chromium.run(f"{button('<script>')}.click()")
    assert chromium.run(SHOWN) == ["3"]


def test_filter_by_method(chromium: Browser, page: Path) -> None:
    """One method's pictures are shown, and images are sorted by that method alone."""
    chromium.open(page)
    seen = "[...document.querySelectorAll('figure[data-method]')].filter((f) => !f.hidden)"
    assert chromium.run(f"{seen}.length") == 8  # the sanity row is hidden
    chromium.run(f"{button('tophat')}.click()")
    scores = chromium.run(f"{seen}.map((f) => Number(f.dataset.f1))")
    assert len(scores) == 4
    assert scores == sorted(scores)
    chromium.run(f"{button('none')}.click()")
    assert chromium.run(f"{seen}.map((f) => f.querySelector('strong').textContent)") == ["none"] * 4


def test_one_button_of_a_group_is_pressed(chromium: Browser, page: Path) -> None:
    """Screen readers hear which button is pressed, and always exactly one of each group is."""
    chromium.open(page)
    pressed = (
        "[...document.querySelectorAll('.filters fieldset')]"
        ".map((f) => [...f.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent))"
    )
    before = chromium.run(pressed)
    assert [len(group) for group in before] == [1] * len(before)
    chromium.run(f"{button('Flemish')}.click()")
    assert chromium.run(pressed) == [
        ["Flemish (1)"] if "Flemish" in names else group
        for group, names in zip(
            before,
            chromium.run("[...document.querySelectorAll('.filters fieldset')].map((f) => f.textContent)"),
            strict=True,
        )
    ]


def test_view_buttons(chromium: Browser, page: Path) -> None:
    """Pictures get larger and images brighter, and go back, each without changing the other."""
    chromium.open(page)
    width = "document.querySelector('.picture').getBoundingClientRect().width"
    light = "getComputedStyle(document.querySelector('.crop')).filter"
    small = chromium.run(width)
    chromium.run(f"{button('large')}.click(); {button('brighter')}.click()")
    assert chromium.run(width) > 1.5 * small
    assert chromium.run(light) == "brightness(2.5)"
    chromium.run(f"{button('small')}.click()")
    assert chromium.run(width) == small
    assert chromium.run(light) == "brightness(2.5)"


def test_keyboard_reaches_everything(chromium: Browser, page: Path) -> None:
    """Tab goes first to a link past the head, then to tables and buttons; Space and Enter press them."""
    chromium.open(page)
    chromium.press("Tab")
    assert chromium.run("document.activeElement.textContent") == "Skip to the results"
    assert chromium.run("document.activeElement.getBoundingClientRect().left") >= 0
    reached = []
    for _ in range(40):
        chromium.press("Tab")
        reached.append(chromium.run("document.activeElement.textContent"))
        if reached[-1].startswith("Dutch"):
            break
    assert chromium.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    chromium.press("Space")
    assert len(chromium.run(SHOWN)) == 2
    chromium.press("Tab")
    chromium.press("Enter")
    assert len(chromium.run(SHOWN)) == 1


@pytest.mark.parametrize("width", [320, 360, 768])
def test_narrow_screens(chromium: Browser, page: Path, width: int) -> None:
    """On a phone nothing is cut off: only tables scroll sideways, by themselves; buttons suit a finger."""
    chromium.open(page, width=width, height=740)
    assert chromium.run("document.documentElement.scrollWidth") == width
    if width < 600:
        heights = (
            "[...document.querySelectorAll('.filters button')].map((b) => b.getBoundingClientRect().height)"
        )
        assert min(chromium.run(heights)) >= 44
    inside = (
        "[...document.querySelectorAll('.picture, .curves svg')]"
        ".every((p) => p.getBoundingClientRect().right <= innerWidth)"
    )
    assert chromium.run(inside)


def test_dark_mode(chromium: Browser, page: Path, tmp_path: Path) -> None:
    """Who asks for dark pages gets one, with text that is light."""
    brightness = []
    for dark in (False, True):
        chromium.open(page, dark=dark)
        chromium.screenshot(tmp_path / "page.png")
        brightness.append(np.asarray(Pictures.open(tmp_path / "page.png").convert("L")).mean())
    assert brightness[0] > 200
    assert brightness[1] < 80


def test_screenshot_shows_the_colours_of_the_legend(chromium: Browser, page: Path, tmp_path: Path) -> None:
    """What the legend says can be found in the pictures as they are seen."""
    chromium.open(page)
    chromium.run(f"{button('large')}.click(); document.querySelector('img.picture').scrollIntoView()")
    chromium.run("Promise.all([...document.images].map((i) => i.decode())).then(() => 0)")
    chromium.screenshot(tmp_path / "seen.png")
    seen = {tuple(c) for c in np.asarray(Pictures.open(tmp_path / "seen.png").convert("RGB")).reshape(-1, 3)}
    keys = chromium.run(
        "[...document.querySelectorAll('.key')].slice(0, 3).map((k) => getComputedStyle(k).backgroundColor)"
    )
    for key in keys:
        assert tuple(map(int, key.removeprefix("rgb(").removesuffix(")").split(","))) in seen
