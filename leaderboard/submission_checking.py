"""All rules of a submission, one after the other: fields, board, table, pictures.

Whoever calls this with bytes of strangers calls it in a process of its own, see
`leaderboard.submission_process`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from leaderboard.board import Board, BoardImage
from leaderboard.submission_metadata import Metadata, read_metadata
from leaderboard.submission_parquet import ID, IMAGE, MASK, SCORE, read_rows
from leaderboard.submission_png import decode_png
from leaderboard.submission_rules import Refusal, Refused, quoted, refused

__all__ = ["METADATA", "PREDICTIONS", "Checked", "check", "columns_of", "digest_of_pixels", "values_of"]

METADATA, PREDICTIONS = "submission.json", "predictions.parquet"

_LONGEST_ID = 120
_MOST_REFUSALS = 10
"""Pictures that are complained about; then checking ends."""

Pixels = npt.NDArray[np.uint8]


class Checked(NamedTuple):
    """A submission that keeps all rules.

    Attributes
    ----------
    metadata
        What it says of itself.
    digest
        Of what is predicted, px by px, however it is packed: sha256 over a line ``ID SHA256`` for each image
        in the order of the board, as `craqbench.results.Result.predictions_digest`; None where it is
        self-reported.
    """

    metadata: Metadata
    digest: str | None


def check(board: Board, metadata: bytes, predictions: Path | None) -> Checked:
    """Check a submission.

    Parameters
    ----------
    board
        What it has to fit.
    metadata
        Contents of submission.json.
    predictions
        The other file.

    Raises
    ------
    Refused
        With all faults of the fields, or the first of the table, or up to ten of pictures.
    MemoryError
        If it asks for more than this process may have.
    """
    told = read_metadata(metadata)
    _check_board(told, board)
    if told.track == "self-reported":
        if predictions is not None:
            raise refused("track", f"self-reported, with {PREDICTIONS}: expected figures alone")
        return Checked(told, None)
    if predictions is None:
        raise refused("file-missing", f"there is no {PREDICTIONS}: expected it beside {METADATA}")
    return Checked(told, _Table(board, told).check(predictions))


def _check_board(metadata: Metadata, board: Board) -> None:
    found = (metadata.board, metadata.board_version, metadata.task)
    expected = (board.name, board.version, board.task)
    if found != expected:
        raise refused("board", f"it is for {' '.join(found)}: expected {' '.join(expected)}")
    if metadata.classes not in (None, 2, len(board.classes)):
        raise refused("classes", f"{metadata.classes}: expected 2: {board.label} knows {len(board.classes)}")


def columns_of(task: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that predictions must have, and those that they may have."""
    return ((ID, MASK), (SCORE,)) if task == "detection" else ((ID, IMAGE), ())


def values_of(classes: int | None) -> dict[int, int]:
    """Return what the values of a mask mean: value -> class number."""
    return {0: 0, 1: 1, 2: 2} if classes == 3 else {0: 0, 255: 1}


def digest_of_pixels(pixels: Pixels) -> str:
    r"""Return sha256 (hex) of ``"H W\n"`` and all values: of labels the digest of evaluations."""
    height, width = pixels.shape[:2]
    return hashlib.sha256(f"{height} {width}\n".encode() + pixels.tobytes()).hexdigest()


class _Table:
    """Checks the rows of predictions."""

    def __init__(self, board: Board, metadata: Metadata) -> None:
        self._board = board
        self._images: Mapping[str, BoardImage] = {image.id: image for image in board.images}
        self._labels = np.full(256, 255, np.uint8)
        for value, label in values_of(metadata.classes).items():
            self._labels[value] = label
        self._digests: dict[str, str] = {}
        self._seen: set[str] = set()
        self._refusals: list[Refusal] = []

    def check(self, path: Path) -> str:
        """Return the digest of all predictions."""
        required, optional = columns_of(self._board.task)
        for row in read_rows(path, required, optional, self._board.most_bytes):
            try:
                self._check_row(row)
            except Refused as error:
                self._refusals += error.refusals
            if len(self._refusals) >= _MOST_REFUSALS:
                break
        else:
            self._check_missing()
        if self._refusals:
            raise Refused(self._refusals[:_MOST_REFUSALS])
        lines = "".join(f"{name} {self._digests[name]}\n" for name in self._images)
        return hashlib.sha256(lines.encode()).hexdigest()

    def _check_row(self, row: Mapping[str, Any]) -> None:
        name = row[ID]
        if name not in self._images:
            problem = f"{self._board.label} has no such image: expected one of its own"
            raise refused("id-unknown", problem, name[:_LONGEST_ID])
        if name in self._seen:
            raise refused("id-duplicate", "it comes twice: expected each image once", name)
        self._seen.add(name)
        image = self._images[name]
        size = (image.width, image.height)
        if SCORE in row:
            decode_png(row[SCORE], size, self._board.channels, name)
        pixels = decode_png(row[IMAGE if IMAGE in row else MASK], size, self._board.channels, name)
        if MASK in row:
            pixels = self._labels_of(pixels, name)
        self._digests[name] = digest_of_pixels(pixels)

    def _labels_of(self, mask: Pixels, name: str) -> Pixels:
        labels = self._labels[mask]
        if labels.max() == 255:
            expected = ", ".join(str(value) for value in np.flatnonzero(self._labels != 255))
            found = quoted(np.unique(mask[labels == 255])[:5].tolist())
            raise refused("png-values", f"values {found}: expected {expected}", name)
        return labels

    def _check_missing(self) -> None:
        missing = [name for name in self._images if name not in self._seen]
        for name in missing[:_MOST_REFUSALS]:
            self._refusals.append(Refusal("id-missing", "no row is of it: expected each image once", name))
