"""Send a submission to a leaderboard on the network; what it answers is believed no more than a stranger.

::

    GET  ADDRESS/api/board?name=NAME&version=VERSION    200: board.json
    POST ADDRESS/api/submit                             multipart: files "metadata" and "predictions"
                                                        201: {"entry": ULID, "number": N}
                                                        422: {"refusals": [{"rule", "problem", "image"}, ...]}

Who is asking is told by a token in the environment, ``CRAQBENCH_TOKEN``; the login of the Hub is never sent,
since an address may be anybody's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

import craqbench
from craqbench.errors import CraqbenchError, UsageError
from leaderboard.board import BOARD_BYTES, Board, read_board
from leaderboard.store_records import Ulid
from leaderboard.submission import METADATA, PREDICTIONS, Parcel
from leaderboard.submission_rules import RULES, Refusal, Refused, quoted

__all__ = ["TOKEN", "SendError", "Sent", "fetch_board", "is_address", "send"]

TOKEN = "CRAQBENCH_TOKEN"  # noqa: S105  the variable's name
"""Environment variable with what to log in with, if the leaderboard wants that."""

_OK, _CREATED, _REFUSED = 200, 201, 422
_ANSWER_BYTES = 100_000
_TIMEOUT = httpx2.Timeout(30.0, read=300.0)  # checking takes its time
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MOST_REFUSALS = 50


class SendError(CraqbenchError):
    """A leaderboard that cannot be reached, or does not answer as one."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Sent(_Answer):
    """A submission that was accepted: its name in addresses, and its number in the order of acceptance."""

    entry: Ulid
    number: PositiveInt


class _Refusal(_Answer):
    rule: Annotated[str, Field(max_length=40)]
    problem: Annotated[str, Field(max_length=2000)]
    image: Annotated[str, Field(max_length=200)] | None = None


class _Refusals(_Answer):
    refusals: Annotated[tuple[_Refusal, ...], Field(min_length=1, max_length=_MOST_REFUSALS)]


def is_address(text: str) -> bool:
    """Whether a text is the address of a leaderboard on the network, and not a folder."""
    return text.startswith(("http://", "https://"))


def fetch_board(address: str, name: str, version: str) -> Board:
    """Ask a leaderboard for the description of a board.

    Raises
    ------
    SendError
        If it cannot be reached, or has none.
    UsageError
        If the address can be none.
    """
    url = f"{_checked(address)}/api/board"
    status, data = _ask(httpx2.Request("GET", url, params={"name": name, "version": version}), BOARD_BYTES)
    if status != _OK:
        raise SendError(f"{url}: status {status}: expected the board {name} {version}")
    return read_board(data, url)


def send(address: str, parcel: Parcel) -> Sent:
    """Send a submission.

    Raises
    ------
    Refused
        If the leaderboard refuses it.
    SendError
        If it cannot be reached, or answers something else.
    UsageError
        If the address can be none.
    """
    url = f"{_checked(address)}/api/submit"
    with contextlib.ExitStack() as stack:
        names = {"metadata": METADATA, "predictions": PREDICTIONS}
        files = {
            field: (name, stack.enter_context(parcel.files[name].path.open("rb")))
            for field, name in names.items()
            if name in parcel.files
        }
        status, data = _ask(httpx2.Request("POST", url, files=files), _ANSWER_BYTES)
    return _read_answer(url, status, data)


def _read_answer(url: str, status: int, data: bytes) -> Sent:
    try:
        if status == _CREATED:
            return Sent.model_validate_json(data)
        if status == _REFUSED:
            told = _Refusals.model_validate_json(data).refusals
            raise Refused([Refusal(_rule(r.rule), ascii(r.problem)[1:-1], r.image) for r in told])
    except ValidationError as error:
        raise SendError(
            f"{url}: status {status}, and an answer that is none: expected a leaderboard"
        ) from error
    hints = {401: f"expected a token in {TOKEN}", 403: f"expected a token in {TOKEN}", 429: "try again later"}
    raise SendError(f"{url}: status {status}: {hints.get(status, 'expected a leaderboard')}")


def _rule(text: str) -> str:
    return text if text in RULES else quoted(text)


def _checked(address: str) -> str:
    """Return an address without a slash at its end: https, or http on this machine."""
    try:
        parts = urlsplit(address)
        host, local = parts.hostname, parts.hostname in _LOOPBACK
    except ValueError:
        host, local = None, False
    if not host or "@" in address or not (address.startswith("https://") or local):
        raise UsageError(f"address {address!r}: expected https://HOST, or http://localhost:PORT")
    return address.rstrip("/")


def _ask(request: httpx2.Request, most: int) -> tuple[int, bytes]:
    """Send a request, and read no more of the answer than it may have; redirections are not followed."""
    token = os.environ.get(TOKEN)
    headers = {"User-Agent": f"craqbench/{craqbench.__version__}", "Accept": "application/json"}
    request.headers.update({**headers, **({"Authorization": f"Bearer {token}"} if token else {})})
    try:
        with httpx2.Client(timeout=_TIMEOUT) as client, _streamed(client, request) as answer:
            data = b""
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > most:
                    raise SendError(f"{request.url}: an answer of more than {most:,} bytes: expected less")
            return answer.status_code, data
    except httpx2.TransportError as error:
        told = str(error) or type(error).__name__
        raise SendError(
            f"{request.url}: the connection failed ({told}): expected a leaderboard there"
        ) from error


@contextlib.contextmanager
def _streamed(client: httpx2.Client, request: httpx2.Request) -> Iterator[httpx2.Response]:
    answer = client.send(request, stream=True)
    try:
        yield answer
    finally:
        answer.close()
