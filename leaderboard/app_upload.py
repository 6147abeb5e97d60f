"""Receive a form with files from a stranger: no more bytes than are allowed, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from craqbench.errors import CraqbenchError
from leaderboard.submission_rules import quoted

__all__ = ["UploadError", "uploaded"]

SECONDS = 600.0
"""For one upload, however slow the line."""

FIELDS = ("metadata", "predictions")


class UploadError(CraqbenchError):
    """A form that cannot be received.

    Attributes
    ----------
    status
        Of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@contextlib.asynccontextmanager
async def uploaded(request: Request, most: int) -> AsyncIterator[tuple[BinaryIO, BinaryIO | None]]:
    """Receive the files ``metadata`` and, where it is there, ``predictions``; both are gone afterwards.

    Parameters
    ----------
    request
        A POST of ``multipart/form-data``.
    most
        Bytes of the whole body; what comes beyond is not read.

    Raises
    ------
    UploadError
        400 if it is no such form, 408 if it takes too long, 413 if it is too large.
    """
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise UploadError(400, f"content type {quoted(kind)}: expected multipart/form-data")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 15 or int(declared) > most:
        raise UploadError(413, f"a body of {quoted(declared)} bytes: expected at most {most:,}")
    parser = MultiPartParser(
        request.headers, _capped(request.stream(), most), max_files=len(FIELDS), max_fields=0
    )
    try:
        async with asyncio.timeout(SECONDS):
            form = await parser.parse()
    except TimeoutError:
        raise UploadError(408, f"it took more than {SECONDS:.0f} s: expected a faster line") from None
    except (MultiPartException, KeyError, ValueError) as error:
        told = getattr(error, "message", "a part without a name")
        raise UploadError(
            400, f"the form cannot be read: {quoted(told)}: expected multipart/form-data"
        ) from None
    try:
        files = {name: part.file for name, part in form.multi_items() if isinstance(part, UploadFile)}
        if len(files) < len(form.multi_items()) or not {"metadata"} <= files.keys() <= set(FIELDS):
            raise UploadError(
                400, f"files {quoted(sorted(files))}: expected metadata and predictions, each once"
            )
        yield files["metadata"], files.get("predictions")
    finally:
        await form.close()


async def _capped(stream: AsyncGenerator[bytes, None], most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for piece in stream:
        size += len(piece)
        if size > most:
            raise UploadError(413, f"a body of more than {most:,} bytes: expected at most so many")
        yield piece
