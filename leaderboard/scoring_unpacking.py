"""The first part of a scoring: from the two files of a stranger to plain px. It knows no labels.

::

    FOLDER/00000.px          of the first image of the board: class numbers, or R, G and B; row by row
    FOLDER/00000.scores      beside detections with scores
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from craqbench.storage import on_disk
from leaderboard.board import read_board
from leaderboard.submission_checking import columns_of, values_of
from leaderboard.submission_parquet import ID, IMAGE, MASK, SCORE, read_rows
from leaderboard.submission_png import decode_png
from leaderboard.submission_rules import refused

__all__ = ["place_of", "work"]


def place_of(folder: Path, number: int, kind: str) -> Path:
    """Return where the px, or the scores, of an image of the board lie."""
    return folder / f"{number:05}.{kind}"


def work(order: dict[str, Any], description: bytes) -> dict[str, Any]:
    """Unpack predictions.

    Parameters
    ----------
    order
        ``predictions``, the file; ``classes`` that it tells apart, or None; ``out``, the folder.
    description
        Of the board.

    Raises
    ------
    Refused
        If they are not what was accepted.
    StorageError
        If there is no room.
    """
    board, out = read_board(description, "the board"), Path(order["out"])
    images = {image.id: (number, image) for number, image in enumerate(board.images)}
    labels = np.full(256, 255, np.uint8)
    for value, label in values_of(order["classes"]).items():
        labels[value] = label
    required, optional = columns_of(board.task)
    for row in read_rows(Path(order["predictions"]), required, optional, board.most_bytes):
        if row[ID] not in images:
            raise refused("id-unknown", "expected the board's images", None)
        number, image = images[row[ID]]
        size = (image.width, image.height)
        pixels = decode_png(row[IMAGE if IMAGE in row else MASK], size, board.channels, image.id)
        found = {"px": labels[pixels] if MASK in row else pixels}
        if SCORE in row:
            found["scores"] = decode_png(row[SCORE], size, board.channels, image.id)
        for kind, values in found.items():
            place = place_of(out, number, kind)
            with on_disk(place):
                place.write_bytes(values.tobytes())
    return {"images": len(images)}
