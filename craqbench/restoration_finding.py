"""The mask of a restoration, on the disk: found by a detector tile by tile, or given; and dilated.

Pictures of at most `WHOLE` px are shown to a detector whole, as `craqbench detect` does. Larger ones are
shown in tiles that overlap by `baselines.tiles.MARGIN` px on each side, of which only the inner part counts:
what a detector answers for a px may depend on as much of its surroundings. A detector that compares a px
with all of the picture (`tophat` stretches its response, `grassfire` chooses a polarity) then compares it
with its tile.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyvips

from baselines.protocols import Detector, checked_predict
from baselines.tiles import MARGIN
from craqbench.errors import SourceError, UsageError
from craqbench.scans import Scan, load
from craqbench.scans_opening import sniff
from craqbench.scans_rows import RowReader, Rows, Span, Store, eight_bits, spans

__all__ = ["MOST_SHARE", "TILE", "WHOLE", "Beat", "dilate", "find", "take"]

WHOLE = 12_000_000
"""Pictures of up to so many px are shown to a detector in one piece."""

TILE = 512
"""Px of the side of what counts of a tile."""

MOST_SHARE = 0.5
"""A mask that covers more of a picture is a mistake, such as black and white swapped."""

Beat = Callable[[int], None]
"""Told how many more rows are done."""

_SQUARE = np.ones((3, 3), np.uint8)


def find(scan: Scan, detector: Detector, threshold: float, into: Store, beat: Beat) -> None:
    """Write the mask of what a detector finds.

    Raises
    ------
    SourceError
        If the picture is damaged.
    MethodError
        If the detector fails.
    StorageError
        If the disk is full or gone.
    """
    tile = TILE if scan.width * scan.height > WHOLE else max(scan.width, scan.height)
    reader = RowReader.of(scan, tile + 2 * MARGIN, eight_bits(scan.colours))
    for rows in spans(scan.height, tile, MARGIN):
        picture = reader.read(rows.first, rows.last)
        band = np.empty((rows.bottom - rows.top, scan.width), np.uint8)
        for columns in spans(scan.width, tile, MARGIN):
            window = picture[:, columns.first : columns.last]
            scores = checked_predict(detector, window, scan.path.name)[rows.core, columns.core]
            band[:, columns.top : columns.bottom] = np.where(scores >= threshold, 255, 0)
        into.append(band)
        beat(len(band))


def dilate(scan: Scan, mask: Store, into: Store, times: int) -> None:
    """Write a mask that is dilated by a 3 x 3 square, `times` times."""
    for rows in spans(scan.height, TILE, times):
        near = mask.read(rows.first, rows.last)[..., 0]
        into.append(cv2.dilate(near, _SQUARE, iterations=times)[rows.core])


# -- a given mask -------------------------------------------------------------------------------------------


def take(path: Path, scan: Scan, into: Store) -> None:
    """Write a mask that is given as a picture: black, and white (255, 65535 or 1) where to fill.

    It is laid over the scan as viewers show both, whatever the one or the other is turned by its EXIF.

    Raises
    ------
    UsageError
        If it is none, is of another size than the scan, or holds anything between black and white.
    StorageError
        If the disk is full or gone.
    """
    try:
        reader = RowReader(_as_stored(_open(path), scan), TILE)
        for rows in spans(scan.height, TILE, 0):
            into.append(_levels(reader.read(rows.top, rows.bottom), rows))
    except SourceError as error:
        raise UsageError(f"mask {path}: {error}") from error


def _open(path: Path) -> pyvips.Image:
    """Open a mask as viewers show it."""
    try:
        with path.open("rb") as file:
            kind = sniff(file)
    except OSError as error:
        raise SourceError(error.strerror or str(error)) from error
    image = load(path, kind)
    if "n-pages" in image.get_fields() and image.get("n-pages") > 1:
        raise SourceError(f"{image.get('n-pages')} pages: expected one")
    if image.format not in ("uchar", "ushort"):
        raise SourceError("samples that are neither of 8 nor of 16 bits: expected black and white")
    turned = "orientation" in image.get_fields() and image.get("orientation") > 1
    return load(path, kind, access="random").autorot() if turned else image


def _as_stored(mask: pyvips.Image, scan: Scan) -> pyvips.Image:
    """Turn a mask from how viewers show the scan to how it is stored."""
    shown = (scan.height, scan.width) if scan.orientation > 4 else (scan.width, scan.height)
    if (mask.width, mask.height) != shown:
        expected = f"{shown[0]:,} x {shown[1]:,}, as {scan.path.name} has"
        raise SourceError(f"{mask.width:,} x {mask.height:,} px: expected {expected}")
    turn = _TURNS.get(scan.orientation)
    return turn(mask.copy_memory()) if turn else mask


_TURNS: dict[int, Callable[[pyvips.Image], pyvips.Image]] = {
    2: lambda image: image.fliphor(),
    3: lambda image: image.rot180(),
    4: lambda image: image.flipver(),
    5: lambda image: image.rot270().flipver(),
    6: lambda image: image.rot270(),
    7: lambda image: image.rot90().flipver(),
    8: lambda image: image.rot90(),
}
"""Orientation -> what undoes it."""


def _levels(rows: Rows, where: Span) -> Rows:
    """Return 0 and 255 for black and white."""
    if rows.shape[2] in (2, 4):
        if rows[..., -1].min() < np.iinfo(rows.dtype).max:
            raise SourceError("px that are transparent: expected black and white")
        rows = rows[..., :-1]
    if rows.max(initial=0) <= 1:
        return np.asarray(rows[..., 0] * np.uint8(255), np.uint8)
    white = (rows == np.iinfo(rows.dtype).max).all(axis=2)
    wrong = ~white & rows.any(axis=2)
    if wrong.any():
        y, x = (int(places[0]) for places in np.nonzero(wrong))
        value = ", ".join(map(str, np.unique(rows[y, x]).tolist()))
        raise SourceError(
            f"{value} at x {x:,}, y {where.top + y:,}: expected black (0) and white (255), nothing between; "
            "JPEG always puts something there, PNG and TIFF do not"
        )
    return np.where(white, np.uint8(255), np.uint8(0))
