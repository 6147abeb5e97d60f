"""From strands with widths and strengths to pixels: sub-pixel coverage and the crack mask."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from generators.networks import Floats, Network
from generators.triplets import Mask

SUPERSAMPLING = 4
"""Lines are drawn this much larger and averaged down: widths come in odd quarters of a px."""

SEEN = 76
"""Coverage, of 255, from which on a px is cracked. Three tenths is 76.5: it counts however it is rounded."""

GREYS = 8
"""Levels of strength that are told apart."""

Grey = npt.NDArray[np.uint8]


class Drawing(NamedTuple):
    """What a network looks like on the pixel grid.

    Attributes
    ----------
    opacity
        (H, W) uint8: covered share of the px times the strength of what covers it, 255 for a full one.
    mask
        (H, W) bool: at least three tenths covered, as annotators mark the edges of what they see; or on the
        centre line of a crack (a hairline narrower than a px would be a row of dots otherwise).
    """

    opacity: Grey
    mask: Mask


def draw_network(network: Network, width: Floats, strength: Floats) -> Drawing:
    """Draw all strands.

    Parameters
    ----------
    width
        (P,) float32, crack width at each point in px; points of width 0 are not drawn.
    strength
        (P,) float32 in [0, 1], how strongly the crack shows at each point.
    """
    w, h = network.size
    fine = np.zeros((h * SUPERSAMPLING, w * SUPERSAMPLING), np.uint8)
    # OpenCV draws thickness 2, 4, 6, ... as 3, 5, 7, ... px, and 3, 5, ... wider still.
    thickness = np.where(width > 0, np.maximum(2 * np.rint((width * SUPERSAMPLING - 1) / 2), 1), 0)
    for thick, lines in _runs(network, thickness.astype(np.int64), SUPERSAMPLING):
        cv2.polylines(fine, lines, False, 255, thick, cv2.LINE_8, 4)
    centre = np.zeros((h, w), np.uint8)
    grey = np.where(width > 0, np.maximum(np.rint(strength * GREYS), 1), 0)
    for level, lines in _runs(network, grey.astype(np.int64), 1):
        cv2.polylines(centre, lines, False, level * 255 // GREYS, 1, cv2.LINE_8, 4)
    # Halved twice: several times as fast as a quarter at once.
    half = cv2.resize(fine, (2 * w, 2 * h), interpolation=cv2.INTER_AREA)
    covered = np.asarray(cv2.resize(half, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    reach = 2 * int(np.ceil(width.max(initial=0) / 2)) + 3
    shown = cv2.dilate(centre, np.ones((reach, reach), np.uint8))
    opacity = np.asarray(cv2.multiply(covered, shown, scale=1 / 255), np.uint8)
    return Drawing(opacity, (covered >= SEEN) | (centre > 0))


def _runs(
    network: Network, key: npt.NDArray[np.int64], scale: int
) -> list[tuple[int, list[npt.NDArray[np.int32]]]]:
    """Runs of points of equal key above 0, in 1/16 px of a grid `scale` times as fine, by rising key."""
    # Half a px: the centre of the first px of the picture is 0.5 here, and 0 for OpenCV.
    points = np.rint(network.points * (16 * scale)).astype(np.int32) - 8
    strand = np.repeat(np.arange(len(network.lengths)), network.lengths)
    stop = np.concatenate([np.flatnonzero((np.diff(key) != 0) | (np.diff(strand) != 0)) + 1, [len(key)]])
    start = np.concatenate([[0], stop[:-1]])
    if not len(key):
        return []
    # A run goes on to the first point of the next one of its strand, so that no gap opens between them.
    goes_on = np.append(strand[stop[:-1] - 1] == strand[stop[:-1]], False)
    order = np.argsort(key[start], kind="stable")
    keys, first = np.unique(key[start][order], return_index=True)
    ends = [*first[1:].tolist(), len(order)]
    a, b = start[order].tolist(), (stop + goes_on)[order].tolist()
    return [
        (k, [points[i:j] for i, j in zip(a[m:n], b[m:n], strict=True)])
        for k, m, n in zip(keys.tolist(), first.tolist(), ends, strict=True)
        if k
    ]
