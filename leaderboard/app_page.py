"""The frame of every page: head, navigation, foot, and what a browser may do with it, which is little."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from urllib.parse import urlencode

from craqbench import __version__
from craqbench.report_markup import Child, Markup, tag

__all__ = ["ASSETS", "MARK", "POLICY", "Page", "asset", "asset_path", "link", "message", "moment", "page"]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)
"""Of our own pages: nothing is fetched from elsewhere, and no script or style runs that stands in a page."""

ASSETS = {
    "app_frame.css": "text/css",
    "app_form.css": "text/css",
    "app.css": "text/css",
    "app.js": "text/javascript",
    "app.svg": "image/svg+xml",
    "app_cracks.svg": "image/svg+xml",
}
"""Files of this package that pages use -> their type."""

_NAVIGATION = {"/": "Table", "/queue": "Queue", "/submit": "Submit", "/about": "About"}


@dataclass(frozen=True)
class Page:
    """A page as it is sent.

    Attributes
    ----------
    html
        In UTF-8.
    """

    html: bytes

    @cached_property
    def packed(self) -> bytes:
        """With gzip."""
        return gzip.compress(self.html, 5, mtime=0)

    @cached_property
    def tag(self) -> str:
        """Of HTTP: another one, other content."""
        return f'"{hashlib.sha256(self.html).hexdigest()[:20]}"'


def page(title: str, here: str, *content: Child, operator: str = "") -> Page:
    """Return a page.

    Parameters
    ----------
    title
        Of the window.
    here
        Which entry of the navigation it is; "" for none.
    content
        Of its main part.
    operator
        Who sits at this machine; empty on a Space.
    """
    body = tag(
        "body",
        tag("a", "to the content", class_="skip", href="#content"),
        header(here, operator),
        tag("main", *content, id="content"),
        _footer(),
    )
    return Page(f"<!DOCTYPE html>\n{tag('html', _head(title), body, lang='en')}\n".encode())


def _head(title: str) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="referrer", content="same-origin"),
        tag("title", f"{title} - craqbench leaderboard"),
        *(tag("link", rel="stylesheet", href=asset_path(name)) for name in ("app_frame.css", "app.css")),
        tag("link", rel="icon", href=asset_path("app.svg"), type="image/svg+xml"),
        tag("script", src=asset_path("app.js"), defer=""),
    )


def header(here: str, operator: str = "") -> Markup:
    """Return the head of a page: its name, and where else to go."""
    links = [
        tag("li", tag("a", name, href=path, aria_current="page" if path == here else None))
        for path, name in _NAVIGATION.items()
    ]
    brand = tag("a", MARK, tag("span", tag("b", "craqbench"), " leaderboard"), href="/", class_="brand")
    who = (
        tag("p", "operator ", tag("b", operator), ", on this machine only", class_="who")
        if operator
        else None
    )
    return tag(
        "header",
        tag("div", brand, tag("nav", tag("ul", *links), aria_label="Pages"), who, class_="bar"),
        tag("div", class_="craquelure", aria_hidden="true"),
        class_="top",
    )


def _footer() -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"craqbench {__version__}. Figures are of hidden annotations; nobody but the scorer sees those. ",
            link("How it works, and the licence", "/about"),
            ".",
        ),
    )


def link(text: Child, path: str, **query: str | int) -> Markup:
    """Return a link within the leaderboard."""
    return tag("a", text, href=f"{path}?{urlencode(query)}" if query else path)


def moment(time: datetime) -> Markup:
    """Return a time, UTC, for people and programs."""
    return tag("time", f"{time:%Y-%m-%d %H:%M} UTC", datetime=time.isoformat(timespec="seconds"))


def message(title: str, text: str, operator: str = "") -> Page:
    """Return a page that says one thing."""
    return page(title, "", tag("h1", title), tag("p", text), operator=operator)


def asset(name: str) -> bytes:
    """Return one of `ASSETS`."""
    return resources.files("leaderboard").joinpath(name).read_bytes()


def asset_path(name: str) -> str:
    """Return where a browser finds one of `ASSETS`: another content, another address."""
    return f"/look/{_versions[name]}/{name}"


_versions = {name: hashlib.sha256(asset(name)).hexdigest()[:12] for name in ASSETS}

_CRACKS = (
    "M1 10L6 11.5L9.5 9L14 12L12.5 17.5L15.5 21L14 27M9.5 9L10.5 4.5L9 1M14 12L19.5 10.5L23 12.5L27 11"
    "M15.5 21L21 19.5L22.5 15.5L23 12.5M21 19.5L27 21.5M19.5 10.5L20.5 5L18.5 1M12.5 17.5L6 18.5L1 17.5"
)

MARK = tag(
    "svg",
    tag("rect", x=1, y=1, width=26, height=26, rx=2, class_="plate"),
    tag(
        "path",
        d=_CRACKS,
        class_="cracks",
    ),
    class_="mark",
    viewBox="0 0 28 28",
    aria_hidden="true",
)
"""A plate with cracks."""
