"""The memory of the leaderboard: boards and submissions, in files that are created once and never changed.

>>> from pathlib import Path
>>> store = open_store("leaderboard-store")  # doctest: +SKIP
>>> store.accept(parcel, checked, "ada")  # doctest: +SKIP
Accepted(number=1, entry='01K...', account='ada', ...)

What the files are is in `leaderboard.store_records`, how they come about in `leaderboard.store_files` (a
folder) and `leaderboard.store_hub` (a dataset repository). Two writers never lose one another's entries: a
submission is accepted by creating the next file of the log, which one of them does; the other one looks
again, at quotas, too.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import huggingface_hub

from craqbench.errors import CraqbenchError, UsageError
from craqbench.hub import Repository, parse_repository
from craqbench.hub_errors import explained, patiently
from leaderboard.board import BOARD, Board, board_bytes, read_board
from leaderboard.store_files import Content, Files, LocalFiles
from leaderboard.store_hub import HubFiles
from leaderboard.store_records import (
    BOARDS,
    LOG,
    SETTINGS,
    SUBMISSIONS,
    Accepted,
    FileFacts,
    Flag,
    Settings,
    StoreError,
    quarter,
    read_record,
    record_bytes,
)
from leaderboard.store_ulid import new_ulid
from leaderboard.submission import METADATA, PREDICTIONS, Checked, Parcel
from leaderboard.submission_metadata import Metadata, read_metadata
from leaderboard.submission_rules import Refused, quoted, refused

__all__ = ["HUB", "Quota", "Store", "account_on_hub", "create_store", "folder_of", "open_store"]

HUB = "hf://datasets/"
"""How the address of a store on the Hub begins."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


class Quota(NamedTuple):
    """What an account may still submit to a board.

    Attributes
    ----------
    today, this_quarter
        Submissions left; None: any number.
    again
        When there is one left; None: now.
    """

    today: int | None
    this_quarter: int | None
    again: datetime | None


def open_store(address: str) -> Store:
    """Open a store: a folder, or ``hf://datasets/ORG/NAME``.

    Raises
    ------
    StoreError
        If there is none.
    UsageError
        If the address can be none.
    """
    files = _files(address)
    data = files.read(SETTINGS)
    if data is None:
        raise StoreError(f"{address} holds no {SETTINGS}: expected a leaderboard store")
    return Store(files, read_record(Settings, data, f"{address}/{SETTINGS}"))


def create_store(address: str, settings: Settings | None = None, *, private: bool = False) -> Store:
    """Create a store, or open the one that is there if its settings are these.

    Parameters
    ----------
    address
        A folder, or ``hf://datasets/ORG/NAME``; of the latter the repository is created, too.
    settings
        Quotas and operators.
    private
        Of a repository.

    Raises
    ------
    StoreError
        If there is one with other settings.
    """
    settings = settings or Settings()
    if address.startswith("hf://"):
        Repository(_repository(address)).create(private=private)
    files = _files(address)
    files.create(SETTINGS, record_bytes(settings))
    files.look()
    store = open_store(address)
    if store.settings != settings:
        raise StoreError(f"{address} is a store with other settings: expected a new place")
    return store


def account_on_hub() -> str:
    """Return the name of whoever is logged in on the Hub.

    Raises
    ------
    HubError
        If nobody is, or the Hub cannot be reached.
    """
    api = huggingface_hub.HfApi()
    with explained(api.endpoint):
        return str(patiently(api.whoami)["name"])


def _files(address: str) -> Files:
    if address.startswith("hf://"):
        return HubFiles(_repository(address))
    if "://" in address:
        raise UsageError(f"store {address!r}: expected a folder, or {HUB}ORG/NAME")
    return LocalFiles(Path(address).expanduser())


def _repository(address: str) -> str:
    if not address.startswith(HUB):
        raise UsageError(f"store {address!r}: expected {HUB}ORG/NAME")
    return parse_repository(address.removeprefix(HUB).rstrip("/"))


class Store:
    """A store, see the module. Made by `open_store`.

    Attributes
    ----------
    files
        Below one place.
    settings
        Quotas and operators.
    """

    def __init__(self, files: Files, settings: Settings) -> None:
        self.files, self.settings = files, settings
        self._log: list[Accepted] = []
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return str(self.files)

    def add_board(self, board: Board) -> None:
        """Make a board known; the same once more is no fault.

        Raises
        ------
        StoreError
            If another is there under this name and version.
        """
        path, data = _board_path(board.name, board.version), board_bytes(board)
        if not self.files.create(path, data) and self.files.read(path) != data:
            raise StoreError(f"{self} has another board {board.label}: expected a new version")

    def board(self, name: str, version: str) -> Board:
        """Return a board.

        Raises
        ------
        StoreError
            If there is none of this name and version.
        """
        known = self.boards()
        if (name, version) not in known:
            names = ", ".join(" ".join(one) for one in known) or "none"
            raise StoreError(f"{self} has no board {quoted(name)} {quoted(version)}: expected one of {names}")
        path = _board_path(name, version)
        (data,) = self.files.read_all([path])
        return read_board(data, f"{self}/{path}")

    def boards(self) -> list[tuple[str, str]]:
        """Return name and version of all boards, sorted, as of now."""
        self.files.look()
        found = (path.split("/") for path in self.files.names(BOARDS))
        return [(parts[1], parts[2]) for parts in found if len(parts) == 4 and parts[3] == BOARD]

    def accepted(self) -> tuple[Accepted, ...]:
        """Return all accepted submissions in their order, as of now."""
        self.files.look()
        return tuple(self._read_log())

    def find(self, entry: str) -> Accepted:
        """Return an accepted submission by its ULID.

        Raises
        ------
        StoreError
            If there is none.
        """
        for one in self.accepted():
            if one.entry == entry:
                return one
        raise StoreError(f"{self} has no entry {quoted(entry)}")

    def metadata(self, accepted: Accepted) -> Metadata:
        """Return what a submission says of itself.

        Raises
        ------
        StoreError
            If it does not keep the rules, as those of a later version may be.
        """
        path = f"{folder_of(accepted.entry)}/{METADATA}"
        (data,) = self.files.read_all([path])
        try:
            return read_metadata(data)
        except Refused as error:
            raise StoreError(f"{self}/{path} does not keep the rules of this version: {error}") from error

    def fetch_predictions(self, accepted: Accepted, target: Path) -> None:
        """Copy the predictions of a submission to this machine."""
        self.files.fetch(f"{folder_of(accepted.entry)}/{PREDICTIONS}", target)

    def accept(
        self, parcel: Parcel, checked: Checked, account: str, *, now: datetime | None = None
    ) -> Accepted:
        """Keep a submission that was checked: when this returns it is there, and it will be scored.

        Parameters
        ----------
        parcel, checked
            Of `leaderboard.submission`.
        account
            Whose.
        now
            The time, UTC.

        Raises
        ------
        Refused
            By ``account``, a ``quota-...`` or ``replayed``. Nothing is kept then.
        StorageError, HubError
            If it cannot be written. Nothing is accepted then.
        """
        if not _ACCOUNT.fullmatch(account):
            raise refused("account", f"account {quoted(account)}: expected letters, digits, '-', '_' and '.'")
        now = (now or datetime.now(UTC)).astimezone(UTC)
        entry = new_ulid(now)
        folder = folder_of(entry)
        beside: dict[str, Content] = {f"{folder}/{name}": file.path for name, file in parcel.files.items()}
        try:
            while True:
                self.files.look()
                log = self._read_log()
                number = len(log) + 1
                _check_replay(log, checked)
                self._check_quota(log, checked.metadata, account, now)
                record = _record(number, entry, parcel, checked, account, now)
                if self.files.create(_log_path(number), record_bytes(record), beside):
                    return record
        except BaseException:
            with contextlib.suppress(CraqbenchError):
                self._forget(entry)
            raise

    def quota(self, account: str, board: str, *, now: datetime | None = None) -> Quota:
        """Return what an account may still submit to a board; failed submissions do not count."""
        self.files.look()
        return self._quota(self._read_log(), account, board, now or datetime.now(UTC))

    def flag(self, accepted: Accepted, kind: str, by: str, *, raised: bool = True, note: str = "") -> Flag:
        """Say something of a submission, such as "disputed"; see `flags`."""
        while True:
            self.files.look()
            number = len(self._flag_paths(accepted)) + 1
            at = datetime.now(UTC)
            flag = Flag(number=number, kind=kind, raised=raised, note=note, by=by, at=at)
            if self.files.create(f"{folder_of(accepted.entry)}/flags/{number:04}.json", record_bytes(flag)):
                return flag

    def flags(self, accepted: Accepted) -> dict[str, Flag]:
        """Return what operators say of a submission now: kind -> its last flag, if that is raised."""
        self.files.look()
        paths = self._flag_paths(accepted)
        found = [
            read_record(Flag, data, p) for p, data in zip(paths, self.files.read_all(paths), strict=True)
        ]
        return {kind: flag for kind, flag in {flag.kind: flag for flag in found}.items() if flag.raised}

    def _flag_paths(self, accepted: Accepted) -> list[str]:
        return self.files.names(f"{folder_of(accepted.entry)}/flags")

    def _read_log(self) -> list[Accepted]:
        """Read what the log has more than the last time, and return all of it."""
        with self._lock:
            known = len(self._log)
            listed = [path for path in self.files.names(LOG) if path > _log_path(known)]
            for path, data in zip(listed, self.files.read_all(listed), strict=True):
                self._append(path, data)
            return list(self._log)

    def _append(self, path: str, data: bytes) -> None:
        while path > _log_path(len(self._log) + 1):  # a listing may miss what comes while it is made
            missed = _log_path(len(self._log) + 1)
            self._append(missed, *self.files.read_all([missed]))
        record = read_record(Accepted, data, f"{self}/{path}")
        if path != _log_path(record.number) or record.number != len(self._log) + 1:
            raise StoreError(f"{self}/{path} says that it is number {record.number}: expected its own")
        self._log.append(record)

    def _check_quota(self, log: Sequence[Accepted], metadata: Metadata, account: str, now: datetime) -> None:
        quota = self._quota(log, account, metadata.board, now)
        if quota.again is None:
            return
        again = f"the next one is possible from {quota.again:%Y-%m-%d} UTC on"
        if not quota.this_quarter:
            most = self.settings.per_quarter
            raise refused(
                "quota-quarter", f"{account} has submitted {most} this quarter to {metadata.board}: {again}"
            )
        raise refused(
            "quota-day", f"{account} has submitted {self.settings.per_day} today to {metadata.board}: {again}"
        )

    def _quota(self, log: Sequence[Accepted], account: str, board: str, now: datetime) -> Quota:
        if account in self.settings.operators:
            return Quota(None, None, None)
        now = now.astimezone(UTC)
        own = [one for one in log if (one.account, one.board) == (account, board)]
        recent = [one for one in own if quarter(one.accepted_at) == quarter(now)]
        spent = [one.accepted_at.date() for one in recent if not self._has_failed(one)]
        today = max(0, self.settings.per_day - spent.count(now.date()))
        left = max(0, self.settings.per_quarter - len(spent))
        again = _next_quarter(now) if not left else _next_day(now) if not today else None
        return Quota(min(today, left), left, again)

    def _has_failed(self, accepted: Accepted) -> bool:
        names = {path.rpartition("/")[2] for path in self.files.names(f"{folder_of(accepted.entry)}/scores")}
        return "failed.json" in names and "result.json" not in names

    def _forget(self, entry: str) -> None:
        """Remove a submission that was not accepted; an interruption may also come after the log has it."""
        self.files.look()
        if all(one.entry != entry for one in self._read_log()):
            self.files.discard(folder_of(entry))


def folder_of(entry: str) -> str:
    """Return where the files of a submission lie."""
    return f"{SUBMISSIONS}/{entry}"


def _board_path(name: str, version: str) -> str:
    return f"{BOARDS}/{name}/{version}/{BOARD}"


def _log_path(number: int) -> str:
    return f"{LOG}/{number:08}.json"


def _record(
    number: int, entry: str, parcel: Parcel, checked: Checked, account: str, now: datetime
) -> Accepted:
    told = checked.metadata
    return Accepted(
        number=number,
        entry=entry,
        account=account,
        accepted_at=now,
        board=told.board,
        board_version=told.board_version,
        track=told.track,
        digest=checked.digest,
        files={name: FileFacts(size=f.size, sha256=f.sha256) for name, f in parcel.files.items()},
    )


def _next_day(now: datetime) -> datetime:
    return datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)


def _next_quarter(now: datetime) -> datetime:
    year, number = quarter(now)
    return datetime(year + number // 4, number % 4 * 3 + 1, 1, tzinfo=UTC)


def _check_replay(log: Sequence[Accepted], checked: Checked) -> None:
    told = checked.metadata
    for one in log:
        same = (one.board, one.board_version) == (told.board, told.board_version)
        if same and checked.digest is not None and one.digest == checked.digest:
            when = one.accepted_at.isoformat(timespec="seconds")
            raise refused("replayed", f"these predictions are entry {one.entry} of {when}: expected others")
