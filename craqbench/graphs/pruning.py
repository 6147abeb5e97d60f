"""Take off a skeleton what thinning made up: spurs, specks, loops around blots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from craqbench.graphs.tracing import Bools, Canvas, Floats, Ints, Trace, trace

if TYPE_CHECKING:
    from craqbench.graphs.policy import GraphPolicy

__all__ = ["fill_holes", "near_frame", "prune"]


def fill_holes(mask: Bools, largest: int) -> Bools:
    """Fill the 4-connected holes of a mask of at most `largest` px that do not touch the frame."""
    if largest <= 0 or not mask.any():
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).view(np.uint8), connectivity=4)
    height, width = mask.shape
    x, y, w, h, area = stats.T
    hole = (area <= largest) & (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    hole[0] = False  # Label 0 is the mask itself.
    return np.asarray(mask | hole[labels], np.bool_)


def near_frame(shape: tuple[int, ...], ignore: Bools | None, border: int) -> Bools:
    """(H, W) bool: pixels with fewer than `border` others between them and the frame or ignored px."""
    outside = np.zeros(shape, np.uint8) if ignore is None else ignore.astype(np.uint8)
    outside = np.pad(outside, border + 1, constant_values=1)
    reached = cv2.dilate(outside, np.ones((2 * border + 1,) * 2, np.uint8))
    return np.asarray(reached[border + 1 : -border - 1, border + 1 : -border - 1], np.bool_)


def prune(canvas: Canvas, half_width: Floats, at_frame: Bools, policy: GraphPolicy) -> Trace:
    """Take artefacts off the canvas until there are none, and trace what is left.

    Parameters
    ----------
    canvas
        A skeleton, changed in place.
    half_width, at_frame
        (n,) px and bool for each pixel of the canvas.
    policy
        Says what an artefact is.
    """
    while True:
        traced = trace(canvas)
        pruned = np.append(
            _artefacts(traced, half_width[traced.pixels], at_frame[traced.pixels], policy), False
        )
        if not pruned.any():
            return traced
        canvas.remove(traced.pixels[pruned[traced.link]])


def _largest_in(values: Floats, group: Ints, groups: int) -> Floats:
    """Return (groups,) the largest of the values in each group, 0 in an empty one; -1 is no group."""
    out = np.zeros(groups)
    np.maximum.at(out, group[group >= 0], values[group >= 0])
    return out


def _artefacts(traced: Trace, half_width: Floats, at_frame: Bools, policy: GraphPolicy) -> Bools:
    """(L,) bool: specks, and the shortest too short dead-end link of each junction."""
    dead = traced.dead_ends
    out = traced.alone & (traced.length + 1 < policy.spur + _largest_in(half_width, traced.link, len(dead)))
    free_first = dead[:, 0]
    joined = np.where(free_first, traced.ends[:, 1], traced.ends[:, 0])
    tip = np.where(free_first, traced.tips[:, 0], traced.tips[:, 1])
    limit = policy.spur + np.append(_largest_in(half_width, traced.junction, traced.junctions), 0)[joined]
    # Where a branch leaves the frame, nobody knows how long it is.
    spur = np.flatnonzero((dead[:, 0] != dead[:, 1]) & (traced.length < limit) & ~at_frame[tip])
    spur = spur[np.argsort(traced.length[spur], kind="stable")]
    out[spur[np.unique(joined[spur], return_index=True)[1]]] = True
    return out
