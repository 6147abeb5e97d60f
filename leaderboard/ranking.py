"""Read what a leaderboard publishes: the table of a board, its queue, exports. No hidden label is needed.

>>> from leaderboard.store import open_store
>>> store = open_store("nga-board/store")  # doctest: +SKIP
>>> ranking = load_ranking(store, store.board("nga-val", "1"))  # doctest: +SKIP
>>> print(export(ranking, "markdown"))  # doctest: +SKIP

Rankings are made where the labels are, see `leaderboard.ranking_making`; the rule of ranks is in
`leaderboard.ranking_places`.
"""

from __future__ import annotations

from leaderboard.board import Board
from leaderboard.ranking_export import FORMATS, export
from leaderboard.ranking_records import (
    Column,
    EntryState,
    Figure,
    FlagNote,
    QueueEntry,
    Ranking,
    Row,
    Scorer,
    board_folder,
    columns_of,
    entry_path,
)
from leaderboard.store import Store
from leaderboard.store_records import Accepted, StoreError, read_record
from leaderboard.store_scores import Progress, Scores

__all__ = [
    "FORMATS",
    "Column",
    "EntryState",
    "Figure",
    "FlagNote",
    "QueueEntry",
    "Ranking",
    "Row",
    "Scorer",
    "columns_of",
    "entry_path",
    "export",
    "load_queue",
    "load_ranking",
    "load_scorers",
]

UNREADABLE = "(unreadable)"
"""Stands for the method of an entry whose description no longer keeps the rules."""


def load_ranking(store: Store, board: Board, *, key: str | None = None) -> Ranking:
    """Return the newest table of a board: one listing and one file are read.

    Parameters
    ----------
    store
        Where it is published.
    board
        Which one.
    key
        Of an earlier scorer, see `load_scorers`; by default the last one that has published a table.

    Returns
    -------
    A table without rows, and without a time, if nothing has been scored yet.

    Raises
    ------
    StoreError, StorageError, HubError
        If the store is broken, or cannot be reached.
    """
    store.files.look()
    folder = f"{board_folder(board)}/rankings"
    paths = store.files.names(folder if key is None else f"{folder}/{key}")
    last: dict[str, str] = {path.split("/")[-2]: path for path in paths}
    keys = [one.key for one in reversed(load_scorers(store, board))] if len(last) > 1 else list(last)
    path = next((last[one] for one in keys if one in last), None)
    if path is None:
        return empty_ranking(board)
    (data,) = store.files.read_all([path])
    return read_record(Ranking, data, f"{store}/{path}")


def empty_ranking(board: Board) -> Ranking:
    """Return the table of a board before anything is scored."""
    columns = columns_of(board)
    return Ranking(
        board=board.name,
        board_version=board.version,
        task=board.task,
        classes=board.classes,
        key="",
        number=0,
        made_at=None,
        ranking=columns[0].name,
        columns=columns,
        rows=(),
        images=0,
        paintings=0,
        notes=(),
        revealed=0,
        basis="",
    )


def load_scorers(store: Store, board: Board) -> tuple[Scorer, ...]:
    """Return what has scored a board, the last one last; the tables of all of them stay.

    Raises
    ------
    StoreError, StorageError, HubError
        If the store is broken, or cannot be reached.
    """
    store.files.look()
    paths = store.files.names(f"{board_folder(board)}/scorers")
    found = zip(paths, store.files.read_all(paths), strict=True)
    return tuple(read_record(Scorer, data, f"{store}/{path}") for path, data in found)


def load_queue(store: Store, board: Board) -> tuple[QueueEntry, ...]:
    """Return every accepted entry of a board with its state, in the order of acceptance.

    Raises
    ------
    StoreError, StorageError, HubError
        If the store is broken, or cannot be reached.
    """
    scorers = load_scorers(store, board)
    wanted = (board.name, board.version)
    accepted = [one for one in store.accepted() if (one.board, one.board_version) == wanted]
    progress = Scores(store, scorers[-1].key).all_progress(accepted) if scorers else {}
    return tuple(_queued(store, one, progress.get(one.entry, Progress("waiting", 0, 0))) for one in accepted)


def _queued(store: Store, accepted: Accepted, progress: Progress) -> QueueEntry:
    try:
        told = store.metadata(accepted)
        method, version = told.method, told.version
    except StoreError:  # one that cannot be read must not hide the others
        method, version = UNREADABLE, ""
    return QueueEntry(
        number=accepted.number,
        entry=accepted.entry,
        account=accepted.account,
        submitted_at=accepted.accepted_at,
        track=accepted.track,
        method=method,
        version=version,
        state="listed" if accepted.track == "self-reported" else progress.state,
        attempts=progress.claims,
        reason=progress.reason,
    )
