"""The web application: our own pages, the interface for programs, and Gradio's form, in one FastAPI."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from craqbench.errors import CraqbenchError
from craqbench.report_markup import tag
from leaderboard.app_about import about_page
from leaderboard.app_api import Api
from leaderboard.app_columns import read_view, table_columns
from leaderboard.app_desk import Desk
from leaderboard.app_entry import entry_page, queue_page
from leaderboard.app_guard import FRAMES, Guard
from leaderboard.app_login import Login
from leaderboard.app_page import ASSETS, POLICY, Page, asset, message, page
from leaderboard.app_pictures import Pictures
from leaderboard.app_table import board_page
from leaderboard.app_tables import BoardView, Tables
from leaderboard.store import Store, folder_of
from leaderboard.submission import METADATA
from leaderboard.submission_metadata import read_metadata

__all__ = ["Site", "make_app"]

_KEPT = 200
"""Pages that are kept as they were sent, until the table changes."""

Endpoint = Callable[[Request], Awaitable[Response]]
_MOMENT = 5.0
"""Seconds for which a page of the table before is shown while the next one is made."""

_FOR_EVER = "public, max-age=31536000, immutable"
_LOG = logging.getLogger(__name__)

OURS = (
    "/board/",
    "/entry/",
    "/queue",
    "/about",
    "/health",
    "/robots.txt",
    "/favicon.ico",
    "/manifest.json",
    "/look/",
    "/api/",
)
FORM = (
    "/submit",
    "/assets/",
    "/static/",
    "/theme.css",
    "/svelte/",
    "/config",
    "/login/",
    "/logout",
    "/gradio_api/",
)
"""Beginnings of paths: of our pages, and of what Gradio needs for the form."""

CLOSED = ("deep_link", "runs", "run-history", "proxy", "component_server", "vibe", "stream")
"""What else Gradio has below its own path, and nobody needs here."""


@dataclass(frozen=True)
class Site:
    """What the web application is made of.

    Attributes
    ----------
    store
        Whose submissions.
    tables, desk, login
        What is shown, where submissions go, and whose they are.
    pictures
        Of public images; None if there are none.
    hosts
        Names under which it may be called; empty for any.
    """

    store: Store
    tables: Tables
    desk: Desk
    login: Login
    pictures: Pictures | None = None
    hosts: tuple[str, ...] = ()


def make_app(site: Site, add_form: Callable[[FastAPI, Site], None] | None = None) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    site
        What it shows.
    add_form
        Adds the form for submissions, see `leaderboard.app_form`; None leaves it out.
    """
    pages = _Pages(site)
    routes: list[BaseRoute] = [
        Route("/", pages.once(pages.home)),
        Route("/board/{name}/{version}", pages.once(pages.board)),
        Route("/entry/{entry}", pages.once(pages.entry, slow=True)),
        Route("/entry/{entry}/{picture}", pages.picture),
        Route("/queue", pages.once(pages.queue)),
        Route("/about", pages.once(pages.about)),
        Route("/health", _health),
        Route("/robots.txt", _robots),
        Route("/favicon.ico", _icon),
        Route("/manifest.json", _manifest),
        Route("/look/{version}/{name}", _look),
        *Api(site.tables, site.desk, site.login).routes(),
    ]
    guard = Middleware(
        Guard,
        hosts=site.hosts,
        frames="" if site.login.operator else FRAMES,
        is_known=_is_known,
        missing=pages.missing,
        most_bytes=lambda: site.desk.most_bytes,
    )
    app = FastAPI(
        routes=routes,
        middleware=[guard],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        exception_handlers={CraqbenchError: pages.unreachable, Exception: pages.fault},
    )
    if add_form is not None:
        add_form(app, site)
    return app


def _is_known(path: str) -> bool:
    closed = path.startswith(tuple(f"/gradio_api/{name}" for name in CLOSED))
    return path == "/" or (path.startswith((*OURS, *FORM)) and not closed)


class _Pages:
    """Answers of the pages. Each is made once for each table, however many ask for it at once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._operator = site.login.operator
        self._kept: OrderedDict[str, Page] = OrderedDict()
        self._before: OrderedDict[str, Page] = OrderedDict()
        self._number, self._changed = -1, 0.0
        self._making: set[str] = set()
        self._lock, self._quick, self._slow = threading.Lock(), threading.Lock(), threading.Lock()

    def home(self, request: Request) -> Page:
        """Show the first board."""
        first = self._site.tables.get().first
        if first is None:
            how = "The operator makes one with: craqbench leaderboard init"
            return message("No board yet", how, self._operator)
        return self._board(request, first)

    def board(self, request: Request) -> Page | None:
        """Show a board."""
        wanted = request.path_params["name"], request.path_params["version"]
        found = self._site.tables.get().boards.get(wanted)
        return None if found is None else self._board(request, found)

    def _board(self, request: Request, found: BoardView) -> Page:
        view = read_view(request.query_params, table_columns(found.ranking))
        return board_page(self._site.tables.get(), found, view, self._operator)

    def entry(self, request: Request) -> Page | None:
        """Show an entry, at an address that stays."""
        entry, pictures = request.path_params["entry"], self._site.pictures
        found = self._site.tables.get().find(entry)
        if found is None:
            return None
        (data,) = self._site.store.files.read_all([f"{folder_of(entry)}/{METADATA}"])
        told = read_metadata(data)
        shots = pictures.figures(entry, found.board, told) if pictures else ()
        return entry_page(found, told, entry, shots, self._operator)

    def picture(self, request: Request) -> Response:
        """Return a picture of a public image."""
        entry, name = request.path_params["entry"], request.path_params["picture"]
        data = self._site.pictures.read(entry, name) if self._site.pictures else None
        if data is None:
            return self.missing(request)
        headers = {"Cache-Control": "public, max-age=86400", "Content-Security-Policy": POLICY}
        return Response(data, media_type="image/webp", headers=headers)

    def queue(self, request: Request) -> Page:
        """Show the queue of a board."""
        snapshot, query = self._site.tables.get(), request.query_params
        wanted, text = (query.get("board", ""), query.get("version", "")), query.get("page", "1")
        number = int(text) if text.isdecimal() and len(text) < 6 else 1
        return queue_page(snapshot, snapshot.boards.get(wanted, snapshot.first), number, self._operator)

    def about(self, request: Request) -> Page:
        """Show how it works."""
        address = str(request.base_url).rstrip("/")
        return about_page(self._site.tables.get(), self._site.store.settings, address, self._operator)

    def once(self, make: Callable[[Request], Page | None], *, slow: bool = False) -> Endpoint:
        """Return what answers with a page, from memory if it was made of the same table already."""

        async def answer(request: Request) -> Response:
            found, is_last = self._find(request)
            if found is None:
                found = await run_in_threadpool(made, request)
            elif not is_last and (url := str(request.url)) not in self._making:
                self._making.add(url)
                return _send(request, found, BackgroundTask(made, request))
            return self.missing(request) if found is None else _send(request, found)

        def made(request: Request) -> Page | None:
            try:
                with self._slow if slow else self._quick:  # who asks for the same meanwhile finds it made
                    number = self._site.tables.get().number
                    found, is_last = self._find(request)
                    if not is_last:
                        found = make(request)
                        self._keep(request, found, number)
                return found
            finally:
                self._making.discard(str(request.url))

        return answer

    def _find(self, request: Request) -> tuple[Page | None, bool]:
        """Return a page that was made already, and whether of the last table.

        For a moment one of the table before will do.
        """
        snapshot, url = self._site.tables.last, str(request.url)
        if snapshot is None:
            return None, False
        with self._lock:
            if snapshot.number != self._number:
                self._before, self._kept = self._kept, OrderedDict()
                self._number, self._changed = snapshot.number, time.monotonic()
            if url in self._kept:
                return self._kept[url], True
            recent = time.monotonic() - self._changed < _MOMENT
            return (self._before.get(url) if recent else None), False

    def _keep(self, request: Request, found: Page | None, number: int) -> None:
        """Keep a page, unless another table has come while it was made."""
        with self._lock:
            if found is None or number != self._number or number != self._site.tables.get().number:
                return
            self._kept[str(request.url)] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def missing(self, request: Request, _: object = None) -> Response:
        """Say that there is no such page."""
        told = page("Not found", "", *_nothing(), operator=self._operator)
        return _send(request, told, status=404)

    async def unreachable(self, request: Request, error: Exception) -> Response:
        """Say that the store cannot be read."""
        _LOG.error("the store cannot be read: %s", error)
        told = message("The store cannot be reached", "Please come back in a minute.", self._operator)
        return _send(request, told, status=503, again="60")

    async def fault(self, request: Request, _: Exception) -> Response:
        """Say that something is broken, and nothing of what."""
        told = message("Something is broken here", "It is our fault, and was noted.", self._operator)
        return _send(request, told, status=500)


def _nothing() -> tuple[str, ...]:
    return tag("h1", "Not found"), tag(
        "p", "There is no such page here. ", tag("a", "To the table", href="/"), "."
    )


def _send(
    request: Request, found: Page, then: BackgroundTask | None = None, *, status: int = 200, again: str = ""
) -> Response:
    """Return a page as an answer, packed where that is understood, or that it has not changed."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if again:
        headers["Retry-After"] = again
    if status == 200:
        headers["ETag"] = found.tag
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers, background=then)
    content = found.html
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = found.packed, "gzip"
    return Response(content, status, headers, "text/html; charset=utf-8", background=then)


def _look(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        return Response(status_code=404)
    return Response(
        asset(name),
        media_type=ASSETS[name],
        headers={"Cache-Control": _FOR_EVER, "Content-Security-Policy": POLICY},
    )


def _health(_: Request) -> Response:
    return Response("ok", media_type="text/plain")


def _robots(_: Request) -> Response:
    return Response("User-agent: *\nDisallow: /api/\nDisallow: /gradio_api/\n", media_type="text/plain")


def _icon(_: Request) -> Response:
    return Response(asset("app.svg"), media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def _manifest(_: Request) -> Response:
    return JSONResponse({"name": "craqbench leaderboard", "start_url": "/", "display": "browser"})
