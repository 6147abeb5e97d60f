"""What a method finds on public images, drawn over them; hidden sets have no pictures.

The operator names a folder whose annotations anybody may see::

    DIR/images/ID.png, DIR/masks/ID.png      an annotated set, see `craqbench.annotated_folder`
    DIR/predictions/METHOD-VERSION/ID.png    optional: where a method finds cracks on it, white on black

Of a board that was made of that very set, entries' own predictions are drawn.
"""

from __future__ import annotations

import io
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from craqbench.annotated_files import decode_values
from craqbench.annotated_folder import open_annotated_folder
from craqbench.annotations import Annotated, Item
from craqbench.errors import CraqbenchError, UsageError
from craqbench.evaluation_records import slug
from craqbench.overlays import best_colour, overlay
from craqbench.report_markup import Markup, tag
from generators.triplets import Image, Mask
from leaderboard.board import Board
from leaderboard.board_labels import LABELS
from leaderboard.ranking import entry_path
from leaderboard.store import Store, folder_of
from leaderboard.submission import PREDICTIONS
from leaderboard.submission_metadata import Metadata
from leaderboard.submission_parquet import ID, MASK, SCORE, read_rows
from leaderboard.submission_png import GREY, decode_png

__all__ = ["Pictures"]

MOST = 6
"""Images of which an entry's page shows pictures, spread over the set."""

SIDE = 640
"""Longer side of a picture, px."""

_KEPT, _QUALITY = 240, 82
_NAME = re.compile(r"(\d{1,2})-(painting|annotated|found)\.webp", re.ASCII)


class Pictures:
    """Pictures of public images.

    Parameters
    ----------
    folder
        See the module.
    store
        Whose entries.

    Raises
    ------
    UsageError
        If it holds, or is part of, the hidden labels of a board.
    AnnotationError
        If it is no annotated set.
    """

    def __init__(self, folder: Path, store: Store) -> None:
        hidden = next((one for one in (folder, *folder.resolve().parents) if (one / LABELS).exists()), None)
        if hidden is not None:
            raise UsageError(
                f"{folder}: {hidden / LABELS} says that these are hidden labels: expected a public set"
            )
        self._folder, self._store = folder, store
        self._set = open_annotated_folder(folder, 1, None)
        items = list(self._set)
        self._items: list[Item] = [
            items[round(k)] for k in np.linspace(0, len(items) - 1, min(MOST, len(items)))
        ]
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def figures(self, entry: str, board: Board, told: Metadata) -> list[Markup]:
        """Return the pictures of an entry for its page; none if there are none."""
        if board.task != "detection":
            return []
        self._draw(entry, board, told)
        with self._lock:
            numbers = [n for n in range(len(self._items)) if f"{entry}/{n}-found.webp" in self._kept]
        shots = [tag("div", *self._shots(entry, number), class_="shots") for number in numbers]
        if not shots:
            return []
        about = (
            "Cracks in colour, on images whose annotations are public. They say nothing about hidden ones."
        )
        return [tag("p", about, class_="quiet"), *shots]

    def read(self, entry: str, name: str) -> bytes | None:
        """Return a picture that an entry's page shows; None if it shows none of that name."""
        if not _NAME.fullmatch(name):
            return None
        with self._lock:
            return self._kept.get(f"{entry}/{name}")

    def _shots(self, entry: str, number: int) -> Iterator[Markup]:
        item = self._items[number]
        for kind, words in {"painting": item.id, "annotated": "annotated", "found": "found"}.items():
            image = tag(
                "img",
                src=f"{entry_path(entry)}/{number}-{kind}.webp",
                alt=f"{item.id}, {kind}",
                loading="lazy",
            )
            yield tag("figure", image, tag("figcaption", words))

    def _draw(self, entry: str, board: Board, told: Metadata) -> None:
        with self._lock:
            if any(key.startswith(f"{entry}/") for key in self._kept):
                return
        for number, item in enumerate(self._items):
            found = self._found(entry, board, told, item)
            if found is None:
                continue
            annotated = self._set.load(item)
            if found.shape == annotated.mask.shape:
                self._keep(entry, number, annotated, found)

    def _keep(self, entry: str, number: int, annotated: Annotated, found: Mask) -> None:
        colour = best_colour(annotated.image)
        drawn = {
            "painting": annotated.image,
            "annotated": overlay(annotated.image, annotated.mask, colour),
            "found": overlay(annotated.image, found, colour),
        }
        with self._lock:
            for kind, image in drawn.items():
                self._kept[f"{entry}/{number}-{kind}.webp"] = _webp(image)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _found(self, entry: str, board: Board, told: Metadata, item: Item) -> Mask | None:
        """Return (H, W) bool, what a method finds on an image; None if nobody has said."""
        name = slug(f"{told.method}-{told.version}")
        file = self._folder / "predictions" / name / f"{item.stem}.png"
        try:
            if file.is_file():
                return np.asarray(decode_values(file.read_bytes()) > 0)
            return self._submitted(entry, board, item)
        except (CraqbenchError, OSError, ValueError):
            return None

    def _submitted(self, entry: str, board: Board, item: Item) -> Mask | None:
        image = next((one for one in board.images if one.id == item.stem), None)
        if image is None:
            return None
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / PREDICTIONS
            self._store.files.fetch(f"{folder_of(entry)}/{PREDICTIONS}", file)
            for row in read_rows(file, (ID, MASK), (SCORE,), board.most_bytes):
                if row[ID] == image.id:
                    values = decode_png(row[MASK], (image.width, image.height), GREY, image.id)
                    return np.asarray((values == 255) | (values == 1))
        return None


def _webp(image: Image) -> bytes:
    picture = Pillow.fromarray(image)
    picture.thumbnail((SIDE, SIDE), Pillow.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()
