"""How wide a crack is at each of its pixels: what a filling is judged by, apart from the picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from craqbench.metrics.inputs import Mask, checked_mask
from craqbench.metrics.skeletons import half_widths, skeletonize

__all__ = ["EDGES", "WIDTHS", "local_widths", "of_widths"]

EDGES = (1.5, 3.0, 6.0)
"""Between the classes of width, px; a width that is an edge belongs to the narrower class."""

WIDTHS = (f"<={EDGES[0]:g}px", *(f"{low:g}-{high:g}px" for low, high in pairwise(EDGES)), f">{EDGES[-1]:g}px")
"""Names of the classes, narrow ones first."""


def local_widths(mask: Mask) -> npt.NDArray[np.float32]:
    """Return the width of a crack at each of its pixels: that at the nearest px of its centre line.

    Straight lines of 1, 2, 3, ... px have widths 1, 2, 3, ...; at a junction the width is that of the largest
    circle that fits in it.

    Parameters
    ----------
    mask
        (H, W) bool, True in cracks.

    Returns
    -------
    (H, W) float32 in px, 0 outside the mask.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions.
    """
    lines = skeletonize(checked_mask(mask, "mask"))
    if not lines.any():
        return np.zeros(mask.shape, np.float32)
    rows, columns = distance_transform_edt(~lines, return_distances=False, return_indices=True)
    return np.where(mask, 2 * half_widths(mask)[rows, columns], np.float32(0))


def of_widths(mask: Mask) -> list[Mask]:
    """Divide a mask by `local_widths`: (H, W) bool for each of `WIDTHS`, no px in two of them."""
    places = np.searchsorted(EDGES, local_widths(mask))  # an edge belongs to the class below it
    return [mask & (places == number) for number in range(len(WIDTHS))]
