"""Fill the mask of a scan window by window, so that no seam shows: as if all were filled at once.

What a filled px becomes depends on what lies within the *reach* of its filler. `mtm` reaches as far as the
mask is deep: the chessboard distance from its innermost px to the nearest known one. `diffusion` reaches one
px further with each step. Windows overlap by at least that, so that both give bit by bit what they give for
the whole picture. Other fillers say nothing of their reach: pictures of at most `WHOLE` px are filled in one
piece; in larger ones the windows, which are the same on every machine, define the result.

16-bit pictures are filled with real numbers that are rounded to 16 bits, by fillers that can; others fill the
high 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from baselines.inpainting.checks import checked_fill
from baselines.inpainting.diffusion import Diffusion
from baselines.inpainting.mtm import Mtm
from baselines.protocols import Inpainter, Mask, MethodError
from craqbench.errors import UsageError
from craqbench.restoration_finding import WHOLE, Beat
from craqbench.scans import Scan
from craqbench.scans_rows import RowReader, Rows, Span, Store, spans

__all__ = ["CELL", "TILE", "Change", "deepest", "fill", "fills_16_bits", "reach"]

TILE = 768
"""Px of the side of what a window gives."""

CELL = 128
"""Px of the side of the squares in which changes are counted."""

MOST_MEMORY = 600_000_000
"""Bytes of rows that may be held: cracks are narrow, and a mask that wants more is none of cracks."""

_GRID = 64
"""Windows begin at multiples of this, as the strides of networks want it."""

_UNKNOWN = 128
"""Px that windows overlap by where a filler does not say how far it reaches; the depth is added."""

_NOTHING_KNOWN = 1 << 62


@runtime_checkable
class Exact(Protocol):
    """An inpainter that says what it fills before it is rounded."""

    def values(self, image: npt.NDArray[Any], mask: Mask) -> npt.NDArray[np.float64]:
        """Return (n, 3) values of the n masked px, in raster order, for (H, W, 3) values of 0 to 255."""


@dataclass
class Change:
    """What was filled.

    Attributes
    ----------
    filled, changed
        Px in the mask, and how many of them have another colour than before.
    cells
        (rows, columns) of squares of `CELL` px: sum of the changes in levels of 255, mean over the colours.
    """

    cells: npt.NDArray[np.float64]
    filled: int = 0
    changed: int = 0

    def count(self, before: Rows, after: Rows, holes: Mask, top: int, left: int) -> None:
        """Count a part of the picture: colours before and after, (h, w, colours), mask, and where it is."""
        y, x = np.nonzero(holes)
        levels = 1 if before.dtype == np.uint8 else 257
        difference = np.abs(after[y, x].astype(np.int32) - before[y, x]).mean(axis=1) / levels
        self.filled += len(y)
        self.changed += int(np.count_nonzero(difference))
        np.add.at(self.cells, ((y + top) // CELL, (x + left) // CELL), difference)


def reach(filler: Inpainter, depth: int) -> int | None:
    """Return how far away what a filled px depends on may lie, in px; None if the filler does not say.

    Parameters
    ----------
    filler
        Of whatever kind.
    depth
        Largest chessboard distance from a masked px to the nearest known one.
    """
    if isinstance(filler, Mtm):
        return depth
    if isinstance(filler, Diffusion):
        return filler.steps + (depth if filler.start == "mtm" else 0)
    return None


def deepest(scan: Scan, mask: Store) -> int:
    """Return the largest chessboard distance, in px, from a masked px to the nearest known one.

    Raises
    ------
    UsageError
        If the mask covers all of the picture: nothing is known that it could be filled from.
    """
    found, margin = 0, _GRID
    for band in spans(scan.height, TILE, 0):
        rows = band.within(margin, scan.height)
        while (here := _depth_in(mask, rows)) > margin and rows.last - rows.first < scan.height:
            margin *= 2
            rows = band.within(margin, scan.height)
        if here >= max(scan.width, scan.height):
            raise UsageError("the mask covers the whole picture: expected a known px to fill from")
        found = max(found, here)
    return found


def _depth_in(mask: Store, rows: Span) -> int:
    """Return the largest depth in some rows; where nothing known is near, it is larger than any picture."""
    near = mask.mask(rows.first, rows.last)
    return _NOTHING_KNOWN if near.all() else int(_depth(near)[rows.core].max())


def _depth(near: Mask) -> npt.NDArray[np.float32]:
    """Return the chessboard distance of each px to the nearest known one."""
    levels = np.ascontiguousarray(near).view(np.uint8)
    return np.asarray(cv2.distanceTransform(levels, cv2.DIST_C, 3), np.float32)


def fills_16_bits(filler: Inpainter) -> bool:
    """Whether a filler works on real numbers, of which 16 bits can be made."""
    if not isinstance(filler, Exact):
        return False
    centre = np.zeros((3, 3), np.bool_)
    centre[1, 1] = True
    try:
        return filler.values(np.full((3, 3, 3), 0.5), centre).shape == (1, 3)
    except ValueError:
        return False


def fill(scan: Scan, mask: Store, filler: Inpainter, into: Store, beat: Beat) -> Change:
    """Write the rows of a scan, filled in its mask and as they are everywhere else.

    Raises
    ------
    UsageError
        If the mask covers all of the picture, or so much in one place that the memory would not do.
    SourceError
        If the picture is damaged.
    MethodError
        If the filler fails.
    StorageError
        If the disk is full or gone.
    """
    depth = deepest(scan, mask)
    work = _Work(scan, filler, depth)
    change = Change(np.zeros((-(-scan.height // CELL), -(-scan.width // CELL))))
    margin = work.margin(depth)
    reader = RowReader.of(scan, work.tile + 2 * margin)
    for rows in spans(scan.height, work.tile, margin):
        before = reader.read(rows.first, rows.last)
        holes = mask.mask(rows.first, rows.last)
        after = before[rows.core].copy()
        for columns in spans(scan.width, work.tile, margin):
            if holes[rows.core, columns.top : columns.bottom].any():
                work.window(before, holes, after, rows, columns, change)
        into.append(after)
        beat(len(after))
    return change


@dataclass
class _Work:
    """What is filled, and by what."""

    scan: Scan
    filler: Inpainter
    depth: int
    tile: int = 0
    exact: bool = False

    def __post_init__(self) -> None:
        """Choose the size of windows."""
        scan = self.scan
        whole = reach(self.filler, 0) is None and scan.width * scan.height <= WHOLE
        self.tile = max(scan.width, scan.height) if whole else TILE
        self.exact = scan.bits == 16 and fills_16_bits(self.filler)
        rows = min(self.tile + 2 * self.margin(self.depth), scan.height)
        held = rows * scan.size // scan.height
        if held > MOST_MEMORY and self.margin(self.depth) > _GRID * 4:
            raise UsageError(
                f"the mask is {2 * self.depth:,} px wide in one place: expected cracks, of less than "
                f"{MOST_MEMORY * scan.height // scan.size // 2:,} px in a picture of this width"
            )

    def margin(self, depth: int) -> int:
        """Return by how much windows overlap on each side, for a mask of that depth."""
        far = reach(self.filler, depth)
        needed = max(_UNKNOWN + depth if far is None else far, depth, 1)
        return -(-needed // _GRID) * _GRID

    def window(
        self, before: Rows, holes: Mask, after: Rows, rows: Span, columns: Span, change: Change
    ) -> None:
        """Fill a window of rows, and take over and count what counts of it.

        Parameters
        ----------
        before, holes
            Pixels and mask of the rows from ``rows.first`` on, at full width.
        after
            Rows from ``rows.top`` on, into which the filled px go.
        """
        picture, holes = before[:, columns.first : columns.last], holes[:, columns.first : columns.last]
        # What counts may depend on masked px that lie outside of it, and are deeper.
        spread = self.margin(0)
        depth = int(_depth(holes)[rows.near(spread), columns.near(spread)].max())
        down, across = (span.near(self.margin(depth)) for span in (rows, columns))
        mask = np.ascontiguousarray(holes[down, across])
        filled = self._filled(picture[down, across, : self.scan.colours], mask)
        counts = holes[rows.core, columns.core]
        inner = filled[_less(rows.core, down.start), _less(columns.core, across.start)]
        after[:, columns.top : columns.bottom, : self.scan.colours][counts] = inner[counts]
        known = picture[rows.core, columns.core, : self.scan.colours]
        change.count(known, inner, counts, rows.top, columns.top)

    def _filled(self, piece: Rows, mask: Mask) -> Rows:
        """Fill colours of a window, (h, w, 1 or 3), and return them."""
        rgb = np.repeat(piece, 3, axis=2) if piece.shape[2] == 1 else np.ascontiguousarray(piece)
        if self.scan.bits == 8:
            filled: Rows = checked_fill(self.filler, rgb, mask, self.scan.path.name)
        elif self.exact:
            filled = self._exactly(rgb, mask)
        else:
            coarse = np.rint(rgb / 257).astype(np.uint8)
            filled = checked_fill(self.filler, coarse, mask, self.scan.path.name).astype(np.uint16) * 257
        return filled[..., : piece.shape[2]]

    def _exactly(self, rgb: Rows, mask: Mask) -> Rows:
        assert isinstance(self.filler, Exact)  # noqa: S101  `exact` says so
        try:
            values = self.filler.values(rgb / 257, mask)
        except ValueError as error:
            raise MethodError(self.filler.name, self.scan.path.name, str(error)) from error
        filled = rgb.copy()
        filled[mask] = np.clip(np.rint(values * 257), 0, 65535)
        return filled


def _less(part: slice, by: int) -> slice:
    return slice(part.start - by, part.stop - by)
