"""Read a restored file again: is it what was filled, and the original everywhere else? And what to show.

One pass over all compares every px, and gathers the views of the before/after page: the picture, made smaller
where it is large, and at full size the places that changed most.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import pyvips

from baselines.protocols import Image, Mask
from craqbench.errors import StorageError
from craqbench.restoration_filling import CELL
from craqbench.restoration_finding import Beat
from craqbench.scans import Scan
from craqbench.scans_rows import RowReader, Rows, Store, eight_bits, spans

__all__ = ["DETAIL", "Outside", "View", "Views", "check"]

SIDE = 1600
"""Px of the longer side up to which a picture is shown at full size."""

DETAIL = 4 * CELL
"""Px of the side of a detail."""

DETAILS = 6
_ICC = 34675


@dataclass(eq=False)
class View:
    """A part of a picture, before and after.

    Attributes
    ----------
    before, after
        (h, w, 3) uint8 sRGB, turned as viewers turn it.
    cracks
        (h, w) uint8: how much of each px was filled, 255 for all.
    box
        Left, top, right and bottom in px of the picture as viewers show it.
    scale
        Px of the picture in a px of the view, along a side.
    """

    before: Image
    after: Image
    cracks: npt.NDArray[np.uint8]
    box: tuple[int, int, int, int]
    scale: int = 1


@dataclass(frozen=True)
class Views:
    """What is shown of a picture: all of it, and details, most changed first; none if all is at full size."""

    whole: View
    details: tuple[View, ...] = ()


@dataclass
class Outside:
    """How a restored file differs from its original outside the mask; only JPEG files do.

    Attributes
    ----------
    changed
        Px of another colour.
    largest
        Difference in any of their colours, in levels.
    total
        Sum of the differences, mean over the colours.
    """

    changed: int = 0
    largest: int = 0
    total: float = 0.0

    def count(self, before: Rows, after: Rows, holes: Mask) -> None:
        """Count some rows."""
        difference = np.abs(after.astype(np.int32) - before)[~holes]
        self.changed += int(np.count_nonzero(difference.any(axis=1)))
        self.largest = max(self.largest, int(difference.max(initial=0)))
        self.total += float(difference.mean(axis=1).sum())


def check(
    original: Scan, restored: Scan, pixels: Store, mask: Store, cells: npt.NDArray[np.float64], beat: Beat
) -> tuple[Views, Outside]:
    """Compare a restored file with its original, and return what to show and how they differ elsewhere.

    Parameters
    ----------
    original, restored
        The files.
    pixels
        What was to be written.
    mask
        What was filled.
    cells
        See `craqbench.restoration_filling.Change`.
    beat
        Told how many more rows are done.

    Raises
    ------
    StorageError
        If the file is not what was to be written, or differs from its original outside the mask, and is no
        JPEG file: a disk or a memory must be failing.
    """
    gathering = _Gathering.of(original, cells)
    before, after = (RowReader.of(scan, gathering.band) for scan in (original, restored))
    rgb, outside = eight_bits(original.colours), Outside()
    for rows in spans(original.height, gathering.band, 0):
        old, new = (reader.read(rows.top, rows.bottom) for reader in (before, after))
        holes = mask.mask(rows.top, rows.bottom)
        if restored.format == "JPEG":
            outside.count(old, new, holes)
        else:
            wrong = (new != pixels.read(rows.top, rows.bottom)).any(axis=2)
            wrong |= (old != new).any(axis=2) & ~holes
            _refuse_wrong(wrong, rows.top, original)
        gathering.add(rows.top, rgb(old), rgb(new), holes)
        beat(len(old))
    return gathering.views(), outside


def _refuse_wrong(wrong: Mask, top: int, original: Scan) -> None:
    if wrong.any():
        y, x = (int(places[0]) for places in np.nonzero(wrong))
        raise StorageError(
            f"the restored {original.path.name}, read again, is not what was written at x {x:,}, "
            f"y {top + y:,}: expected a working disk and memory"
        )


@dataclass(eq=False)
class _Gathering:
    """Views while they are gathered, in the file's orientation."""

    scan: Scan
    scale: int
    whole: View
    details: list[View] = field(default_factory=list)

    @classmethod
    def of(cls, scan: Scan, cells: npt.NDArray[np.float64]) -> _Gathering:
        scale = math.ceil(max(scan.width, scan.height) / SIDE)
        size = max(1, scan.height // scale), max(1, scan.width // scale)
        whole = _blank(size, (0, 0, scan.width, scan.height), scale)
        boxes = _most_changed(cells, scan) if scale > 1 else ()
        return cls(scan, scale, whole, [_blank((b[3] - b[1], b[2] - b[0]), b, 1) for b in boxes])

    @property
    def band(self) -> int:
        """How many rows are to be added at once."""
        return max(1, 256 // self.scale) * self.scale

    def add(self, top: int, before: Image, after: Image, holes: Mask) -> None:
        """Add the rows from `top` on."""
        cracks = holes.view(np.uint8) * np.uint8(255)
        start, width = top // self.scale, self.whole.before.shape[1]
        height = min(max(1, len(before) // self.scale), len(self.whole.before) - start)
        if height > 0:
            parts = slice(start, start + height)
            self.whole.before[parts] = _smaller(before, height, width, self.scale)
            self.whole.after[parts] = _smaller(after, height, width, self.scale)
            self.whole.cracks[parts] = _smaller(cracks, height, width, self.scale)
        for view in self.details:
            left, first, right, last = view.box
            here = slice(max(first, top) - top, max(0, min(last, top + len(before)) - top))
            there = slice(here.start + top - first, here.stop + top - first)
            if here.start < here.stop:
                view.before[there], view.after[there] = before[here, left:right], after[here, left:right]
                view.cracks[there] = cracks[here, left:right]

    def views(self) -> Views:
        """Return all, as viewers show them."""
        whole, *details = (_shown(view, self.scan) for view in (self.whole, *self.details))
        return Views(whole, tuple(details))


def _blank(size: tuple[int, int], box: tuple[int, int, int, int], scale: int) -> View:
    return View(
        np.zeros((*size, 3), np.uint8), np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8), box, scale
    )


def _smaller(rows: npt.NDArray[np.uint8], height: int, width: int, scale: int) -> npt.NDArray[np.uint8]:
    """Return means of squares of `scale` px."""
    cut = rows[: height * scale, : width * scale] if min(rows.shape[:2]) >= scale else rows
    return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _most_changed(cells: npt.NDArray[np.float64], scan: Scan) -> Iterator[tuple[int, int, int, int]]:
    """Yield the squares of `DETAIL` px that changed most, none over another."""
    side = DETAIL // CELL
    left = cells.copy()
    for _ in range(DETAILS):
        sums = cv2.boxFilter(
            left, -1, (side, side), normalize=False, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
        )
        row, column = np.unravel_index(int(np.argmax(sums)), sums.shape)
        if sums[row, column] <= 1e-9:
            return
        left[row : row + side, column : column + side] = 0
        x, y = (
            max(0, min(int(start) * CELL, length - DETAIL))
            for start, length in ((column, scan.width), (row, scan.height))
        )
        yield x, y, min(x + DETAIL, scan.width), min(y + DETAIL, scan.height)


# -- as viewers show it -------------------------------------------------------------------------------------

_TURNS: dict[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}
"""Orientation -> what viewers do."""


def _shown(view: View, scan: Scan) -> View:
    """Turn a view, and its colours into sRGB."""
    turn = _TURNS.get(scan.orientation, np.ascontiguousarray)
    before, after = (turn(_srgb(image, scan)) for image in (view.before, view.after))
    return View(
        np.ascontiguousarray(before),
        np.ascontiguousarray(after),
        np.ascontiguousarray(turn(view.cracks)),
        _turned(view.box, scan),
        view.scale,
    )


def _turned(box: tuple[int, int, int, int], scan: Scan) -> tuple[int, int, int, int]:
    """Return where a box is in the picture as viewers show it."""
    left, top, right, bottom = box
    if scan.orientation in (2, 3, 7, 8):
        left, right = scan.width - right, scan.width - left
    if scan.orientation in (3, 4, 6, 7):
        top, bottom = scan.height - bottom, scan.height - top
    return (left, top, right, bottom) if scan.orientation < 5 else (top, left, bottom, right)


def _srgb(image: Image, scan: Scan) -> Image:
    """Return colours for a screen: what browsers show of pictures without a profile is sRGB."""
    if _ICC not in scan.page.tags:
        return image
    channels = image[..., : scan.colours]
    picture = pyvips.Image.new_from_array(np.ascontiguousarray(channels))
    picture = picture.copy(interpretation="srgb" if scan.colours == 3 else "b-w")
    picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", scan.page.tags[_ICC].value)
    try:
        found = picture.icc_transform("srgb", embedded=True).numpy()
    except pyvips.Error:  # a damaged profile: the page shows the numbers as they are, the file keeps both
        return image
    return np.asarray(found[..., :3], np.uint8)
