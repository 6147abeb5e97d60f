"""Which scorer scores a board, with which labels: a change of either is another key, and scores all again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from craqbench.errors import UsageError
from craqbench.results import BENCHMARK
from craqbench.storage import write_file
from leaderboard.board import BoardError
from leaderboard.board_labels import LABELS, HiddenLabels, load_labels, open_side
from leaderboard.ranking import load_scorers
from leaderboard.ranking_records import Scorer, board_folder
from leaderboard.store import Store
from leaderboard.store_records import record_bytes

__all__ = ["SCORER", "begin_scorer", "checked_labels", "revision_of", "seal"]

SCORER = f"{BENCHMARK}.1"
"""Goes up whenever a figure, or what is sanity, would be another one: all entries are scored again then."""


def begin_scorer(store: Store, private: Path, *, again: bool = False) -> Scorer:
    """Return the scorer of a board: the one there is if scoring and labels are as they were, else a new one.

    Parameters
    ----------
    store
        Where the board is.
    private
        The folder of its labels.
    again
        Begin a new one in any case: everything is scored again.

    Raises
    ------
    BoardError
        If the labels are not those of their revision, or of another board.
    UsageError
        If scoring or labels are older than what has scored the board last.
    """
    labels = checked_labels(private)
    board = store.board(labels.board, labels.version)
    while True:
        known = load_scorers(store, board)
        same = [one for one in known if (one.scorer, one.revision) == (SCORER, labels.revision)]
        if same and same[-1] is known[-1] and not again:
            return same[-1]
        if same and not again:
            raise UsageError(
                f"{board.label} is scored by {known[-1].key}, and this is {same[-1].key}: expected its "
                "scorer and labels, or 'craqbench leaderboard rescore' to go back to these"
            )
        key = f"{SCORER}-{labels.revision[:12]}" + (f"-{len(same) + 1}" if same else "")
        number = len(known) + 1
        scorer = Scorer(number=number, key=key, scorer=SCORER, revision=labels.revision, at=datetime.now(UTC))
        path = f"{board_folder(board)}/scorers/{number:04}.json"
        if store.files.create(path, record_bytes(scorer)):
            return scorer


def checked_labels(private: Path) -> HiddenLabels:
    """Return what the labels say of themselves, once they are seen to be those of their revision.

    Raises
    ------
    BoardError
        If they are not.
    """
    labels = load_labels(private)
    if revision_of(private, labels) != labels.revision:
        raise BoardError(
            f"{private}: its labels are not those of revision {labels.revision[:12]}: expected them "
            "unchanged, or 'craqbench leaderboard rescore' to make them a new revision"
        )
    return labels


def revision_of(private: Path, labels: HiddenLabels) -> str:
    """Return the revision of the labels that lie in a folder, see `leaderboard.board_labels`."""
    digests = [open_side(private, side).digest for side in labels.sides]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def seal(private: Path) -> HiddenLabels:
    """Make the labels in a private folder, which were mended, a revision of their own.

    Masks, undamaged pictures and ``manifest.csv`` may have changed; images, ids and sides may not.

    Raises
    ------
    BoardError, AnnotationError
        If they are broken.
    """
    labels = load_labels(private)
    for side, names in labels.sides.items():
        if tuple(item.id for item in open_side(private, side)) != names:
            raise BoardError(f"{private / side} has other images: expected those of {labels.board}")
    sealed = labels.model_copy(update={"revision": revision_of(private, labels)})
    write_file(private / LABELS, f"{json.dumps(sealed.model_dump(mode='json'), indent=1)}\n".encode())
    return sealed
