"""Write a submission: the same bytes for the same predictions, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from craqbench.errors import UsageError
from craqbench.storage import new_file, on_disk, write_file
from leaderboard.submission_checking import METADATA, PREDICTIONS
from leaderboard.submission_parquet import ID, IMAGE, MASK, SCORE

__all__ = ["Prediction", "refuse_occupied", "write_metadata", "write_predictions", "write_submission"]

_ROW_GROUP_BYTES = 16_000_000


class Prediction(NamedTuple):
    """What is predicted of an image.

    Attributes
    ----------
    id
        Of the board.
    picture
        PNG: a mask, or a restored image.
    scores
        PNG of 255 levels, 255 for a score of 1, as `craqbench.metrics.curves.score_levels`; of masks only.
    """

    id: str
    picture: bytes
    scores: bytes | None = None


def write_submission(folder: Path, metadata: Mapping[str, Any], predictions: Iterable[Prediction]) -> None:
    """Write both files; the metadata come last: without them a folder is no submission.

    Parameters
    ----------
    folder
        Made if it is not there.
    metadata
        Of `leaderboard.submission_metadata.Metadata`; null where a person has to fill in something.
    predictions
        In the order of the board; all with scores, or none.

    Raises
    ------
    UsageError
        If the folder holds a submission.
    StorageError
        If the disk is full, read-only or gone.
    """
    refuse_occupied(folder)
    write_predictions(folder / PREDICTIONS, predictions, metadata["task"])
    write_metadata(folder / METADATA, metadata)


def refuse_occupied(folder: Path) -> None:
    """Raise `UsageError` if a folder holds a submission: somebody may have filled in something."""
    with on_disk(folder):
        there = [name for name in (METADATA, PREDICTIONS) if (folder / name).exists()]
    if there:
        raise UsageError(f"{folder} holds a {there[0]} already: expected another folder")


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Write submission.json."""
    write_file(path, f"{json.dumps(metadata, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode())


def write_predictions(path: Path, predictions: Iterable[Prediction], task: str) -> None:
    """Write predictions.parquet: PNGs as they are, not packed once more, in row groups of some megabytes."""
    rows = iter(predictions)
    first = next(rows)
    names = (
        [ID, IMAGE] if task == "restoration" else [ID, MASK] if first.scores is None else [ID, MASK, SCORE]
    )
    schema = pa.schema([(name, pa.string() if name == ID else pa.binary()) for name in names])
    with (
        new_file(path) as file,
        pq.ParquetWriter(
            file, schema, compression="none", use_dictionary=False, write_statistics=False, store_schema=False
        ) as writer,
    ):
        for group in _groups(first, rows):
            columns = zip(*(row[: len(names)] for row in group), strict=True)
            writer.write_table(pa.table(dict(zip(names, columns, strict=True)), schema=schema))


def _groups(first: Prediction, rows: Iterator[Prediction]) -> Iterator[list[Prediction]]:
    group, size = [first], _size(first)
    for row in rows:
        if size + _size(row) > _ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(row)
        size += _size(row)
    yield group


def _size(row: Prediction) -> int:
    return len(row.picture) + len(row.scores or b"")
