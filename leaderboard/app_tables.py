"""What the page shows: one small picture of the store, made anew in the background while the last is shown.

Nothing of it is kept on a disk. A start reads the store once; afterwards no reader ever waits for it, and a
store that cannot be reached for a while is a page that says how old it is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from craqbench.errors import CraqbenchError
from leaderboard.board import Board
from leaderboard.ranking import QueueEntry, Ranking, Row, load_queue, load_ranking
from leaderboard.store import Store
from leaderboard.store_records import StoreError

__all__ = ["BoardView", "Snapshot", "Tables", "take_snapshot"]

_SHARE = 20
"""A store that takes a second to be read is read every twenty seconds at most."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoardView:
    """A board as it stands: its table, and every accepted entry."""

    board: Board
    ranking: Ranking
    queue: tuple[QueueEntry, ...]

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/board/{self.board.name}/{self.board.version}"

    @cached_property
    def rows(self) -> Mapping[str, Row]:
        """Entry -> row."""
        return {row.entry: row for row in self.ranking.rows}

    @cached_property
    def entries(self) -> Mapping[str, QueueEntry]:
        """Entry -> where it stands."""
        return {one.entry: one for one in self.queue}


@dataclass(frozen=True)
class Snapshot:
    """All boards at a time.

    Attributes
    ----------
    boards
        By name and version, sorted; the last version of the first name first.
    at
        UTC.
    number
        Of the snapshot: another one, other pages.
    """

    boards: Mapping[tuple[str, str], BoardView]
    at: datetime
    number: int = 0
    stale: bool = field(default=False, compare=False)

    def find(self, entry: str) -> BoardView | None:
        """Return the board of an entry; None if there is no such entry."""
        return next((view for view in self.boards.values() if entry in view.entries), None)

    @property
    def first(self) -> BoardView | None:
        """Return the board that is shown to whoever asks for none; None if there is none."""
        return next(iter(self.boards.values()), None)


def take_snapshot(store: Store) -> Snapshot:
    """Read a store."""
    at = datetime.now(UTC)
    names = sorted(store.boards(), key=lambda one: (one[0], *_version(one[1])))
    newest: dict[str, list[tuple[str, str]]] = {}
    for one in names:
        newest.setdefault(one[0], []).insert(0, one)
    boards = {}
    for one in (one for versions in newest.values() for one in versions):
        board = store.board(*one)
        boards[one] = BoardView(board, load_ranking(store, board), load_queue(store, board))
    return Snapshot(boards, at)


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """Order versions as people do: 2 before 10."""
    return tuple(
        (int(part), "") if part.isdecimal() else (0, part) for part in text.replace("-", ".").split(".")
    )


class Tables:
    """The last snapshot of a store.

    Parameters
    ----------
    take
        Reads the store.
    seconds
        A snapshot is shown so long, and while the next is being made.
    """

    def __init__(self, take: Callable[[], Snapshot], *, seconds: float = 5.0) -> None:
        self._take, self._seconds = take, seconds
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._due = 0.0
        self._making = False

    def get(self) -> Snapshot:
        """Return the last snapshot, and see that the next one is made when it is time.

        Raises
        ------
        StoreError, StorageError, HubError
            If there is none yet, and the store cannot be read.
        """
        with self._lock:
            last = self._last
            if last is None:
                self._make()  # others wait: they have nothing to show either
                last = self._last
            elif time.monotonic() >= self._due and not self._making:
                self._making = True
                threading.Thread(target=self._make_again, name="snapshot", daemon=True).start()
        if last is None:
            raise RuntimeError("a snapshot was made, and is not there")
        return last

    @property
    def last(self) -> Snapshot | None:
        """Return the last snapshot, as `get` does; None if there is none yet, and it would have to wait."""
        return None if self._last is None else self.get()

    def boards(self) -> dict[tuple[str, str], Board]:
        """Return the boards by name and version."""
        return {name: view.board for name, view in self.get().boards.items()}

    def _make_again(self) -> None:
        try:
            self._make()
        except CraqbenchError as error:
            _LOG.warning("the store cannot be read, the last table stays: %s", error)
            self._mark_stale()
        except Exception:  # noqa: BLE001  whatever it is, readers have the last table
            _LOG.exception("the store cannot be read, the last table stays")
            self._mark_stale()
        finally:
            self._making = False

    def _mark_stale(self) -> None:
        if self._last is not None:
            last = self._last
            self._last = Snapshot(last.boards, last.at, last.number + 1, stale=True)
        self._due = time.monotonic() + max(self._seconds, 10.0)

    def _make(self) -> None:
        start = time.monotonic()
        made, last = self._take(), self._last
        if last is not None and not last.boards.keys() <= made.boards.keys():
            raise StoreError("boards that were there are gone: expected that nothing ever is")
        end = time.monotonic()
        same = last is not None and not last.stale and made.boards == last.boards
        number = (0 if last is None else last.number) + (not same)
        boards = last.boards if same and last is not None else made.boards
        self._last = Snapshot(boards, made.at, number)
        self._due = end + max(self._seconds, _SHARE * (end - start))
