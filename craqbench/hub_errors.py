"""Errors of the Hub: which pass, and what the others mean in words."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import logging as client_log
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from craqbench.errors import CraqbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["HubError", "explained", "may_pass", "patiently", "status_of"]

Answer = TypeVar("Answer")

WAITS = (0.5, 2.0, 6.0)
"""Seconds before each new attempt at a request that failed for a reason that passes."""

LONGEST_WAIT = 300.0
"""Seconds that a busy Hub may ask for."""

PASSING = (408, 429, 500, 502, 503, 504)
"""Statuses of answers that may be others the next time."""

GONE = "there is none, or it is private and the login (hf auth login) may not see it"
"""What a missing repository means: the Hub does not tell these apart."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ENOENT)

_GO_ON = "what has arrived is kept, run the same command again to go on"


class HubError(CraqbenchError):
    """The Hub cannot be reached, refuses, or holds something else than it should."""


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask; after a failure that may pass, wait and ask again. What is asked must bear being done twice."""
    for wait in WAITS:
        try:
            return ask()
        except (HfHubHTTPError, httpx2.TransportError) as error:
            if not may_pass(error):
                raise
            pause = _asked_for(error) or wait
        time.sleep(pause)
    return ask()


def may_pass(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    return isinstance(error, httpx2.TransportError) or status_of(error) in PASSING


def status_of(error: BaseException) -> int:
    """Return the status of the answer that is behind an error; 0 if there was none."""
    return error.response.status_code if isinstance(error, HfHubHTTPError) else 0


def _asked_for(error: Exception) -> float:
    """Return the seconds that the Hub asks to wait; 0 if it does not say."""
    text = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return min(float(text), LONGEST_WAIT) if re.fullmatch(r"\d{1,9}", text) else 0.0


class _Quiet:
    """Keeps the client's bars and warnings from the terminal, as long as any thread is inside."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._bars, self._level = False, logging.WARNING

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._bars, self._level = not are_progress_bars_disabled(), client_log.get_verbosity()
                if self._bars:
                    disable_progress_bars()
                client_log.set_verbosity(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                client_log.set_verbosity(self._level)
                if self._bars:
                    enable_progress_bars()


_quiet = _Quiet()


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn what the client raises inside into a `HubError` that says what to do; keep the client quiet.

    Errors of the disk stay what they are.

    Parameters
    ----------
    where
        What is talked to, for the message.
    """
    try:
        with _quiet:
            yield
    except CraqbenchError:
        raise
    except Exception as error:
        number = _disk_error(error)
        if number:
            raise OSError(number, os.strerror(number)) from error
        message = _explain(error, where)
        if message is None:
            raise
        raise HubError(message) from error


def _disk_error(error: BaseException) -> int:
    """Return the number of an error of the disk, which the storage of chunks tells in words; 0 if none."""
    match = re.search(r"\(os error (\d+)\)", str(error)) if isinstance(error, RuntimeError) else None
    number = int(match[1]) if match else 0
    return number if number in _DISK else 0


def _explain(error: BaseException, where: str) -> str | None:
    """Return what happened and what to do; None if it is not the Hub's business."""
    if isinstance(error, OSError) and error.errno is not None:  # of the disk, perhaps after a cut
        return None
    found: BaseException | None = error
    while found is not None:
        message = _told(found, where)
        if message:
            return message
        found = found.__cause__ or found.__context__
    if isinstance(error, RuntimeError | OSError):  # the storage of chunks; a download cut short
        return f"{where}: {_first_line(error)}: {_GO_ON}"
    return None


_KNOWN: tuple[tuple[type[Exception], str], ...] = (
    (LocalTokenNotFoundError, "nobody is logged in: expected a login: hf auth login, or HF_TOKEN"),
    (OfflineModeIsEnabled, "HF_HUB_OFFLINE is set: expected it unset"),
    (GatedRepoError, "it is gated: expected its terms accepted there, and a login: hf auth login"),
    (RepositoryNotFoundError, GONE),
)


def _told(error: BaseException, where: str) -> str | None:
    for kind, meaning in _KNOWN:
        if isinstance(error, kind):
            return f"{where}: {meaning}"
    if isinstance(error, HfHubHTTPError):
        return f"{where}: {_refusal(error)}"
    if isinstance(error, httpx2.TransportError):
        reason = _first_line(error)
        return f"{where}: the connection failed ({reason}): expected a network and a Hub that is up; {_GO_ON}"
    return None


def _refusal(error: HfHubHTTPError) -> str:
    status = status_of(error)
    if status == 401:
        return "the login is not valid: expected another: hf auth login, or HF_TOKEN"
    if status == 403:
        return (
            f"no right to do this ({_reason(error)}): expected the login of somebody who may: hf auth login"
        )
    if status == 429:
        return f"too many requests: expected some minutes of patience; {_GO_ON}"
    if status in PASSING:
        return f"the Hub failed, status {status}: it may pass; {_GO_ON}"
    return f"the Hub refused, status {status}: {_reason(error)}"


def _reason(error: HfHubHTTPError) -> str:
    told = error.response.headers.get("X-Error-Message") or error.server_message
    return (told or _first_line(error)).strip().splitlines()[0].rstrip(".")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
