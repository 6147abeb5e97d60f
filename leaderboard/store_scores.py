"""Who scores which submission, and what came of it: claims that one worker gets, results that are made once.

A key names a scorer and its labels, such as ``1-3fa29c``: another scorer or other labels have another key,
score everything again, and leave what is there. What a submission has, by the files of its key:

============ ==========================================================================================
``waiting``  nobody scores it: never begun, given up, or whoever did has not come back in time
``claimed``  a worker scores it
``scored``   there is a result
``failed``   the scoring has failed, as often as it is tried
============ ==========================================================================================

A worker that is killed loses its claim when that runs out; only errors count as attempts. But an entry from
which workers have not come back `LOST` times has failed, too: it may be what kills them. If a worker is slow
and comes back after another has taken over, the first result stays, and the second is not written.
"""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from craqbench.errors import UsageError
from leaderboard.store import Store, folder_of
from leaderboard.store_records import (
    SUBMISSIONS,
    Accepted,
    Claim,
    Failed,
    Record,
    Release,
    Some,
    read_record,
    record_bytes,
)

__all__ = ["ATTEMPTS", "LOST", "RESULT", "Progress", "Scores", "State"]

State = Literal["waiting", "claimed", "scored", "failed"]

RESULT, FAILED = "result.json", "failed.json"
ATTEMPTS = 2
"""Errors after which a submission has failed: it is tried again once."""

LOST = 30
"""Workers that a submission may lose, by whatever cause: far more than are killed by chance."""

_NEVER = f"{LOST} workers have begun the scoring, and none of them came back"
_LONGEST_REASON = 2000
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", re.ASCII)


class Progress(NamedTuple):
    """Where a submission stands.

    Attributes
    ----------
    state
        See the module.
    claims
        How often it was begun.
    errors
        How often that ended in an error.
    reason
        Of the last error; else empty.
    """

    state: State
    claims: int
    errors: int
    reason: str = ""


class Scores:
    """What a scorer does with the submissions of a store.

    Parameters
    ----------
    store
        Which.
    key
        Of scorer and labels: 1 to 120 letters, digits, '.', '_' and '-'.
    """

    def __init__(self, store: Store, key: str) -> None:
        if not _KEY.fullmatch(key):
            raise UsageError(f"key {key!r}: expected letters, digits, '.', '_' and '-'")
        self.store, self.key = store, key

    def progress(self, accepted: Accepted, *, now: datetime | None = None) -> Progress:
        """Return where a submission stands."""
        self.store.files.look()
        return self._progress(accepted.entry, self._names(accepted.entry), now or datetime.now(UTC))

    def all_progress(
        self, accepted: Iterable[Accepted] | None = None, *, now: datetime | None = None
    ) -> dict[str, Progress]:
        """Return where submissions stand, all if none are named, in their order: entry -> progress."""
        chosen = self.store.accepted() if accepted is None else list(accepted)
        names: dict[str, set[str]] = defaultdict(set)
        for path in self.store.files.names(SUBMISSIONS):
            parts = path.split("/")
            if parts[2:4] == ["scores", self.key] and len(parts) == 5:
                names[parts[1]].add(parts[4])
        now = now or datetime.now(UTC)
        return {one.entry: self._progress(one.entry, names[one.entry], now) for one in chosen}

    def claim(
        self,
        accepted: Accepted,
        worker: str,
        *,
        lease: timedelta = timedelta(minutes=15),
        now: datetime | None = None,
    ) -> Claim | None:
        """Take up a submission that waits; None if it does not, or another worker was faster.

        Parameters
        ----------
        accepted
            Which.
        worker
            Who takes it, for people.
        lease
            After which others may take it over: longer than scoring may take.
        now
            The time, UTC.
        """
        now = now or datetime.now(UTC)
        progress = self.progress(accepted, now=now)
        if progress.state != "waiting":
            return None
        claim = Claim(
            entry=accepted.entry,
            key=self.key,
            number=progress.claims + 1,
            worker=worker,
            nonce=secrets.token_hex(8),
            at=now,
            until=now + lease,
        )
        return claim if self._create(claim.entry, _name("claim", claim.number), claim) else None

    def running(self, accepted: Accepted) -> Claim | None:
        """Return the claim of the worker that has not come back yet; None if there is none."""
        self.store.files.look()
        names = self._names(accepted.entry)
        claims = sorted(name for name in names if name.startswith("claim-"))
        if not claims or {RESULT, FAILED, claims[-1].replace("claim", "release")} & names:
            return None
        return self._read(Claim, accepted.entry, claims[-1:])[0]

    def finish(self, claim: Claim, result: bytes) -> bool:
        """Keep a result; False if there is one already, which stays."""
        return self.store.files.create(self._path(claim.entry, RESULT), result)

    def release(self, claim: Claim, reason: str, *, error: bool, now: datetime | None = None) -> Progress:
        """Give up an attempt, with an error of the scoring or because the worker must stop.

        Returns
        -------
        Where the submission stands now: failed, if it has had as many errors as there are attempts.
        """
        now = now or datetime.now(UTC)
        told = reason[:_LONGEST_REASON]
        self._create(claim.entry, _name("release", claim.number), Release(error=error, reason=told, at=now))
        self.store.files.look()
        names = self._names(claim.entry)
        progress = self._progress(claim.entry, names, now)
        if progress.errors >= ATTEMPTS and FAILED not in names and RESULT not in names:
            self._create(claim.entry, FAILED, Failed(reason=told, errors=progress.errors, at=now))
            progress = progress._replace(state="failed")
        return progress

    def result(self, accepted: Accepted) -> bytes | None:
        """Return the result of a submission; None if there is none."""
        return self.store.files.read(self._path(accepted.entry, RESULT))

    def _names(self, entry: str) -> set[str]:
        return {path.rpartition("/")[2] for path in self.store.files.names(self._path(entry, "").rstrip("/"))}

    def _progress(self, entry: str, names: set[str], now: datetime) -> Progress:
        claims = sorted(name for name in names if name.startswith("claim-"))
        ends = [name for name in sorted(names) if name.startswith("release-")]
        errors = [end for end in self._read(Release, entry, ends) if end.error]
        reason = errors[-1].reason if errors else ""
        if RESULT in names:
            return Progress("scored", len(claims), len(errors), reason)
        if FAILED in names or len(errors) >= ATTEMPTS:
            return Progress("failed", len(claims), len(errors), reason)
        running = claims and claims[-1].replace("claim", "release") not in ends
        if running and self._read(Claim, entry, claims[-1:])[0].until > now:
            return Progress("claimed", len(claims), len(errors), reason)
        if len(claims) - len(ends) >= LOST:
            return Progress("failed", len(claims), len(errors), _NEVER)
        return Progress("waiting", len(claims), len(errors), reason)

    def _read(self, kind: type[Some], entry: str, names: Sequence[str]) -> list[Some]:
        paths = [self._path(entry, name) for name in names]
        found = zip(paths, self.store.files.read_all(paths), strict=True)
        return [read_record(kind, data, f"{self.store}/{path}") for path, data in found]

    def _create(self, entry: str, name: str, record: Record) -> bool:
        return self.store.files.create(self._path(entry, name), record_bytes(record))

    def _path(self, entry: str, name: str) -> str:
        return f"{folder_of(entry)}/scores/{self.key}/{name}"


def _name(kind: str, number: int) -> str:
    return f"{kind}-{number:04}.json"
