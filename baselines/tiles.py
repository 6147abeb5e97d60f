"""Tiles: how a long side is cut into pieces that overlap, and how much each counts where.

Tiles start and end on the grid of a network's stride. The outermost `MARGIN` px of a tile, where the network
knows too little of its surroundings, count for nothing; over the next `BLEND` px one tile fades into another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["BLEND", "MARGIN", "TILE", "least_tile", "round_up", "spans"]

TILE = 1664
"""Largest side of what a network is given at once, in px: two of them cover 3,000 px."""

MARGIN = 128
"""Px at the inner edges of a tile that count for nothing.

What `craqnet` answers for a pixel depends on what is about 96 px away through its convolutions, and a little
further away through local contrast: measured after training, whole and tiled differ by up to 0.03 with 64 px,
and by 2e-5 with 128.
"""

BLEND = 32
"""Px over which two tiles fade into one another."""

Weights = npt.NDArray[np.float32]
"""(length,) float32 in [0, 1]: how much each row or column of a tile counts."""


def round_up(number: int, stride: int) -> int:
    """Round up to a multiple."""
    return -(-number // stride) * stride


def least_tile(stride: int, margin: int = MARGIN, blend: int = BLEND) -> int:
    """Return the side of the smallest tile that does not consist of overlaps, in px."""
    return 2 * _overlap(stride, margin, blend)


def _overlap(stride: int, margin: int, blend: int) -> int:
    return 2 * round_up(margin, stride) + round_up(blend, stride)


def spans(
    side: int, tile: int, stride: int, *, margin: int = MARGIN, blend: int = BLEND
) -> list[tuple[slice, Weights]]:
    """Cut a side into overlapping tiles of about the same length.

    Parameters
    ----------
    side
        In px, a multiple of `stride`.
    tile
        Longest tile in px, at least `least_tile`.
    stride
        Tiles start and end at its multiples.
    margin, blend
        See `MARGIN` and `BLEND`; rounded up to the stride.

    Returns
    -------
    For each tile, where it lies, and its (length,) float32 weights; at each px of the side the weights of all
    tiles sum to 1.
    """
    if side <= tile:
        return [(slice(0, side), np.ones(side, np.float32))]
    overlap = _overlap(stride, margin, blend)
    count = math.ceil((side - overlap) / (tile // stride * stride - overlap))
    length = round_up(math.ceil((side + (count - 1) * overlap) / count), stride)
    last = side - length
    starts = [round(last * number / (count - 1) / stride) * stride for number in range(count)]
    return [
        (slice(start, start + length), _weights(starts, length, number, round_up(margin, stride)))
        for number, start in enumerate(starts)
    ]


def _weights(starts: Sequence[int], length: int, number: int, margin: int) -> Weights:
    """Return how much each px of a tile counts, given where all tiles start."""
    weights = np.ones(length, np.float32)
    if number > 0:
        shared = starts[number - 1] + length - starts[number]
        weights[:shared] = _fade(shared, margin)
    if number < len(starts) - 1:
        shared = starts[number] + length - starts[number + 1]
        weights[-shared:] = 1 - _fade(shared, margin)
    return weights


def _fade(shared: int, margin: int) -> Weights:
    """Return weights that rise from 0 to 1 between the margins of an overlap."""
    between = shared - 2 * margin
    rising = 0.5 - 0.5 * np.cos(np.pi * (np.arange(between) + 0.5) / between)
    return np.concatenate([np.zeros(margin), rising, np.ones(margin)]).astype(np.float32)
