"""The leaderboard for programs: JSON in and out, and what `craqbench submit --to URL` speaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from craqbench.errors import CraqbenchError
from craqbench.hub_errors import HubError
from leaderboard.app_columns import chosen_rows, read_view, table_columns
from leaderboard.app_desk import Busy, Desk
from leaderboard.app_login import Login, LoginError
from leaderboard.app_tables import BoardView, Tables
from leaderboard.app_upload import UploadError, uploaded
from leaderboard.board import board_bytes
from leaderboard.ranking import export
from leaderboard.submission import Refused
from leaderboard.submission_rules import RULES, quoted

__all__ = ["Api", "told"]

_FORMATS = {
    "csv": ("csv", "text/csv"),
    "json": ("json", "application/json"),
    "md": ("markdown", "text/markdown"),
}
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Api:
    """What programs may ask for.

    Attributes
    ----------
    tables
        What is shown.
    desk
        Where submissions go.
    login
        Whose they are.
    """

    tables: Tables
    desk: Desk
    login: Login

    def routes(self) -> list[Route]:
        """Return all of it."""
        return [
            Route("/api/boards", self.boards),
            Route("/api/board", self.board),
            Route("/api/ranking", self.ranking),
            Route("/api/queue", self.queue),
            Route("/api/entry/{entry}", self.entry),
            Route("/api/rules", self.rules),
            Route("/api/submit", self.submit, methods=["POST"]),
            Route("/api/{rest:path}", _no_such),
        ]

    def boards(self, _: Request) -> Response:
        """Return what there is to submit to."""
        found = [
            {
                "name": view.board.name,
                "version": view.board.version,
                "task": view.board.task,
                "classes": view.board.classes,
                "licence": view.board.licence,
                "images": len(view.board.images),
                "entries": len(view.queue),
                "ranked": sum(1 for row in view.ranking.rows if row.rank is not None),
                "path": view.path,
            }
            for view in self.tables.get().boards.values()
        ]
        return JSONResponse({"boards": found})

    def board(self, request: Request) -> Response:
        """Return board.json."""
        wanted = request.query_params.get("name", ""), request.query_params.get("version", "")
        view = self.tables.get().boards.get(wanted)
        if view is None:
            return problem(
                404, f"there is no board {' '.join(map(quoted, wanted))}: expected one of /api/boards"
            )
        return Response(board_bytes(view.board), media_type="application/json")

    def ranking(self, request: Request) -> Response:
        """Return a table, sorted and filtered as on the page."""
        view = self._wanted(request)
        form = request.query_params.get("format", "json")
        if view is None:
            return _no_board(request)
        if form not in _FORMATS:
            return problem(400, f"format {quoted(form)}: expected csv, json or md")
        name, kind = _FORMATS[form]
        columns = table_columns(view.ranking)
        rows = chosen_rows(view.ranking.rows, read_view(request.query_params, columns), columns)
        text = export(view.ranking.model_copy(update={"rows": tuple(rows)}), name)
        file = f"{view.board.name}-{view.board.version}.{form}"
        headers = {
            "Content-Disposition": f'{"inline" if form == "json" else "attachment"}; filename="{file}"'
        }
        return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)

    def queue(self, request: Request) -> Response:
        """Return every entry of a board with its state."""
        view = self._wanted(request)
        if view is None:
            return _no_board(request)
        entries = [{**one.model_dump(mode="json"), "path": one.path} for one in view.queue]
        return JSONResponse({"board": view.board.name, "version": view.board.version, "entries": entries})

    def entry(self, request: Request) -> Response:
        """Return an entry: where it stands, and its row of the table."""
        entry = request.path_params["entry"]
        view = self.tables.get().find(entry)
        if view is None:
            return problem(404, f"there is no entry {quoted(entry)}")
        row = view.rows.get(entry)
        return JSONResponse(
            {
                "board": view.board.name,
                "version": view.board.version,
                "queue": view.entries[entry].model_dump(mode="json"),
                "row": None if row is None else row.model_dump(mode="json"),
            }
        )

    def rules(self, _: Request) -> Response:
        """Return what a submission must keep to."""
        return JSONResponse(dict(RULES))

    async def submit(self, request: Request) -> Response:
        """Check a submission, and keep it."""
        try:
            account = await run_in_threadpool(self.login.of_program, request.headers.get("authorization", ""))
            with self.desk.entered(account):
                most = await run_in_threadpool(lambda: self.desk.most_bytes)
                async with uploaded(request, most) as (metadata, predictions):
                    accepted = await run_in_threadpool(self.desk.submit, metadata, predictions, account)
        except CraqbenchError as error:
            return _answer(error)
        except ClientDisconnect:
            return problem(400, "the connection ended before the submission did")
        return JSONResponse({"entry": accepted.entry, "number": accepted.number}, 201)

    def _wanted(self, request: Request) -> BoardView | None:
        snapshot, query = self.tables.get(), request.query_params
        if "board" not in query:
            return snapshot.first
        if "version" in query:
            return snapshot.boards.get((query["board"], query["version"]))
        return next((view for (name, _), view in snapshot.boards.items() if name == query["board"]), None)


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says what is wrong."""
    return JSONResponse({"error": text}, status, headers=headers)


def told(error: Refused) -> list[dict[str, Any]]:
    """Return refusals as programs read them."""
    return [{"rule": one.rule, "problem": one.problem, "image": one.image} for one in error.refusals]


def _answer(error: CraqbenchError) -> Response:
    if isinstance(error, Refused):
        return JSONResponse({"refusals": told(error)[:50]}, 422)
    if isinstance(error, Busy):
        return problem(429 if error.own else 503, str(error), {"Retry-After": str(error.seconds)})
    if isinstance(error, LoginError):
        return problem(401, str(error), {"WWW-Authenticate": "Bearer"})
    if isinstance(error, UploadError):
        return problem(error.status, str(error), {"Connection": "close"})
    _LOG.error("a submission could not be kept: %s", error)
    what = (
        "the Hugging Face Hub does not answer"
        if isinstance(error, HubError)
        else "the store cannot be written"
    )
    return problem(503, f"{what}; nothing was kept: expected to be asked again later", {"Retry-After": "60"})


def _no_board(request: Request) -> Response:
    wanted = request.query_params.get("board", ""), request.query_params.get("version", "")
    return problem(404, f"there is no board {' '.join(map(quoted, wanted))}: expected one of /api/boards")


def _no_such(request: Request) -> Response:
    return problem(404, f"there is no {quoted(request.url.path)}: see /about")
