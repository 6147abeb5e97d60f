"""Make the table of a board and publish it: done where the hidden labels are, since ties need their counts.

Who stands where is in `leaderboard.ranking_places`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from craqbench.comparison import compare
from craqbench.errors import UsageError
from craqbench.metrics import LEVEL
from craqbench.results import Result, Score
from leaderboard.board import Board, BoardError
from leaderboard.board_labels import FINAL, NOW, load_labels
from leaderboard.ranking import empty_ranking, load_ranking
from leaderboard.ranking_export import spelt
from leaderboard.ranking_places import NOWHERE, Entry, Place, figure_of, is_sanity, no_better, ordered, placed
from leaderboard.ranking_records import (
    Column,
    EntryResult,
    Figure,
    FlagNote,
    Ranking,
    Reveal,
    Row,
    Scorer,
    board_folder,
    columns_of,
)
from leaderboard.scoring_private import Private
from leaderboard.store import Store, folder_of
from leaderboard.store_records import SUBMISSIONS, Accepted, Flag, read_record, record_bytes
from leaderboard.store_scores import RESULT
from leaderboard.submission_metadata import Metadata

__all__ = ["Publisher", "reveal", "rounded"]

_FEW_PAINTINGS = 10
_SHOWN = 20
_RULE = f"paired bootstrap over these paintings, p >= {1 - LEVEL:.2g}"
_LISTED = "self-reported"


def rounded(result: Result, columns: Sequence[Column]) -> dict[str, Figure]:
    """Return the figures of a result that the columns of a board show, no digit more."""
    found = {column: result.scores.get(column.name, Score(value=None)) for column in columns}
    return {c.name: figure_of(score, c.digits) for c, score in found.items() if score.value is not None}


def reveal(store: Store, board: Board, private: Private, by: str) -> Reveal:
    """Show the final figures of all entries that there are now; `publish` then puts them into the table.

    Raises
    ------
    UsageError
        If all images of the board count at once.
    """
    if FINAL not in load_labels(private.folder).sides:
        raise UsageError(f"{board.label} has no final half: all of its images count at once")
    folder = f"{board_folder(board)}/reveals"
    while True:
        log, number = store.accepted(), len(store.files.names(folder)) + 1
        record = Reveal(number=number, up_to=len(log), by=by, at=datetime.now(UTC))
        if store.files.create(f"{folder}/{number:04}.json", record_bytes(record)):
            return record


class Publisher:
    """Publishes the table of a board, and remembers what never changes.

    Parameters
    ----------
    store, board
        Which.
    scorer
        Whose scores.
    private
        Where their counts lie.
    """

    def __init__(self, store: Store, board: Board, scorer: Scorer, private: Private) -> None:
        self._store, self._board, self._scorer, self._private = store, board, scorer, private
        self._told: dict[str, tuple[Metadata, EntryResult | None]] = {}
        self._ceiling: list[str] | None = None

    def publish(self) -> Ranking | None:
        """Publish the table if it is not the one that is published; None if it is.

        Raises
        ------
        BoardError
            If counts of an entry that is scored are not in the private folder.
        StorageError, HubError
            If it cannot be written.
        """
        while True:
            known = load_ranking(self._store, self._board, key=self._scorer.key)
            log = _log(self._store, self._board)
            flags, chosen = _flags(self._store), self._chosen(log)
            up_to = _revealed(self._store, self._board)
            basis = _basis(chosen, flags, up_to)
            if basis == known.basis or not chosen:
                return None
            entries = [self._entry(log, one, flags.get(one.entry, ())) for one in chosen]
            made = _ranking(self._board, entries, up_to)
            made = made.model_copy(
                update={
                    "notes": (*made.notes, *self._note_on_ceiling(entries)),
                    "key": self._scorer.key,
                    "number": known.number + 1,
                    "made_at": datetime.now(UTC),
                    "basis": basis,
                }
            )
            path = f"{board_folder(self._board)}/rankings/{made.key}/{made.number:08}.json"
            if self._store.files.create(path, _bytes(made)):
                return made

    def _chosen(self, log: Sequence[Accepted]) -> list[Accepted]:
        """Return what is scored, or listed as it is."""
        names = set(self._store.files.names(SUBMISSIONS))
        return [one for one in log if one.track == _LISTED or self._result(one) in names]

    def _result(self, accepted: Accepted) -> str:
        return f"{folder_of(accepted.entry)}/scores/{self._scorer.key}/{RESULT}"

    def _entry(self, log: Sequence[Accepted], accepted: Accepted, flags: tuple[Flag, ...]) -> Entry:
        key, entry = self._scorer.key, accepted.entry
        if entry not in self._told:
            self._told[entry] = (self._store.metadata(accepted), self._read(accepted))
        own = [one for one in log if one.account == accepted.account and one.track != _LISTED]
        now = self._private.counted(key, entry, NOW)
        if now is None and accepted.track != _LISTED:
            raise BoardError(
                f"{self._private.folder} has no counts of entry {entry}: 'craqbench leaderboard work' makes "
                "them again"
            )
        return Entry(
            accepted,
            *self._told[entry],
            flags=flags,
            attempts=sum(one.number <= accepted.number for one in own),
            now=now,
            final=self._private.counted(key, entry, FINAL),
        )

    def _note_on_ceiling(self, entries: Sequence[Entry]) -> list[str]:
        """Tell what a second annotator scores, where there is one: any entry's counts have it."""
        scored = next((one.accepted.entry for one in entries if one.now is not None), None)
        if self._ceiling is None and scored is not None:
            result = self._private.load(self._scorer.key, scored, NOW)
            self._ceiling = [] if result is None else _ceiling(result, columns_of(self._board)[0])
        return self._ceiling or []

    def _read(self, accepted: Accepted) -> EntryResult | None:
        if accepted.track == _LISTED:
            return None
        path = self._result(accepted)
        return read_record(EntryResult, self._store.files.read_all([path])[0], f"{self._store}/{path}")


def _bytes(ranking: Ranking) -> bytes:
    """Return a table as JSON, a line for each row."""
    content = ranking.model_dump(mode="json")
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in content.pop("rows"))
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return f'{text[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n'.encode()


def _log(store: Store, board: Board) -> list[Accepted]:
    wanted = (board.name, board.version)
    return [one for one in store.accepted() if (one.board, one.board_version) == wanted]


def _flags(store: Store) -> dict[str, tuple[Flag, ...]]:
    """Return what operators say of entries now, by entry."""
    paths = [path for path in store.files.names(SUBMISSIONS) if path.split("/")[2] == "flags"]
    found: dict[str, dict[str, Flag]] = {}
    for path, data in zip(paths, store.files.read_all(paths), strict=True):
        flag = read_record(Flag, data, f"{store}/{path}")
        found.setdefault(path.split("/")[1], {})[flag.kind] = flag
    return {entry: tuple(flag for flag in last.values() if flag.raised) for entry, last in found.items()}


def _revealed(store: Store, board: Board) -> int:
    paths = store.files.names(f"{board_folder(board)}/reveals")
    return max(
        (read_record(Reveal, data, f"{store}/reveals").up_to for data in store.files.read_all(paths)),
        default=0,
    )


def _basis(chosen: Sequence[Accepted], flags: Mapping[str, Sequence[Flag]], up_to: int) -> str:
    """Digest what a table follows from: results are made once, so that the names of entries are enough."""
    told = [[flag.model_dump(mode="json") for flag in flags.get(one.entry, ())] for one in chosen]
    content = [[one.entry for one in chosen], told, up_to]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _ranking(board: Board, entries: Sequence[Entry], up_to: int) -> Ranking:
    columns = columns_of(board)
    ranking = columns[0]
    places = placed(entries, ranking)
    rows = [_row(one, columns, places.get(one.accepted.entry, NOWHERE), up_to) for one in entries]
    order = {entry: place for place, entry in enumerate(ordered(entries, ranking.name))}
    rows.sort(key=lambda row: (order.get(row.entry, len(order)), row.number))
    results = [one.result for one in entries if one.result is not None]
    return empty_ranking(board).model_copy(
        update={
            "rows": tuple(rows),
            "images": results[0].images if results else 0,
            "paintings": results[0].paintings if results else 0,
            "notes": tuple(_notes(board, entries, ranking, up_to)),
            "revealed": up_to,
        }
    )


def _row(entry: Entry, columns: Sequence[Column], place: Place, up_to: int) -> Row:
    accepted, told = entry.accepted, entry.told
    metrics = _reported(told, columns) if entry.result is None else entry.result.figures
    final = _final(entry, columns[0]) if accepted.number <= up_to else None
    return Row(
        entry=accepted.entry,
        number=accepted.number,
        state="listed" if entry.result is None else "scored",
        kind="sanity" if is_sanity(entry) else "method",
        account=accepted.account,
        submitted_at=accepted.accepted_at,
        **place._asdict(),
        **_as_told(told),
        metrics=metrics,
        final=final,
        gap=_gap(metrics, final, columns[0]),
        flags=tuple(FlagNote(kind=f.kind, note=f.note, by=f.by, at=f.at) for f in entry.flags),
        attempts=entry.attempts,
        predictions_digest=accepted.digest,
    )


def _as_told(told: Metadata) -> dict[str, Any]:
    """Return the fields of a row that a submission says itself."""
    names = (
        *("track", "task", "classes", "method", "version", "authors", "code", "code_commit"),
        *("training_data", "used_real_annotations", "used_test_images", "seeds", "hardware"),
        *("seconds_per_megapixel", "licence"),
    )
    weights = told.weights
    return {
        **{name: getattr(told, name) for name in names},
        "weights_repository": weights and weights.repository,
        "weights_revision": weights and weights.revision,
    }


def _reported(told: Metadata, columns: Sequence[Column]) -> dict[str, Figure]:
    """Return the figures of a self-reported entry that there are columns for."""
    found = told.reported or {}
    return {c.name: Figure(value=round(found[c.name], c.digits)) for c in columns if c.name in found}


def _final(entry: Entry, column: Column) -> Figure | None:
    score = None if entry.final is None else entry.final.scores.get(column.name)
    return None if score is None else figure_of(score, column.digits)


def _gap(metrics: Mapping[str, Figure], final: Figure | None, column: Column) -> float | None:
    """Return how much worse it is in the end, of the rounded figures: the table adds up."""
    now = metrics.get(column.name, Figure(value=None)).value
    if now is None or final is None or final.value is None:
        return None
    worse = final.value - now if column.lower_is_better else now - final.value
    return round(worse, column.digits) + 0.0


def _notes(board: Board, entries: Sequence[Entry], column: Column, up_to: int) -> list[str]:
    results = [one.result for one in entries if one.result is not None]
    if not results:
        return ["All figures are self-reported: nothing here was scored."]
    images, paintings = results[0].images, results[0].paintings
    count = f"{images} of {len(board.images)} images count at once, of {paintings} paintings"
    notes = [
        f"{board.label}: {count}. In brackets: 95 % intervals by painting.",
        f"Entries that share a rank cannot be told apart from the best of their group: {_RULE}.",
    ]
    if paintings == 1:
        notes.append("With one painting there are no intervals, and ranks say nothing.")
    elif paintings < _FEW_PAINTINGS:
        notes.append(f"With {paintings} paintings intervals are too narrow, and ranks say little.")
    notes += _notes_on_sanity(entries, column)
    if up_to:
        notes.append(f"Final figures are shown of entries up to number {up_to}.")
    elif images < len(board.images):
        notes.append("The other images count in the end, when the operator shows the final figures.")
    return notes


def _notes_on_sanity(entries: Sequence[Entry], column: Column) -> list[str]:
    found = no_better(entries, column)
    if found is None:
        return ["No sanity rows: predictions of nothing and of everything show what a figure is worth."]
    more = f", and {len(found) - _SHOWN} more" if found[_SHOWN:] else ""
    told = f"Not significantly better than the best sanity row: {', '.join(found[:_SHOWN])}{more}."
    return [told] if found else []


def _ceiling(result: Result, column: Column) -> list[str]:
    rows = [row for row in compare([result]).rows if row.kind == "ceiling"]
    figures = [spelt(figure_of(row.scores[column.name], column.digits), column.digits) for row in rows]
    who = "A second annotator, scored as a method on the images that have one"
    return [f"{who}: {column.heading} {figure}." for figure in figures]
