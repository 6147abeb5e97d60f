"""Connected candidates, and which of them are worth keeping."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from baselines.protocols import Mask

__all__ = ["specks", "survivors"]


def specks(candidates: Mask, size: int) -> npt.NDArray[np.intp]:
    """Find the connected components that are too small.

    Parameters
    ----------
    candidates
        (H, W) bool. Pixels are connected to all 8 neighbours.
    size
        Components of fewer px are too small.

    Returns
    -------
    Where their pixels are, as indices of the flattened array.
    """
    _, labels = cv2.connectedComponents(candidates.view(np.uint8), connectivity=8)
    # Cracks are a small part of a picture: counting only their pixels is faster than OpenCV's statistics.
    places = np.flatnonzero(candidates)
    component = np.asarray(labels, np.int32).ravel()[places]
    small: Mask = np.bincount(component, minlength=1)[component] < size
    return places[small]


def survivors(candidates: Mask, *, size: int = 1, extent: float = 0.0, seeds: Mask | None = None) -> Mask:
    """Keep the connected components that are large enough and hold a seed.

    Parameters
    ----------
    candidates
        (H, W) bool. Pixels are connected to all 8 neighbours.
    size
        A component of fewer px is dropped.
    extent
        A component whose bounding box has a shorter diagonal, in px, is dropped.
    seeds
        (H, W) bool: a component with none of them is dropped. What is left is what fires that are lit at
        the seeds, and spread from candidate to neighbouring candidate, would burn.

    Returns
    -------
    (H, W) bool, a part of `candidates`.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates.view(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= size
    keep &= np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) >= extent
    if seeds is not None:
        lit = np.zeros(count, np.bool_)
        lit[labels[seeds]] = True
        keep &= lit
    keep[0] = False
    return np.asarray(keep[labels], np.bool_)
