"""Score what was accepted: the one place where submissions and hidden labels meet.

>>> from pathlib import Path
>>> from leaderboard.store import open_store
>>> work(open_store("nga-board/store"), Path("nga-board/private"))  # doctest: +SKIP
Worked(scored=3, failed=0, published=1)

A worker takes unscored entries in the order of acceptance. Each is unpacked in one process and counted in
another, see `leaderboard.scoring_process`; counts of images and paintings stay in the private folder, and
what goes into the store are rounded figures of the whole half that counts at once. After an error an entry is
tried once more, and then has failed, with a reason for everybody that holds nothing hidden. Whenever a worker
is killed, what it was at is taken up again: at once by a worker with the same private folder, after its claim
has run out by any.

The key of scores is that of the scorer and the revision of the labels: with another one everything is scored
again, and what there is stays.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from craqbench.errors import CraqbenchError, StorageError
from craqbench.results import Result
from craqbench.storage import on_disk
from leaderboard.board import Board, BoardError, board_bytes
from leaderboard.board_labels import NOW, load_labels
from leaderboard.process_limits import Resources
from leaderboard.ranking_making import Publisher, rounded
from leaderboard.ranking_records import EntryResult, Scorer, columns_of
from leaderboard.scoring_private import Private, Seat
from leaderboard.scoring_process import COUNT, UNPACK, Answer, Ended, run_apart
from leaderboard.scoring_revision import begin_scorer
from leaderboard.store import Store, folder_of
from leaderboard.store_records import Accepted, read_record, record_bytes
from leaderboard.store_scores import Scores
from leaderboard.submission import METADATA

__all__ = ["LEASE", "STAGE", "ScoringError", "Worked", "Worker", "republish", "resources_for", "work"]

STAGE = "scoring"
"""Stage of `craqbench.engines.Progress`: units are entries."""

LEASE = timedelta(hours=1)
"""After which an entry is taken over whose worker, elsewhere, has not come back."""

_PUBLISH_EVERY = timedelta(minutes=1)
_SHARE = 10
"""Between two tables so many times the time that one takes: that of thousands of entries takes a minute."""

_STOPPED = "the worker was stopped"

Progress = Callable[[str, int, int], None]


class ScoringError(CraqbenchError):
    """A submission that could not be scored, and why, in words that anybody may read."""


class Worked(NamedTuple):
    """What a worker has done: entries, and rankings."""

    scored: int
    failed: int
    published: int


def resources_for(board: Board) -> Resources:
    """Return what each process of a scoring may take: time grows with all px, memory with the largest image.

    A restoration is compared in floating point, in R, G and B, through many windows.
    """
    largest = max(image.width * image.height for image in board.images)
    megapixels = sum(image.width * image.height for image in board.images) / 1e6
    each = 150 if board.task == "detection" else 700
    seconds = 60 + round((12 if board.task == "detection" else 40) * megapixels)
    return Resources(
        memory=1_000_000_000 + each * largest,
        seconds=seconds,
        patience=60.0 + 6 * seconds,
        file_bytes=max(64_000_000, 3 * largest, 20_000 * len(board.images)),
    )


def work(
    store: Store,
    private: Path,
    *,
    lease: timedelta = LEASE,
    resources: Resources | None = None,
    progress: Progress | None = None,
) -> Worked:
    """Score all entries that wait, and publish the ranking.

    Parameters
    ----------
    store
        Of what is submitted.
    private
        The folder of the labels of one board: its entries are scored.
    lease
        See `leaderboard.store_scores.Scores.claim`.
    resources
        In place of `resources_for`.
    progress
        Stage `STAGE`.

    Raises
    ------
    BoardError, AnnotationError
        If the labels are broken. Nobody's submission is blamed for it.
    UsageError
        See `begin_scorer`.
    StorageError, HubError
        If a disk is full, or the store cannot be reached. What is done is kept.
    """
    scorer = begin_scorer(store, private)
    with Private(private).seat() as seat:
        return Worker(store, private, scorer, seat, lease=lease, resources=resources).work(progress)


def republish(store: Store, private: Path) -> bool:
    """Publish the ranking once more if anything but scores has changed, such as flags; whether it had.

    Raises
    ------
    BoardError, AnnotationError, UsageError, StorageError, HubError
        As `work`.
    """
    scorer = begin_scorer(store, private)
    board = store.board(*_named(private))
    return Publisher(store, board, scorer, Private(private)).publish() is not None


def _named(private: Path) -> tuple[str, str]:
    labels = load_labels(private)
    return labels.board, labels.version


class Worker:
    """Scores entries of a board, see `work`.

    Parameters
    ----------
    store, private, scorer, seat, lease, resources
        As `work` has them.
    """

    def __init__(
        self,
        store: Store,
        private: Path,
        scorer: Scorer,
        seat: Seat,
        *,
        lease: timedelta = LEASE,
        resources: Resources | None = None,
    ) -> None:
        self._store, self._private, self._scorer, self._seat = store, Private(private), scorer, seat
        self._board = store.board(*_named(private))
        self._scores = Scores(store, scorer.key)
        self._lease, self._resources = lease, resources or resources_for(self._board)
        self._publisher = Publisher(store, self._board, scorer, self._private)
        self._next = datetime.now(UTC) + _PUBLISH_EVERY

    def work(self, progress: Progress | None = None) -> Worked:
        """Score what waits until nothing does."""
        self._bury()
        scored = failed = published = 0
        while waiting := self._waiting():
            total = scored + failed + len(waiting)
            for one in waiting:
                if progress:
                    progress(STAGE, scored + failed, total)
                state = self._take(one)
                scored += state == "scored"
                failed += state == "failed"
                if datetime.now(UTC) > self._next:
                    published += self._publish()
        if progress:
            progress(STAGE, scored + failed, scored + failed)
        return Worked(scored, failed, published + self._publish())

    def _publish(self) -> int:
        for one in self._lost():
            self._count_again(one)
        start = datetime.now(UTC)
        made = self._publisher.publish()
        now = datetime.now(UTC)
        self._next = now + max(_PUBLISH_EVERY, _SHARE * (now - start))
        return made is not None

    def _entries(self) -> list[Accepted]:
        wanted = (self._board.name, self._board.version)
        return [
            one
            for one in self._store.accepted()
            if (one.board, one.board_version) == wanted and one.track != "self-reported"
        ]

    def _waiting(self) -> list[Accepted]:
        entries = self._entries()
        states = self._scores.all_progress(entries)
        return [one for one in entries if states[one.entry].state == "waiting"]

    def _lost(self) -> list[Accepted]:
        """Return what is scored, and whose counts are not in the private folder any more."""
        entries = self._entries()
        states = self._scores.all_progress(entries)
        done = [one for one in entries if states[one.entry].state == "scored"]
        return [one for one in done if self._private.counted(self._scorer.key, one.entry, NOW) is None]

    def _bury(self) -> None:
        """Give up what workers that were killed have claimed, and remove what they left."""
        dead = self._private.dead()
        for one in self._entries() if dead else ():
            claim = self._scores.running(one)
            if claim is not None and claim.worker in dead:
                self._scores.release(claim, _STOPPED, error=False)
        for worker in dead:
            self._private.clear(worker)

    def _take(self, accepted: Accepted) -> str:
        """Score an entry unless another worker does; return what came of it, or nothing."""
        claim = self._scores.claim(accepted, self._seat.name, lease=self._lease)
        if claim is None:
            return ""
        try:
            done = self._scores.finish(claim, record_bytes(self._score(accepted)))
        except ScoringError as error:
            return self._scores.release(claim, str(error), error=True).state
        except BaseException:
            self._scores.release(claim, _STOPPED, error=False)
            raise
        return "scored" if done else ""

    def _count_again(self, accepted: Accepted) -> None:
        """Make the counts of a scored entry again, and see that they are those of its score."""
        told = self._scores.result(accepted) or b""
        kept = read_record(EntryResult, told, f"{self._store}/{folder_of(accepted.entry)}")
        again = self._score(accepted)
        if (again.figures, again.sanity) != (kept.figures, kept.sanity):
            raise BoardError(
                f"entry {accepted.entry} has other figures than those it was given by {self._scorer.key}: "
                "expected the same: 'craqbench leaderboard rescore' scores everything again"
            )

    def _score(self, accepted: Accepted) -> EntryResult:
        """Score an entry: keep its counts in the private folder, and return what anybody may know."""
        with on_disk(self._seat.folder):
            folder = Path(tempfile.mkdtemp(dir=self._seat.folder))
        try:
            answer = self._answer(accepted, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if answer["digest"] != accepted.digest:
            raise ScoringError("its predictions are not those that were accepted")
        found = {side: text.encode() for side, text in answer["results"].items()}
        self._private.keep(self._scorer.key, accepted.entry, found)
        result = self._private.load(self._scorer.key, accepted.entry, NOW)
        if result is None:
            raise ScoringError("the scoring failed: no result")
        return self._public(accepted, result, answer)

    def _answer(self, accepted: Accepted, folder: Path) -> Answer:
        """Unpack predictions in one process, and count them in another."""
        told = self._store.metadata(accepted)
        predictions = folder / "predictions.parquet"
        self._store.fetch_predictions(accepted, predictions)
        (metadata,) = self._store.files.read_all([f"{folder_of(accepted.entry)}/{METADATA}"])
        files = {"predictions": str(predictions), "classes": told.classes, "out": str(folder)}
        self._run(accepted, UNPACK, files)
        order: dict[str, Any] = {
            "private": str(self._private.folder),
            "pixels": str(folder),
            "metadata": metadata.decode(),
            "number": accepted.number,
        }
        answer = self._run(accepted, COUNT, order)
        if "outside" in answer:
            raise ScoringError(answer["outside"])
        return answer

    def _run(self, accepted: Accepted, module: str, order: dict[str, Any]) -> Answer:
        try:
            answer = run_apart(module, order, board_bytes(self._board), self._resources)
        except Ended as error:
            raise ScoringError(f"the scoring was ended: {error}") from None
        if "storage" in answer:
            raise StorageError(answer["storage"])
        if "memory" in answer:
            most = self._resources.memory // 1_000_000
            raise ScoringError(f"the scoring was ended: it asked for more than {most:,} MB")
        if "error" in answer:
            self._private.complain(self._scorer.key, accepted.entry, answer["details"])
            if module == COUNT and answer["error"] in ("AnnotationError", "BoardError"):
                raise BoardError(f"{self._private.folder}: the labels cannot be read: see its errors/")
            raise ScoringError(f"the scoring failed with an error of its own ({answer['error']})")
        return answer

    def _public(self, accepted: Accepted, result: Result, answer: Answer) -> EntryResult:
        return EntryResult(
            entry=accepted.entry,
            key=self._scorer.key,
            scorer=self._scorer.scorer,
            revision=self._scorer.revision,
            board=self._board.name,
            board_version=self._board.version,
            predictions_digest=answer["digest"],
            figures=rounded(result, columns_of(self._board)),
            images=result.set.images,
            paintings=result.set.paintings,
            sanity=answer["sanity"],
            network=answer["network"],
            versions=result.versions,
            at=datetime.now(UTC),
        )
