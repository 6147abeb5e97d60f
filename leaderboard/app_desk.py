"""Where submissions are handed in, from the page and by programs: checked by the server, then kept.

Checking takes 400 MB and a processor, so few are checked at once, a few more wait, and everybody else is told
to come back: nothing is queued that would not be served soon. One account has one submission in hand.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from craqbench.errors import CraqbenchError
from leaderboard.board import Board
from leaderboard.store import Store
from leaderboard.store_records import Accepted
from leaderboard.submission import Checked, check_parcel, received
from leaderboard.submission_metadata import Metadata, read_metadata
from leaderboard.submission_rules import quoted, refused
from leaderboard.submission_text import JSON_BYTES

__all__ = ["OVERHEAD_BYTES", "Boards", "Busy", "Desk"]

OVERHEAD_BYTES = 20_000
"""What a multipart form may have besides its files."""

_AGAIN, _PATIENCE = 15, 240.0
"""Seconds after which somebody may try again; seconds for which a submission waits for its turn."""

Boards = Callable[[], Mapping[tuple[str, str], Board]]
"""Returns the boards of the store, by name and version."""


class Busy(CraqbenchError):  # noqa: N818  reads like what it says
    """Too much to do at the moment.

    Attributes
    ----------
    seconds
        After which it is worth another attempt.
    own
        Whether it is the asker's own submission that is still in hand.
    """

    def __init__(self, message: str, *, own: bool = False) -> None:
        super().__init__(message)
        self.seconds, self.own = _AGAIN, own


class Desk:
    """Checks and accepts submissions.

    Parameters
    ----------
    store
        Where they are kept.
    boards
        What they may be for.
    at_once
        How many are checked at the same time.
    waiting
        How many more may be on their way or wait for that.
    """

    def __init__(self, store: Store, boards: Boards, *, at_once: int = 2, waiting: int = 14) -> None:
        self.store, self.boards = store, boards
        self._most = at_once + waiting
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._inside: list[str] = []

    @property
    def most_bytes(self) -> int:
        """Most bytes of a whole submission to any of the boards, with the form around it."""
        limits = [board.limits for board in self.boards().values()]
        largest = max((one.metadata_bytes + one.predictions_bytes for one in limits), default=JSON_BYTES)
        return largest + OVERHEAD_BYTES

    @contextlib.contextmanager
    def entered(self, account: str) -> Iterator[None]:
        """Keep a place for an account, from before its submission is received until it is answered.

        Raises
        ------
        Busy
            If there is none, or the account has one already.
        """
        with self._lock:
            if account in self._inside and account not in self.store.settings.operators:
                raise Busy(
                    f"another submission of {account} is being checked: expected one at a time", own=True
                )
            if len(self._inside) >= self._most:
                raise Busy(f"{self._most} submissions are being checked: expected to be asked again later")
            self._inside.append(account)
        try:
            yield
        finally:
            with self._lock:
                self._inside.remove(account)

    def read(self, metadata: bytes) -> tuple[Metadata, Board]:
        """Return what a submission says of itself, and its board, without looking at its predictions.

        Raises
        ------
        Refused
            By a rule of files, JSON, fields or texts, or ``board``.
        """
        told = read_metadata(metadata)
        boards = self.boards()
        if (told.board, told.board_version) not in boards:
            names = ", ".join(" ".join(one) for one in boards) or "none"
            wanted = f"{quoted(told.board)} {quoted(told.board_version)}"
            raise refused("board", f"there is no board {wanted}: expected one of {names}")
        return told, boards[told.board, told.board_version]

    def check(self, metadata: BinaryIO, predictions: BinaryIO | None, account: str) -> Checked:
        """Check a submission by all rules but the quota, and keep nothing. Blocks; see `submit`."""
        with self.entered(account):
            _, board = self.read(data := metadata.read(JSON_BYTES + 1))
            with self._turn(), received(io.BytesIO(data), predictions, board) as parcel:
                return check_parcel(parcel, board)

    def submit(self, metadata: BinaryIO, predictions: BinaryIO | None, account: str) -> Accepted:
        """Check a submission and keep it. Blocks while it waits for its turn and is checked.

        Parameters
        ----------
        metadata, predictions
            The two files; read no further than allowed.
        account
            Whose; it has `entered`.

        Raises
        ------
        Refused
            By any rule. What is refused before it is accepted costs nothing of the quota.
        Busy
            If its turn does not come.
        StorageError, HubError
            If it cannot be kept.
        """
        told, board = self.read(data := metadata.read(JSON_BYTES + 1))
        self._check_quota(account, told.board)
        with self._turn(), received(io.BytesIO(data), predictions, board) as parcel:
            checked = check_parcel(parcel, board)
            return self.store.accept(parcel, checked, account)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=_PATIENCE):
            raise Busy("others are still being checked: expected to be asked again later")
        try:
            yield
        finally:
            self._turns.release()

    def _check_quota(self, account: str, board: str) -> None:
        """Refuse early what the store would refuse after all the work of checking."""
        quota = self.store.quota(account, board)
        if quota.again is None:
            return
        rule = "quota-day" if quota.this_quarter else "quota-quarter"
        raise refused(
            rule,
            f"{account} has none left on {board}: the next is possible from {quota.again:%Y-%m-%d} UTC on",
        )
