"""The page of a leaderboard as people use it, in a headless Chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from app_samples import filled_store, score, serving
from headless_browser import Browser, browser
from submission_samples import as_json, metadata, parquet, png, sound_masks, table, write_submission

from leaderboard.store import Store

pytestmark = [  # what Gradio asks of pandas when it counts its own requests
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]

SECONDS = 30.0


class Address:
    """An address where `Browser.open` wants a file."""

    def __init__(self, text: str) -> None:
        self._text = text

    def resolve(self) -> Address:
        """Return itself."""
        return self

    def as_uri(self) -> str:
        """Return the address."""
        return self._text


def show(page: Browser, address: str, **options: Any) -> None:
    """Open an address."""
    page.open(cast("Path", Address(address)), **options)


def wait(page: Browser, script: str) -> Any:
    """Return the value of an expression as soon as it is true."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = page.run(script)
        if found:
            return found
        time.sleep(0.1)
    seen = page.run("document.body.innerText"), page.run("document.querySelector('textarea')?.value")
    raise AssertionError(f"{script} has not become true in {SECONDS:g} s: {seen}, {page.complaints()}")


def choose(page: Browser, selector: str, file: Path) -> None:
    """Give a file to a field for files."""
    wait(page, f"!!document.querySelector('{selector}')")
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser."""
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Make a board of twenty entries."""
    return filled_store(tmp_path / "store", 20)


NAMES = "[...document.querySelectorAll('.ranking tbody tr')].map(r => r.querySelector('a.name').textContent)"
FIGURES = "[...document.querySelectorAll('.ranking td.main b')].map(b => Number(b.textContent))"


@pytest.mark.long
def test_readers_sort_and_filter(page: Browser, store: Store) -> None:
    """A heading sorts, a second time the other way round; a search filters while it is written."""
    with serving(store) as address:
        show(page, address)
        assert len(page.run(NAMES)) == 20
        first = page.run(FIGURES)
        page.run("document.querySelector('th.main a').focus()")
        page.press("Enter")
        wait(page, "document.querySelector('th.main').getAttribute('aria-sort') === 'descending'")
        assert page.run(FIGURES) == sorted(first, reverse=True)
        assert page.run("document.activeElement.textContent") == "F1@2px"
        page.press("Enter")
        wait(page, "document.querySelector('th.main').getAttribute('aria-sort') === 'ascending'")
        assert page.run(FIGURES) == sorted(first)
        page.run(
            "const q = document.querySelector('[name=q]'); q.value = 'ridge'; "
            "q.dispatchEvent(new Event('input', {bubbles: true}))"
        )
        wait(page, "document.querySelector('[role=status]').textContent.includes('3 of 20')")
        assert set(page.run(NAMES)) == {"ridge"}
        assert "q=ridge" in page.run("location.search")
        show(page, f"{address}{page.run('location.pathname + location.search')}")
        assert set(page.run(NAMES)) == {"ridge"}
        assert page.complaints() == []
        assert all(one.startswith(address) for one in page.requests())


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_window(page: Browser, store: Store, width: int) -> None:
    """No page is wider than its window, in light or in dark, and none complains."""
    entry = store.accepted()[0].entry
    with serving(store, form=True) as address:
        for path in ("/", "/?columns=all", "/queue", "/about", f"/entry/{entry}", "/submit", "/nothing"):
            for dark in (False, True):
                show(page, f"{address}{path}", width=width, dark=dark)
                assert page.run("document.documentElement.scrollWidth") <= width, path
        assert [one for one in page.complaints() if "404" not in str(one)] == []


@pytest.mark.long
def test_the_form_refuses_and_accepts(page: Browser, store: Store, tmp_path: Path) -> None:
    """A bad file is refused with its rule; a good one is accepted, and its state changes to scored."""
    good = write_submission(tmp_path / "good", metadata(method="from the page"))
    masks = {**sound_masks(), "second": png(np.zeros((1, 1), np.uint8))}
    spoilt = parquet(table({"image_id": list(masks), "mask_png": list(masks.values())}))
    bad = write_submission(tmp_path / "bad", predictions=spoilt)
    with serving(store, form=True) as address:
        show(page, f"{address}/submit")
        page.call("DOM.enable")
        assert '"board": "small"' in wait(page, "document.querySelector('#text textarea')?.value")
        choose(page, "#described input[type=file]", good / "submission.json")
        wait(page, "document.querySelector('#said')?.textContent.includes('keeps its rules')")
        choose(page, "#predictions input[type=file]", bad / "predictions.parquet")
        wait(page, "document.querySelector('#predictions').textContent.includes('KB')")
        page.run("document.querySelector('#check').click()")
        told = wait(page, "document.querySelector('#answer .bad')?.textContent")
        assert "png-dimensions" in told
        assert "second" in told
        assert len(store.accepted()) == 23
        page.run(
            "document.querySelector('#predictions button[aria-label=Clear], #predictions "
            "[title=Clear]')?.click()"
        )
        choose(page, "#predictions input[type=file]", good / "predictions.parquet")
        time.sleep(1.5)
        page.run("document.querySelector('#send').click()")
        wait(page, "document.querySelector('#answer .state')?.textContent === 'waiting'")
        accepted = store.accepted()[-1]
        assert (accepted.account, store.metadata(accepted).method) == ("ada", "from the page")
        score(store, accepted, 0.9)
        wait(page, "document.querySelector('#answer [data-done=true] .state')?.textContent === 'scored'")
        page.run("document.querySelector('#answer a').click()")
        wait(page, "document.querySelector('.standing')?.textContent.includes('Rank 1')")


@pytest.mark.long
def test_texts_are_never_markup(page: Browser, tmp_path: Path) -> None:
    """Scripts and pictures in every text of an entry are shown as they are, on every page, and do nothing."""
    attack = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
    texts = dict.fromkeys(("method", "version", "training_data", "hardware", "licence"), attack)
    store = filled_store(tmp_path / "store", 8, **texts, authors=(attack, attack))
    with serving(store, form=True) as address:
        show(page, f"{address}/?columns=all")
        assert attack in page.run("document.querySelector('a.name').textContent")
        show(page, f"{address}/submit")
        told = as_json(metadata(method=attack)).decode()
        wait(page, "!!document.querySelector('#text textarea')")
        page.run(
            f"const t = document.querySelector('#text textarea'); t.value = {json.dumps(told)}; "
            "t.dispatchEvent(new Event('input', {bubbles: true}))"
        )
        assert "text-markup" in wait(page, "document.querySelector('#said .bad')?.textContent")
        assert page.run("window.broken") is None
        assert page.run("document.querySelectorAll('#said img, #said script').length") == 0
