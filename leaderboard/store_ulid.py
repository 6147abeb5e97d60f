"""ULIDs (https://github.com/ulid/spec): names that sort by time, and that nobody guesses."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

__all__ = ["is_ulid", "new_ulid", "time_of_ulid"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_CHANCE = 80
"""Bits of chance below the milliseconds."""


def new_ulid(now: datetime) -> str:
    """Return a new ULID: 48 bits of milliseconds since 1970, then 80 bits of chance."""
    value = (now - _EPOCH) // _MILLISECOND << _CHANCE | secrets.randbits(_CHANCE)
    return "".join(_DIGITS[value >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Whether a text is a ULID in capital letters, and so is safe as a name of a file."""
    return _ULID.fullmatch(text) is not None


def time_of_ulid(ulid: str) -> datetime:
    """Return when a ULID was made.

    >>> time_of_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV").isoformat()
    '2016-07-30T23:54:10.259000+00:00'
    """
    value = 0
    for digit in ulid:
        value = value * 32 + _DIGITS.index(digit)
    return _EPOCH + (value >> _CHANCE) * _MILLISECOND
