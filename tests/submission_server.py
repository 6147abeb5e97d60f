"""A leaderboard's interface for programs, on the loopback, with the real check and a real store behind it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from leaderboard.board import board_bytes
from leaderboard.store import Store
from leaderboard.store_records import StoreError
from leaderboard.submission import Refused, check_parcel, received
from leaderboard.submission_metadata import read_metadata


class Leaderboard(ThreadingHTTPServer):
    """Answers with a store, or, where it is set, with `instead`: a status, headers and a body."""

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self.instead: tuple[int, dict[str, str], bytes] | None = None
        self.tokens: list[str | None] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def leaderboard(store: Store) -> Iterator[Leaderboard]:
    """Listen until the block ends."""
    with Leaderboard(store) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Leaderboard

    def do_GET(self) -> None:
        """Answer /api/board."""
        query = parse_qs(urlsplit(self.path).query)
        self._begin()
        try:
            board = self.server.store.board(query["name"][0], query["version"][0])
        except StoreError as error:
            self._answer(404, {"error": str(error)})
        else:
            self._send(200, {}, board_bytes(board))

    def do_POST(self) -> None:
        """Answer /api/submit."""
        body = self._body()
        self._begin()
        if self.server.instead:
            self._send(*self.server.instead)
            return
        kind = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts: Any = BytesParser().parsebytes(kind + body).get_payload()
        files = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts
        }
        try:
            self._accept(files["metadata"], files.get("predictions"))
        except Refused as error:
            told = [{"rule": r.rule, "problem": r.problem, "image": r.image} for r in error.refusals]
            self._answer(422, {"refusals": told})

    def _accept(self, metadata: bytes, predictions: bytes | None) -> None:
        store, told = self.server.store, read_metadata(metadata)
        board = store.board(told.board, told.board_version)
        stream = None if predictions is None else io.BytesIO(predictions)
        with received(io.BytesIO(metadata), stream, board) as parcel:
            accepted = store.accept(parcel, check_parcel(parcel, board), "ada")
        self._answer(201, {"entry": accepted.entry, "number": accepted.number})

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _begin(self) -> None:
        self.server.tokens.append(self.headers.get("Authorization"))

    def _answer(self, status: int, content: object) -> None:
        self._send(status, {}, json.dumps(content).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
