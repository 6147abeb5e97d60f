"""The union of many filled disks, pixel for pixel as OpenCV draws each of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from generators.triplets import Mask

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

LARGEST_STAMP = 8
"""Up to this radius in px all disks of a radius are drawn together; larger ones, which a list of pixels
does not suit, by OpenCV one after another."""


def draw_disks(shape: tuple[int, int], centres: Integers, radii: Integers) -> Mask:
    """Return the union of filled disks.

    Parameters
    ----------
    shape
        (height, width) in px.
    centres
        (n, 2) int64: x, y, anywhere; what lies outside the picture is cut.
    radii
        (n,) int64, >= 0; a disk of radius 0 is one pixel.

    Returns
    -------
    (height, width) bool : what n calls of ``cv2.circle(mask, centre, radius, 255, -1)`` set.

    Examples
    --------
    >>> draw_disks((3, 4), np.array([[1, 1]]), np.array([1])).astype(int)
    array([[0, 1, 0, 0],
           [1, 1, 1, 0],
           [0, 1, 0, 0]])
    """
    small = radii <= LARGEST_STAMP
    if small.all():
        return _stamp(shape, centres, radii).view(np.bool_)
    mask = _stamp(shape, centres[small], radii[small])
    for centre, radius in zip(centres[~small].tolist(), radii[~small].tolist(), strict=True):
        if _touches(shape, centre, radius):
            cv2.circle(mask, centre, radius, 1, cv2.FILLED)
    return mask.view(np.bool_)


def _touches(shape: tuple[int, int], centre: list[int], radius: int) -> bool:
    # Asked because OpenCV takes no centre beyond 32 bits.
    return all(-radius <= c < side + radius for c, side in zip(centre, reversed(shape), strict=True))


def _stamp(shape: tuple[int, int], centres: Integers, radii: Integers) -> Bytes:
    """Draw the disks, grouped by radius, on a canvas whose margin takes what stands over."""
    reach = max(2, int(radii.max(initial=0)))
    margin = 2 * reach + 1
    canvas = np.zeros((shape[0] + 2 * margin, shape[1] + 2 * margin), np.uint8)
    singles, *groups = _by_radius(_places(shape, centres, reach, canvas.shape[1]), radii, reach)
    # A disk of radius 1 or 2 is the one before it, grown by a cross: one dilation saves most of the writing.
    _scatter(canvas, groups[0], 0)
    _scatter(canvas, groups[1], 1)
    canvas = np.asarray(cv2.dilate(canvas, _disk(1)), np.uint8)
    _scatter(canvas, singles, 0)
    for radius, places in enumerate(groups[2:], start=3):
        _scatter(canvas, places, radius)
    return np.ascontiguousarray(canvas[margin : margin + shape[0], margin : margin + shape[1]])


def _places(shape: tuple[int, int], centres: Integers, reach: int, stride: int) -> Integers:
    """Return the flat indices of centres on the canvas; those out of sight are parked in its margin."""
    x = np.clip(centres[:, 0], -reach - 1, shape[1] + reach)
    y = np.clip(centres[:, 1], -reach - 1, shape[0] + reach)
    margin = 2 * reach + 1
    return np.asarray((y + margin) * stride + (x + margin))


def _by_radius(places: Integers, radii: Integers, largest: int) -> list[Integers]:
    """Split the places by radius 0, 1, ..., largest."""
    keys = radii.astype(np.uint8)  # sorted by counting, in a quarter of the time
    ends = np.cumsum(np.bincount(keys, minlength=largest + 1))
    return np.split(places[np.argsort(keys, kind="stable")], ends[:-1])


def _scatter(canvas: Bytes, places: Integers, radius: int) -> None:
    """Set the pixels of equal disks, one pixel of all of them at a time: the index stays in the cache."""
    rows, columns = np.nonzero(_disk(radius))
    pixels, index = canvas.reshape(-1), np.empty_like(places)
    for offset in ((rows - radius) * canvas.shape[1] + columns - radius).tolist():
        pixels[np.add(places, offset, out=index)] = 1


@lru_cache(maxsize=LARGEST_STAMP + 1)
def _disk(radius: int) -> Bytes:
    """Return the square of side 2 radius + 1 with the disk that OpenCV fills in it."""
    square = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.circle(square, (radius, radius), radius, 1, cv2.FILLED), np.uint8)
