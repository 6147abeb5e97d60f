"""The wire of the local hub: a threaded HTTP server, and the forms of requests, answers and refusals."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from local_hub import LocalHub
    from local_hub_faults import Fault

PIECE = 1 << 16


class Refusal(Exception):  # noqa: N818 - an answer of the hub, not a fault in it
    """An answer other than success, in the form that the clients turn into their exceptions."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers, self.body = headers or {}, body or {}

    def answer(self) -> Answer:
        """Return what is sent: the reason in the body, and in the headers that the clients read."""
        line = self.message.replace("\n", " ").encode("ascii", "replace").decode()
        headers = {"X-Error-Message": line, **self.headers}
        if self.code:
            headers["X-Error-Code"] = self.code
        return as_json({"error": self.message, **self.body}, self.status, headers)


@dataclass(frozen=True)
class Slice:
    """Part of a file, sent without reading it whole."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int = 200
    body: bytes | Slice = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.body.length if isinstance(self.body, Slice) else len(self.body)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        if isinstance(self.body, bytes):
            yield from (self.body[i : i + PIECE] for i in range(0, len(self.body), PIECE))
            return
        with self.body.path.open("rb") as file:
            file.seek(self.body.start)
            left = self.body.length
            while left and (piece := file.read(min(PIECE, left))):
                yield piece
                left -= len(piece)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer in JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


@dataclass(frozen=True)
class Ask:
    """A request as it came; `names` are the parts of the path that the route names."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str | None:
        """What the request identifies itself with."""
        return self.headers.get("authorization", "").removeprefix("Bearer ") or None

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)

    def flag(self, name: str) -> bool:
        """Return whether the query sets something."""
        return self.query.get(name, [""])[0].lower() in {"1", "true"}


@dataclass(frozen=True)
class Call:
    """One line of the log.

    Attributes
    ----------
    line
        "METHOD /path?query".
    status
        Of the answer; 0 where the connection was cut before any.
    received, sent
        Bytes of the bodies that passed, without headers.
    signed_in
        Whether a token came with it (which one is not kept).
    fault
        Whether a fault on demand struck it.
    """

    line: str
    status: int
    received: int
    sent: int
    signed_in: bool
    fault: bool


Endpoint = Callable[["LocalHub", Ask], Answer]


class Routes:
    """A table of methods, paths and the functions that answer them."""

    def __init__(self) -> None:
        self._table: list[tuple[str, re.Pattern[str], Endpoint]] = []

    def __call__(self, method: str, path: str) -> Callable[[Endpoint], Endpoint]:
        """Return a decorator that enters a function; ``{x}`` is a part of the path, ``{x*}`` all the rest."""
        pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

        def enter(endpoint: Endpoint) -> Endpoint:
            self._table.append((method, re.compile(pattern), endpoint))
            return endpoint

        return enter

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the function for a path, and the unquoted parts that it names."""
        method = "GET" if method == "HEAD" else method
        for known, pattern, endpoint in self._table:
            if known == method and (match := pattern.fullmatch(path)):
                return endpoint, {name: unquote(part) for name, part in match.groupdict().items()}
        return None


class _CutError(Exception):
    """The connection ends here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    server: Site

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.connections.discard(self.request)

    def log_message(self, *_: Any) -> None:
        """Keep quiet: there is a log for reading."""

    def handle_call(self) -> None:
        self.received = 0
        fault = self.server.hub.faults.strike(f"{self.command} {self.path}")
        try:
            answer = self._decide(fault)
        except (_CutError, OSError):
            self._log(0, 0, fault)
            self._hang_up()
            return
        length = 0 if self.command == "HEAD" else answer.length
        if fault and fault.cuts("download"):
            length = min(length, fault.after)
        # The log comes first: a client that has its answer finds the call there.
        call = self._log(answer.status, length, fault)
        try:
            self._send(answer, length)
        except OSError:
            self.server.hub.calls.amend(call, dataclasses.replace(call, sent=self.sent))
            self._hang_up()
        if fault and fault.cuts("download"):
            self._hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_CONNECT = handle_call  # noqa: N815 - http.server's names

    def _log(self, status: int, sent: int, fault: Fault | None) -> Call:
        signed_in = "Authorization" in self.headers
        line = f"{self.command} {self.path}"
        call = Call(line, status, self.received, sent, signed_in, fault is not None)
        self.server.hub.calls.add(call)
        return call

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _decide(self, fault: Fault | None) -> Answer:
        if fault and fault.cuts("before"):
            raise _CutError
        body = self._body(fault.after if fault and fault.cuts("upload") else None)
        answer = fault.answer if fault and fault.answer else self._answer(body)
        if fault and fault.cuts("processed"):
            raise _CutError
        return answer

    def _body(self, limit: int | None) -> bytes:
        pieces = []
        for piece in self._incoming():
            self.received += len(piece)
            if limit is not None and self.received >= limit:
                raise _CutError
            pieces.append(piece)
        if limit is not None:
            raise _CutError  # a shorter upload is cut at its end
        return b"".join(pieces)

    def _incoming(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self._exactly(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self._exactly(min(left, PIECE))
            left -= len(piece)
            yield piece

    def _exactly(self, size: int) -> bytes:
        piece = self.rfile.read(size)
        if len(piece) < size:
            raise _CutError
        return piece

    def _answer(self, body: bytes) -> Answer:
        parts = urlsplit(self.path)
        if self.command == "CONNECT" or parts.netloc:
            return self.server.hub.answer_stranger(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        return self.server.hub.answer(self.server.routes, Ask(self.command, parts.path, query, headers, body))

    def _send(self, answer: Answer, length: int) -> None:
        self.sent = 0
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(answer.length))
        self.end_headers()
        for piece in answer.pieces() if length else ():
            self.wfile.write(piece[: length - self.sent])
            self.sent = min(self.sent + len(piece), length)
            if self.sent == length:
                break


class Site(ThreadingHTTPServer):
    """One origin: an address and a table of routes, answered in threads until it is closed."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, hub: LocalHub, routes: Routes, port: int = 0) -> None:
        self.hub, self.routes = hub, routes
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        """Stop listening, cut what is open, and wait for all threads."""
        self.shutdown()
        self._thread.join()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Note the connection before its thread starts, so that `close` finds it."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def handle_error(self, *_: Any) -> None:
        """Keep quiet about clients that went away; keep what is the hub's own fault."""
        error = sys.exception()
        if not isinstance(error, OSError | None):
            self.hub.errors.append(str(error))
