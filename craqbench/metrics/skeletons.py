"""Centre lines of crack masks, and how wide a crack is along them."""

from __future__ import annotations

from importlib.metadata import version

import cv2
import numpy as np
import numpy.typing as npt
from skimage.morphology import skeletonize as _thin

__all__ = ["SKELETONISER", "half_widths", "skeletonize"]

SKELETONISER = f"scikit-image {version('scikit-image')} skeletonize(method='lee')"
"""Name and version of the skeletoniser, for result files: figures depend on it."""


def skeletonize(mask: npt.NDArray[np.bool_], *, beyond: int = 0) -> npt.NDArray[np.bool_]:
    """Thin a mask to its centre lines, 8-connected and one pixel wide.

    Method "lee" (Lee, Kashyap and Chu 1994), not scikit-image's default for images, "zhang": Lee's keeps the
    number of components and holes, which Zhang's thinning is not sure to do (it erases 2 x 2 squares); it
    leaves fewer doubled diagonals; and scikit-image 0.26 was once seen to crash in the default one.

    Parameters
    ----------
    mask
        (H, W) bool, True in cracks; an empty one gives an empty skeleton.
    beyond
        Continue the mask this many px beyond the frame (repeating its outermost px) while thinning. With 0
        the frame is an edge, and the skeleton of a crack that is cut by it ends up to half a width inside.

    Returns
    -------
    (H, W) bool, a subset of `mask`.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"expected a mask of shape (H, W) and type bool. Got {mask.shape} {mask.dtype}")
    if not mask.any():
        return np.zeros_like(mask)
    padded = np.pad(mask, beyond, mode="edge") if beyond else mask
    thinned = np.asarray(_thin(padded, method="lee"), np.bool_)  # type: ignore[no-untyped-call]  # has no types
    height, width = mask.shape
    return thinned[beyond : beyond + height, beyond : beyond + width] & mask


def half_widths(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the distance in px from crack pixels to the crack's edge: on the centre line, half the width.

    The distance transform is taken at half-pixel resolution, and a pixel holds the largest of its four
    values: straight lines of 1, 2, 3, ... px then have half-widths 0.5, 1, 1.5, ... along the centre, where a
    transform at pixel resolution could not tell 1 from 2. The frame is no edge: a crack runs on beyond it.

    Parameters
    ----------
    mask
        (H, W) bool.

    Returns
    -------
    (H, W) float32, 0 outside the mask. Where the whole picture is crack, the distance is at most H + W.
    """
    height, width = mask.shape
    if not mask.size:
        return np.zeros(mask.shape, np.float32)
    doubled = cv2.resize(mask.view(np.uint8), (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    distance = cv2.distanceTransform(doubled, cv2.DIST_L2, cv2.DIST_MASK_5)
    upper, lower = (
        np.maximum(distance[::2, ::2], distance[::2, 1::2]),
        np.maximum(distance[1::2, ::2], distance[1::2, 1::2]),
    )
    return np.asarray(np.minimum(np.maximum(upper, lower) / 2, height + width), np.float32)
