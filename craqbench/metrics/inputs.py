"""What all metrics ask of their masks, and how what is ignored is left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Counts", "Floats", "Mask", "checked_mask", "cut", "scored_pixels"]

Mask = npt.NDArray[np.bool_]
"""(H, W) bool, True in cracks (or, as ``ignore``, where nothing is scored)."""

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def checked_mask(mask: Mask, name: str) -> Mask:
    """Return `mask` if it is one.

    Raises
    ------
    ValueError
        If `mask` is not a bool array of two dimensions.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"expected {name} of shape (H, W) and type bool. Got {mask.shape} {mask.dtype}")
    return mask


def scored_pixels(truth: npt.NDArray[np.generic], ignore: Mask | None) -> Mask:
    """Return (H, W) bool: where pixels are scored.

    Raises
    ------
    ValueError
        If `ignore` is not a mask of the annotation's shape.
    """
    if ignore is None:
        return np.ones(truth.shape, np.bool_)
    if checked_mask(ignore, "ignore").shape != truth.shape:
        raise ValueError(f"expected ignore of the annotation's shape {truth.shape}. Got {ignore.shape}")
    return ~ignore


def cut(prediction: Mask, truth: Mask, ignore: Mask | None) -> tuple[Mask, Mask]:
    """Return prediction and annotation without what lies in the ignored regions.

    Raises
    ------
    ValueError
        If one of them is not a bool array of two dimensions, or shapes differ.
    """
    if checked_mask(prediction, "prediction").shape != checked_mask(truth, "truth").shape:
        raise ValueError(
            f"expected a prediction of the annotation's shape {truth.shape}. Got {prediction.shape}"
        )
    if ignore is None:
        return prediction, truth
    keep = scored_pixels(truth, ignore)
    return prediction & keep, truth & keep
