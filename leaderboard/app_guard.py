"""What every request passes: whose name it calls, where it comes from, how large it is; what answers say."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FORM_POLICY", "FRAMES", "Guard"]

FORM_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri "
    "'self'"
)
"""Of the form, which is Gradio's: it builds itself with scripts, and may fetch nothing from elsewhere."""

FRAMES = "https://huggingface.co"
"""Who may show the page in a frame: the page of a Space."""

UPLOADS = 8
"""Files that are received for the form at once; each may be as large as a submission."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_UPLOAD = "/gradio_api/upload"


class _TooLargeError(Exception):
    """More bytes than anybody may send."""


class Guard:
    """Refuses requests that a stranger's web page sends in somebody's name, and adds headers to answers.

    Parameters
    ----------
    app
        What is guarded.
    hosts
        Names under which it may be called; empty for any. On a laptop this keeps out pages whose name was
        pointed at the loopback.
    frames
        Who may show it in a frame besides itself.
    is_known
        Whether a path is one of the application's.
    missing
        Answers what is not.
    most_bytes
        Returns the most bytes of a body.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Collection[str],
        frames: str,
        is_known: Callable[[str], bool],
        missing: Callable[[Request], Response],
        most_bytes: Callable[[], int],
    ) -> None:
        self._app, self._hosts = app, frozenset(hosts)
        self._is_known, self._missing, self._most_bytes = is_known, missing, most_bytes
        self._frames = f"frame-ancestors 'self' {frames}".rstrip()
        self._default = f"{FORM_POLICY}; {self._frames}"
        self._uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal:
            await _refuse(guarded, *refusal)
        elif not self._is_known(scope["path"]):
            await self._missing(Request(scope))(scope, receive, guarded)
        elif scope["path"] == _UPLOAD:
            self._uploads += 1
            try:
                await self._capped(scope, receive, guarded)
            finally:
                self._uploads -= 1
        elif scope["method"] in _SAFE:
            await self._app(scope, receive, guarded)
        else:
            await self._capped(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return 421, f"this leaderboard is called {' or '.join(sorted(self._hosts))}"
        if scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, "requests from other sites are refused"
        if scope["path"] == _UPLOAD and self._uploads >= UPLOADS:
            return 503, "many files are being received: expected to be asked again later"
        return None

    async def _capped(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, but read no more of the body than is allowed."""
        most, size, started = self._most_bytes(), 0, False
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 15 or int(declared) > most:
            await _refuse(send, 413, f"expected a body of at most {most:,} bytes")
            return

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            if size <= most:
                started = True
                await send(message)

        try:
            await self._app(scope, counted, noted)
        except Exception:
            if size <= most:
                raise
        if size > most and not started:
            await _refuse(send, 413, f"expected a body of at most {most:,} bytes")

    def _add(self, headers: MutableHeaders) -> None:
        policy = headers.get("content-security-policy")
        headers["content-security-policy"] = f"{policy}; {self._frames}" if policy else self._default
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"


def _name(host: str) -> str:
    """Return a host without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdecimal() else host).strip("[]").lower()


async def _refuse(send: Send, status: int, text: str) -> None:
    body = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"15")] if status == 503 else [(b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
