"""Receive a submission and check it: the same code for whoever sends and for whoever receives.

>>> from pathlib import Path
>>> from leaderboard.board import load_board
>>> board = load_board(Path("nga-board"))  # doctest: +SKIP
>>> with received_folder(Path("mine"), board) as parcel:  # doctest: +SKIP
...     checked = check_parcel(parcel, board)

A submission is ``submission.json`` (`leaderboard.submission_metadata`) and ``predictions.parquet``
(`leaderboard.submission_parquet`): nothing else is looked at. Both are copied first, no byte more than is
allowed, so that what is checked is what is kept. The rules, with their codes, are
`leaderboard.submission_rules.RULES`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from craqbench.storage import on_disk
from leaderboard.board import Board
from leaderboard.process_limits import Resources
from leaderboard.submission_checking import METADATA, PREDICTIONS, Checked
from leaderboard.submission_metadata import Metadata, read_metadata
from leaderboard.submission_process import check_apart
from leaderboard.submission_rules import RULES, Refusal, Refused, refused
from leaderboard.submission_text import JSON_BYTES

__all__ = [
    "METADATA",
    "PREDICTIONS",
    "RULES",
    "Checked",
    "Parcel",
    "Received",
    "Refusal",
    "Refused",
    "check_parcel",
    "peek",
    "received",
    "received_folder",
]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived.

    Attributes
    ----------
    path
        Where it lies for now.
    size, sha256
        Bytes, and hex digest.
    """

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A submission that has arrived, unchecked.

    Attributes
    ----------
    folder
        Private, and gone when the block ends that received it.
    files
        By name: `METADATA`, and `PREDICTIONS` where there are any.
    """

    folder: Path
    files: Mapping[str, Received]


@contextlib.contextmanager
def received(metadata: BinaryIO, predictions: BinaryIO | None, board: Board) -> Iterator[Parcel]:
    """Receive a submission from two streams.

    Parameters
    ----------
    metadata, predictions
        Of the two files; read no further than is allowed.
    board
        Whose limits hold.

    Raises
    ------
    Refused
        By the rule ``file-size``.
    StorageError
        If there is no room for them.
    """
    with tempfile.TemporaryDirectory(prefix="submission-") as name:
        folder = Path(name)
        files = {METADATA: _receive(metadata, folder / METADATA, board.limits.metadata_bytes)}
        if predictions is not None:
            most = board.limits.predictions_bytes
            files[PREDICTIONS] = _receive(predictions, folder / PREDICTIONS, most)
        yield Parcel(folder, files)


@contextlib.contextmanager
def received_folder(folder: Path, board: Board) -> Iterator[Parcel]:
    """Receive a submission from a folder: its two files, whatever else lies there.

    Raises
    ------
    Refused
        By a rule ``file-...``.
    StorageError
        If there is no room for a copy.
    """
    with contextlib.ExitStack() as stack:
        metadata = stack.enter_context(_opened(folder / METADATA))
        predictions = None
        if os.path.lexists(folder / PREDICTIONS):
            predictions = stack.enter_context(_opened(folder / PREDICTIONS))
        yield stack.enter_context(received(metadata, predictions, board))


def peek(folder: Path) -> Metadata:
    """Return what the submission in a folder says of itself: which board it is for.

    Raises
    ------
    Refused
        By a rule of files, JSON, fields or texts.
    """
    with _opened(folder / METADATA) as file:
        return read_metadata(file.read(JSON_BYTES + 1))


def _opened(path: Path) -> BinaryIO:
    """Open a plain file; of a pipe, a device or a folder not a byte is read, and nobody is waited for."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        rule = "file-kind" if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR) else "file-missing"
        raise refused(rule, f"{path}: {error.strerror}: expected {path.name} in a folder") from error
    file = os.fdopen(number, "rb", buffering=0) if stat.S_ISREG(os.fstat(number).st_mode) else None
    if file is None:
        os.close(number)
        raise refused("file-kind", f"{path} is no file: expected {path.name} in a folder")
    return file


def _receive(source: BinaryIO, path: Path, most: int) -> Received:
    digest, size = hashlib.sha256(), 0
    with on_disk(path), path.open("xb") as file:
        while piece := source.read(min(_PIECE, most + 1 - size)):
            size += len(piece)
            if size > most:
                raise refused("file-size", f"{path.name}: more than {most:,} bytes: expected at most so many")
            digest.update(piece)
            file.write(piece)
    if not size:
        raise refused("file-size", f"{path.name} is empty: expected a submission")
    return Received(path, size, digest.hexdigest())


def check_parcel(parcel: Parcel, board: Board, resources: Resources | None = None) -> Checked:
    """Check a submission by all rules, in a process of its own.

    Raises
    ------
    Refused
        With what is wrong, and by which rules.
    RuntimeError
        If the fault is ours.
    """
    return check_apart(board, parcel.folder, resources)
