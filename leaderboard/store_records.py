"""What a store says in files: each is written once, and that it is there is what it says.

::

    store.json                                       how many submissions an account has, and who are
    operators boards/NAME/VERSION/board.json                   what submissions are for
    submissions/ULID/submission.json                 as it was sent submissions/ULID/predictions.parquet
    as it was sent log/00000001.json                                the first submission that was accepted:
    which, whose, when submissions/ULID/scores/KEY/claim-0001.json      a worker takes it up; KEY is a scorer
    with its labels submissions/ULID/scores/KEY/release-0001.json    and gives it up: with an error, or
    because it must stop submissions/ULID/scores/KEY/result.json          its score
    submissions/ULID/scores/KEY/failed.json          it cannot be scored, and why
    submissions/ULID/flags/0001.json                 what the operator says of it

A submission counts from the moment that the log names it; a folder that the log does not name is one of
somebody who was cut off, and to whom nothing was promised.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    ValidationError,
)

from craqbench.errors import CraqbenchError
from leaderboard.board import Digest
from leaderboard.submission_metadata import BoardName, BoardVersion, Track

__all__ = [
    "BOARDS",
    "LOG",
    "SETTINGS",
    "SUBMISSIONS",
    "Accepted",
    "Claim",
    "Failed",
    "FileFacts",
    "Flag",
    "Release",
    "Settings",
    "StoreError",
    "quarter",
    "read_record",
    "record_bytes",
]

SETTINGS, LOG, BOARDS, SUBMISSIONS = "store.json", "log", "boards", "submissions"

Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
Ulid = Annotated[str, StringConstraints(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$")]
Reason = Annotated[str, Field(max_length=2000)]


class StoreError(CraqbenchError):
    """A store that is none, or holds what does not belong there."""


class Record(BaseModel):
    """A file of a store."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1


class Settings(Record):
    """How many submissions an account has on a board, and who has any number.

    Attributes
    ----------
    per_day, per_quarter
        In calendar days and quarters, UTC.
    operators
        Accounts.
    """

    per_day: PositiveInt = 1
    per_quarter: PositiveInt = 10
    operators: tuple[Account, ...] = ()


class FileFacts(BaseModel):
    """Size and sha256 of a file as it was sent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    size: NonNegativeInt
    sha256: Digest


class Accepted(Record):
    """A submission that keeps all rules and will be scored.

    Attributes
    ----------
    number
        From 1 on, without gaps: the order of acceptance.
    entry
        A ULID: its name in addresses.
    account, accepted_at
        Whose, and when, UTC.
    digest
        Of its predictions, see `leaderboard.submission_checking.Checked`.
    files
        By name.
    """

    number: PositiveInt
    entry: Ulid
    account: Account
    accepted_at: AwareDatetime
    board: BoardName
    board_version: BoardVersion
    track: Track
    digest: Digest | None
    files: dict[str, FileFacts]


class Claim(Record):
    """A worker that scores a submission.

    Attributes
    ----------
    entry, key, number
        Which submission, by which scorer, and which attempt, from 1 on.
    worker, nonce
        Who; the nonce tells two of the same name apart.
    at, until
        From then on somebody else may take it over.
    """

    entry: Ulid
    key: Key
    number: PositiveInt
    worker: Annotated[str, Field(min_length=1, max_length=200)]
    nonce: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    at: AwareDatetime
    until: AwareDatetime


class Release(Record):
    """The end of an attempt without a score: an error of the scoring, or the worker had to stop."""

    error: bool
    reason: Reason
    at: AwareDatetime


class Failed(Record):
    """A submission that cannot be scored, after so many errors."""

    reason: Reason
    errors: PositiveInt
    at: AwareDatetime


class Flag(Record):
    """What an operator says of a submission; a later flag of the same kind replaces it.

    Attributes
    ----------
    kind
        Such as "reproduced" or "disputed".
    raised
        False takes it back.
    """

    number: PositiveInt
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
    raised: bool
    note: Reason
    by: Account
    at: AwareDatetime


Some = TypeVar("Some", bound=Record)


def record_bytes(record: Record) -> bytes:
    """Return a record as JSON."""
    return f"{json.dumps(record.model_dump(mode='json'), indent=1)}\n".encode()


def read_record(kind: type[Some], data: bytes, origin: str) -> Some:
    """Read a record.

    Raises
    ------
    StoreError
        If it is none of its kind.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise StoreError(
            f"{origin}: {place}: {fault['msg']}: expected a file that nobody has changed"
        ) from None


def quarter(time: datetime) -> tuple[int, int]:
    """Return year and quarter, from 1 on."""
    return time.year, (time.month - 1) // 3 + 1
