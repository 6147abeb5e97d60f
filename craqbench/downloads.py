"""The cache folder, and downloads that are tried again and never leave half a file."""

from __future__ import annotations

import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import craqbench
from craqbench.errors import AnnotationError, UsageError

__all__ = ["CACHE_VARIABLE", "cache_folder", "download"]

CACHE_VARIABLE = "CRAQBENCH_CACHE"
"""Environment variable that moves the cache."""

TRIES = 4
PAUSE = 0.5
"""Seconds before the second try; twice as long before each further one."""

TIMEOUT = 30.0
MOST_BYTES = 64_000_000

_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})


def cache_folder() -> Path:
    """Return where downloads are kept: ``CRAQBENCH_CACHE``, or the platform's place for caches."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "craqbench" / "Cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "craqbench"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "craqbench"


def download(url: str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Download a small file whole; a broken connection or a busy server is tried again.

    Raises
    ------
    UsageError
        If `url` is not http or https.
    AnnotationError
        If the file is not there, is larger than `most_bytes`, or all tries failed.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"address {url!r}: expected http:// or https://")
    for number in range(1, TRIES + 1):
        try:
            return _attempt(url, most_bytes)
        except urllib.error.HTTPError as error:
            problem = f"{error.code} {error.reason}"
            if error.code not in _WORTH_ANOTHER_TRY:
                break
        except urllib.error.URLError as error:
            problem = str(error.reason)
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        if number < TRIES:
            time.sleep(PAUSE * 2 ** (number - 1))
    raise AnnotationError(f"cannot download {url}: {problem} (tried {number} times)")


def _attempt(url: str, most_bytes: int) -> bytes:
    agent = {"User-Agent": f"craqbench/{craqbench.__version__}"}
    request = urllib.request.Request(url, headers=agent)  # noqa: S310  `download` lets http and https pass only
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        data: bytes = answer.read(most_bytes + 1)
        expected = answer.headers.get("Content-Length")
    if len(data) > most_bytes:
        raise AnnotationError(f"{url} has more than {most_bytes:,} bytes: expected a picture")
    if expected and len(data) != int(expected):
        raise http.client.IncompleteRead(data, int(expected) - len(data))
    return data
