"""A ranking as it is published and read: a table whose rows are entries, and the files around it.

::

    boards/NAME/VERSION/scorers/0001.json            a scorer with its labels, by key; the last one counts
    boards/NAME/VERSION/reveals/0001.json            the operator shows final figures, up to which entry
    boards/NAME/VERSION/rankings/KEY/00000001.json   `Ranking`; the last one counts
    submissions/ULID/scores/KEY/result.json          `EntryResult`: what an entry scored, rounded

Nothing here is about one image or one painting: who reads all of it knows figures of a whole half, and who
cannot be told from whom. Rankings follow from what else there is: all but the last of a key may be removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from craqbench.figures import FILLING_RANKING, LOWER_IS_BETTER, RANKING
from craqbench.metrics.widths import WIDTHS
from leaderboard.board import Board, Digest
from leaderboard.store_records import BOARDS, Account, Key, Reason, Record, Ulid
from leaderboard.submission_metadata import BoardName, BoardVersion, Task, Track

__all__ = [
    "Column",
    "EntryResult",
    "EntryState",
    "Figure",
    "FlagNote",
    "QueueEntry",
    "Ranking",
    "Reveal",
    "Row",
    "Scorer",
    "board_folder",
    "columns_of",
    "entry_path",
]

Line = Annotated[str, Field(max_length=2000)]
EntryState = Literal["waiting", "claimed", "scored", "failed", "listed"]
"""As `leaderboard.store_scores.State`; "listed" for what is self-reported and never scored."""

SHARE, DECIBEL = 3, 2
"""Digits after the point, as in tables of `craqbench compare`: no more of a hidden set is told."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Figure(_Part):
    """A figure, rounded to the digits of its column, and the interval of 95 % of resamples of paintings.

    Attributes
    ----------
    value
        None where it is not defined.
    low, high
        None where there is no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


class Column(_Part):
    """A figure that the table has a column for.

    Attributes
    ----------
    name
        Of `craqbench.figures`, such as "f1@2": the key in `Row.metrics`.
    heading
        As `craqbench compare` writes it, such as "F1@2px".
    digits
        After the point.
    lower_is_better
        Which way is better.
    """

    name: Line
    heading: Line
    digits: NonNegativeInt
    lower_is_better: bool


class FlagNote(_Part):
    """What an operator says of an entry, see `leaderboard.store_records.Flag`."""

    kind: Line
    note: Line
    by: Account
    at: AwareDatetime


class Row(_Part):
    """An entry of a ranking.

    Texts are as they were sent, and checked as `leaderboard.submission_metadata` does: who shows them escapes
    them.

    Attributes
    ----------
    entry, number
        ULID, and number in the order of acceptance over all boards.
    state
        "scored", or "listed" for self-reported figures.
    kind
        "sanity" for predictions that do not depend on the image.
    rank
        1 is best; None for what is not ranked: self-reported, sanity rows, and while it is disputed.
    tied
        Whether another entry has the same rank.
    account, submitted_at, track, task, classes, method, version, authors, code, code_commit,
    weights_repository, weights_revision, training_data, used_real_annotations, used_test_images, seeds,
    hardware, seconds_per_megapixel, licence
        What the submission says; the speed was measured by whoever sent it.
    metrics
        Name of a `Column` -> figure on the half of the board that counts at once; of a self-reported entry
        what it reports. A figure that was not measured is absent.
    behind
        The ranking figure of the best ranked entry minus this one's (of a figure of which less is better:
        the other way round), paired by painting: 0 or more; None for the best and what is not ranked.
    final
        The ranking figure on the final half, once it was revealed.
    gap
        How much worse than on the board the ranking figure is in the end; None until then.
    flags
        Raised now. The kind "reproduced" is a badge.
    attempts
        How many submissions with predictions its account had sent to this board with this one.
    predictions_digest
        See `leaderboard.submission_checking.Checked`.
    """

    entry: Ulid
    number: PositiveInt
    state: EntryState
    kind: Literal["method", "sanity"]
    rank: PositiveInt | None
    tied: bool
    account: Account
    submitted_at: AwareDatetime
    track: Track
    task: Task
    classes: int | None
    method: Line
    version: Line
    authors: tuple[Line, ...]
    code: Line | None
    code_commit: Line | None
    weights_repository: Line | None
    weights_revision: Line | None
    training_data: Line
    used_real_annotations: bool
    used_test_images: bool
    seeds: tuple[NonNegativeInt, ...]
    hardware: Line
    seconds_per_megapixel: float | None
    licence: Line
    metrics: dict[str, Figure]
    behind: Figure | None
    final: Figure | None
    gap: float | None
    flags: tuple[FlagNote, ...]
    attempts: NonNegativeInt
    predictions_digest: Digest | None

    @property
    def path(self) -> str:
        """Stable path of its page, ``/entry/ULID``."""
        return entry_path(self.entry)

    @property
    def reproduced(self) -> bool:
        """Whether a maintainer has run it again."""
        return any(flag.kind == "reproduced" for flag in self.flags)


class Ranking(Record):
    """The table of a board, by one scorer with one revision of the labels.

    Attributes
    ----------
    board, board_version, task, classes
        Of what.
    key
        Of scorer and labels, see `Scorer`; "" before there is one.
    number
        Of this ranking among those of its key; 0 before there is one.
    made_at
        None before there is one.
    ranking
        Name of the figure that ranks, one of the columns, the first.
    columns
        In order.
    rows
        Ranked and sanity rows by the ranking figure, best first; then those that have none.
    images, paintings
        How many the figures are of.
    notes
        What a reader must know, a sentence each.
    revealed
        Number of the last entry whose final figures are shown; 0: none.
    basis
        Digest of all that rows were made of: equal ones make equal rows.
    """

    board: BoardName
    board_version: BoardVersion
    task: Task
    classes: tuple[Line, ...]
    key: Annotated[str, Field(max_length=120)]
    number: NonNegativeInt
    made_at: AwareDatetime | None
    ranking: Line
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    images: NonNegativeInt
    paintings: NonNegativeInt
    notes: tuple[Line, ...]
    revealed: NonNegativeInt
    basis: Annotated[str, Field(max_length=64)]

    def row(self, entry: str) -> Row | None:
        """Return the row of an entry; None if it has none (yet)."""
        return next((row for row in self.rows if row.entry == entry), None)


class QueueEntry(_Part):
    """An accepted entry, and where it stands.

    Attributes
    ----------
    number, entry, account, submitted_at, track, method, version
        Which one.
    state
        See `EntryState`.
    attempts
        How often its scoring was begun.
    reason
        Of the last error of its scoring; else "".
    """

    number: PositiveInt
    entry: Ulid
    account: Account
    submitted_at: AwareDatetime
    track: Track
    method: Line
    version: Line
    state: EntryState
    attempts: NonNegativeInt
    reason: Reason

    @property
    def path(self) -> str:
        """Stable path of its page, ``/entry/ULID``."""
        return entry_path(self.entry)


class Scorer(Record):
    """What scores a board: from then on all entries, those that another one has scored, too.

    Attributes
    ----------
    number
        From 1 on.
    key
        Of its scores, see `leaderboard.store_scores.Scores`.
    scorer, revision
        Version of the scoring, and of the hidden labels.
    """

    number: PositiveInt
    key: Key
    scorer: Annotated[str, Field(max_length=40)]
    revision: Digest
    at: AwareDatetime


class Reveal(Record):
    """The operator shows final figures of the entries up to a number."""

    number: PositiveInt
    up_to: NonNegativeInt
    by: Account
    at: AwareDatetime


class EntryResult(Record):
    """What an entry scored on the half that counts at once; made once, for everybody to read.

    Attributes
    ----------
    entry, key, scorer, revision
        Which entry, by which scorer and labels.
    predictions_digest
        Of what was scored: that of the accepted submission.
    figures
        Name of a `Column` -> figure, rounded.
    sanity
        Whether predictions are the same for any image.
    network
        How the process that scored was kept from the network, see `leaderboard.scoring_process`.
    versions
        Of Python and the packages that count.
    """

    entry: Ulid
    key: Key
    scorer: Annotated[str, Field(max_length=40)]
    revision: Digest
    board: BoardName
    board_version: BoardVersion
    predictions_digest: Digest
    figures: dict[str, Figure]
    images: PositiveInt
    paintings: PositiveInt
    sanity: bool
    network: Line
    versions: dict[str, str]
    at: AwareDatetime


def entry_path(entry: str) -> str:
    """Return the stable path of an entry's page."""
    return f"/entry/{entry}"


def board_folder(board: Board) -> str:
    """Return where the files of a board lie in a store."""
    return f"{BOARDS}/{board.name}/{board.version}"


_CRACKS: Mapping[str, str] = {
    RANKING: "F1@2px",
    "precision@2": "P@2px",
    "recall@2": "R@2px",
    "f1": "F1",
    "cldice": "clDice",
    "ap@2": "AP@2px",
    "accuracy": "Acc",
    "mean_iou": "MIoU",
}
_FILLINGS: Mapping[str, str] = {
    FILLING_RANKING: "PSNR mask",
    **{f"psnr:{width}": f"PSNR {width}" for width in WIDTHS},
    "mae:mask": "MAE mask",
    "mean_psnr:mask": "mean PSNR mask",
    "ssim:mask": "SSIM mask",
    "vif:mask": "VIF mask",
    "ssim:whole": "SSIM",
    "vif:whole": "VIF",
}
_IN_DECIBELS = ("psnr:", "mae:", "mean_psnr:")


def columns_of(board: Board) -> tuple[Column, ...]:
    """Return the columns of a board's table, the figure that ranks first."""
    heads = dict(_FILLINGS if board.task == "restoration" else _CRACKS)
    further = board.classes[2:]
    if further:
        heads |= {"iou": "IoU"}
        heads |= {f"{n}:{c}": f"{head} {c}" for c in further for n, head in (("f1", "F1"), ("iou", "IoU"))}
    return tuple(
        Column(
            name=name,
            heading=heading,
            digits=DECIBEL if name.startswith(_IN_DECIBELS) else SHARE,
            lower_is_better=name in LOWER_IS_BETTER,
        )
        for name, heading in heads.items()
    )
